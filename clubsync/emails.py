"""R2: normalise and validate email addresses.

An address is valid if email-validator 2 accepts it (`check_deliverability=False`, otherwise its defaults). The
library takes 28 microseconds per address. So plain ASCII addresses are matched by a pattern that is valid by
construction, with each domain checked by the library once; every other address goes to the library. The result
is always the library's (tests compare both on a corpus of edge cases). What no person typed is removed before that
(`connectors.sdk.emails`).

A placeholder is no email, whatever its form: an address of a domain that is reserved (RFC 2606, RFC 6761) and that
the library does not accept either, a `noemail@…` and what else people enter for "none", or one that the club lists.
`example.com` and the other names for examples are ordinary to the library, and to us unless the club lists them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import polars as pl
from email_validator import EmailNotValidError, validate_email

from clubsync.frames import attach, literals
from connectors.sdk.emails import clean, cleaned
from connectors.sdk.words import word

# Narrower than RFC 5321's atext on purpose: the library decides on whatever does not match.
_PLAIN = r"^[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*@[a-z0-9\-]+(?:\.[a-z0-9\-]+)+$"
_PLAIN_LOCAL_MAX = 60
_PLAIN_MAX = 200

VALID, MISSING, INVALID, PLACEHOLDER = "valid", "missing", "invalid", "placeholder"
#: There is one, and what stands in its place cannot be read (`clubsync.validate.facts`).
UNREADABLE = "unreadable"
#: Why an email is invalid, or a placeholder, where that is known: several addresses in one cell; something else around
#: the address, such as a name; an address that too many unrelated records carry (`clubsync.validate.facts`).
SEVERAL, AROUND, SHARED = "several", "around", "shared"

#: The words of `email_state` and `email_about`, as columns of one byte a row.
STATE = pl.Enum([VALID, MISSING, INVALID, PLACEHOLDER, UNREADABLE])
ABOUT = pl.Enum([SEVERAL, AROUND, SHARED])
state, about = literals(STATE), literals(ABOUT)

_RESERVED = r"^[^@\s]*@(?:[^@\s]*\.)?(?:test|invalid|localhost)\.?$"
_NO_EMAIL = (
    r"^(?:no|non|without|sans|pas[-_.]?de?|aucun|kein|keine|ohne|sin|senza|sem|geen)"
    r"[-_.]?(?:e[-_.]?)?(?:mail|correo)s?[-_.]?\d*(?:\+[^@\s]*)?@[^@\s]*$"
)
#: Characters of a cell in which addresses are looked for.
_LONGEST = 1_000
_ADDRESS = re.compile(r"[^\s<>()\[\],;|/\"']+@[^\s<>()\[\],;|/\"']+")


@lru_cache(maxsize=200_000)
def normalise(email: str) -> str | None:
    """One address in the form that links people: cleaned, NFC, case-folded, its domain as ASCII (IDNA, UTS 46).

    `+tag` and dots are kept.

    :returns: None if email-validator does not accept the address.
    """
    if "@" not in email:
        return None  # as the library says, which takes its time
    try:
        parts = validate_email(
            unicodedata.normalize("NFC", clean(email)), check_deliverability=False
        )
    except EmailNotValidError:
        return None
    local = unicodedata.normalize("NFC", parts.local_part.casefold())
    return f"{local}@{(parts.ascii_domain or parts.domain).casefold()}"


@lru_cache(maxsize=100_000)
def _domain(domain: str) -> str | None:
    key = normalise(f"a@{domain}")
    return key[2:] if key else None


def _rejoined(low: str, domain: str) -> str | None:
    """A plain address with its domain normalised; None if the domain is not valid."""
    ascii_domain = _domain(domain)
    return ascii_domain and f"{low.split('@', 1)[0]}@{ascii_domain}"


def placeholder_pattern(addresses: Iterable[str] = ()) -> str:
    """A regular expression for normalised addresses that are placeholders.

    :param addresses: a club's own, in which `*` is any text and `?` any character.
    """
    own = {
        "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in form)
        for address in addresses
        for form in _forms(word(address))
    }
    return "|".join([_RESERVED, _NO_EMAIL, *(f"^(?:{one})$" for one in sorted(own))])


def _forms(pattern: str) -> tuple[str, ...]:
    """A pattern, and the same with its domain as ASCII."""
    local, _, domain = pattern.rpartition("@")
    return (pattern, f"{local}@{_domain(domain) or domain}")


def is_placeholder(email: str, addresses: Iterable[str] = ()) -> bool:
    """Whether an address is a placeholder; `addresses` as in `placeholder_pattern`."""
    pattern = re.compile(placeholder_pattern(addresses))
    return any(pattern.search(form) for form in (word(clean(email)), normalise(email) or ""))


def around(email: str) -> str | None:
    """Why an address is not valid, where that is plain: SEVERAL or AROUND."""
    if len(email) > _LONGEST:
        return None
    text = clean(email)
    parts = [part.rstrip(".:").removeprefix("mailto:") for part in _ADDRESS.findall(text)]
    valid = [part for part in parts if normalise(part)]
    if not valid:
        return None
    if len(parts) > 1:
        return SEVERAL
    return AROUND if any(c.isalnum() for c in text.replace(valid[0], "")) else None


def evaluate(emails: pl.Series, placeholders: Iterable[str] = ()) -> pl.DataFrame:
    """Normalise and evaluate many addresses at once.

    :param emails: raw addresses; null: none.
    :param placeholders: a club's own, see `placeholder_pattern`.
    :returns: one row per address, in order: `email_norm` (String, null unless valid), `email_state`
        (`STATE`: "valid", "missing", "invalid" or "placeholder") and `email_about` (`ABOUT`: SEVERAL, AROUND, or null).
    """
    bare = cleaned(emails)
    plain = bare.str.to_lowercase()
    frame = pl.DataFrame({"raw": bare, "low": plain}).with_columns(
        plain=pl.col("low").str.contains(_PLAIN)
        & (pl.col("low").str.len_bytes() <= _PLAIN_MAX)
        & (pl.col("low").str.find("@", literal=True) <= _PLAIN_LOCAL_MAX)
        # the pattern is for ASCII only, and lower case may turn other letters into ASCII (U+212A)
        & (pl.col("raw").str.len_bytes() == pl.col("raw").str.len_chars()),
    )
    frame = frame.with_columns(domain=pl.when("plain").then(_after_at("low")))
    domains = frame["domain"].drop_nulls().unique().to_list()
    # nearly every domain is already normalised; the other addresses are normalised one by one
    ordinary = [domain for domain in domains if _domain(domain) == domain]
    frame = frame.with_columns(done=pl.col("domain").is_in(ordinary).fill_null(False))
    left = frame.filter(~pl.col("done") & (pl.col("raw") != "")).unique("raw")
    odd = {
        raw: _rejoined(low, domain) if plain else normalise(raw)
        for raw, low, domain, plain in left.select("raw", "low", "domain", "plain").iter_rows()
    }
    known = pl.DataFrame(
        {"raw": list(odd), "odd": list(odd.values())}, schema={"raw": pl.String, "odd": pl.String}
    )
    frame = attach(frame, known, "raw")
    pattern = placeholder_pattern(placeholders)
    # what is normalised already is `low`
    stands_in = pl.any_horizontal(pl.col("low", "odd").str.contains(pattern).fill_null(False))
    frame = frame.with_columns(stands_in=stands_in)
    valid = pl.col("done") | pl.col("odd").is_not_null()
    frame = frame.select(
        "raw",
        email_norm=pl.when(~pl.col("stands_in")).then(pl.when("done").then("low").otherwise("odd")),
        email_state=pl.when(pl.col("raw").is_null() | (pl.col("raw") == ""))
        .then(state(MISSING))
        .when("stands_in")
        .then(state(PLACEHOLDER))
        .when(valid)
        .then(state(VALID))
        .otherwise(state(INVALID)),
    )
    wrong = frame.filter(pl.col("email_state") == INVALID)["raw"].unique()
    why = {raw: word for raw in wrong if (word := around(raw))}
    reason = pl.col("raw").replace_strict(why, default=None, return_dtype=ABOUT)
    return frame.select(
        "email_norm",
        "email_state",
        email_about=reason if why else pl.lit(None, dtype=ABOUT),
    )


def _after_at(name: str) -> pl.Expr:
    """What follows the first @ of an address in ASCII."""
    column = pl.col(name)
    return column.str.slice(column.str.find("@", literal=True) + 1)
