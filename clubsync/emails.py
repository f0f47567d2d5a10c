"""R2: normalise and validate email addresses.

An address is valid if email-validator 2 accepts it (`check_deliverability=False`, otherwise its defaults). The
library takes 28 microseconds per address. So plain ASCII addresses are matched by a pattern that is valid by
construction, with each domain checked by the library once; every other address goes to the library. The result
is always the library's (tests compare both on a corpus of edge cases).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import polars as pl
from email_validator import EmailNotValidError, validate_email

from clubsync.frames import attach

# Narrower than RFC 5321's atext on purpose: the library decides on whatever does not match.
_PLAIN = r"^[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*@[a-z0-9\-]+(?:\.[a-z0-9\-]+)+$"
_PLAIN_LOCAL_MAX = 60
_PLAIN_MAX = 200

VALID, MISSING, INVALID = "valid", "missing", "invalid"
#: There is one, and what stands in its place cannot be read (`clubsync.validate.facts`).
UNREADABLE = "unreadable"


@lru_cache(maxsize=200_000)
def normalise(email: str) -> str | None:
    """One address in the form that links people: trimmed, NFC, case-folded, its domain as ASCII (IDNA, UTS 46).

    `+tag` and dots are kept.

    :returns: None if email-validator does not accept the address.
    """
    try:
        parts = validate_email(
            unicodedata.normalize("NFC", email.strip()), check_deliverability=False
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


def evaluate(emails: pl.Series) -> pl.DataFrame:
    """Normalise and evaluate many addresses at once.

    :param emails: raw addresses; null: none.
    :returns: one row per address, in order: `email_norm` (String, null unless valid) and `email_state`
        ("valid", "missing" or "invalid").
    """
    plain = emails.str.strip_chars().str.to_lowercase()
    frame = pl.DataFrame({"raw": emails.str.strip_chars(), "low": plain}).with_columns(
        plain=pl.col("low").str.contains(_PLAIN)
        & (pl.col("low").str.len_bytes() <= _PLAIN_MAX)
        & (pl.col("low").str.find("@", literal=True) <= _PLAIN_LOCAL_MAX)
        # the pattern is for ASCII only, and lower case may turn other letters into ASCII (U+212A)
        & (pl.col("raw").str.len_bytes() == pl.col("raw").str.len_chars()),
        domain=pl.col("low").str.split_exact("@", 1).struct.field("field_1"),
    )
    plain_rows = pl.col("plain").fill_null(False)
    domains = frame.filter(plain_rows)["domain"].unique().to_list()
    # nearly every domain is already normalised; the other addresses are normalised one by one
    ordinary = [domain for domain in domains if _domain(domain) == domain]
    frame = frame.with_columns(done=plain_rows & pl.col("domain").is_in(ordinary))
    left = frame.filter(~pl.col("done").fill_null(False) & (pl.col("raw") != "")).unique("raw")
    odd = {
        raw: _rejoined(low, domain) if plain else normalise(raw)
        for raw, low, domain, plain in left.select("raw", "low", "domain", "plain").iter_rows()
    }
    known = pl.DataFrame(
        {"raw": list(odd), "odd": list(odd.values())}, schema={"raw": pl.String, "odd": pl.String}
    )
    frame = attach(frame, known, "raw")
    norm = pl.when("done").then("low").otherwise("odd")
    return frame.select(
        email_norm=norm,
        email_state=pl.when(pl.col("raw").is_null() | (pl.col("raw") == ""))
        .then(pl.lit(MISSING))
        .when(norm.is_not_null())
        .then(pl.lit(VALID))
        .otherwise(pl.lit(INVALID)),
    )
