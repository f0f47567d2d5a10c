"""R2: email addresses, normalised and judged.

Valid is what email-validator 2 accepts (`check_deliverability=False`, its other defaults). The library
takes 28 microseconds an address; so plain ASCII addresses are matched by a pattern of which every match
is valid by construction, their domains are put to the library once each, and every address that is
odd in any way goes to the library itself. No verdict is ours (tests compare on an edge corpus).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import polars as pl
from email_validator import EmailNotValidError, validate_email

# Narrower than RFC 5321's atext on purpose: whatever does not match is the library's to judge.
_PLAIN = r"^[a-z0-9_+\-]+(?:\.[a-z0-9_+\-]+)*@[a-z0-9\-]+(?:\.[a-z0-9\-]+)+$"
_PLAIN_LOCAL_MAX = 60
_PLAIN_MAX = 200

VALID, MISSING, INVALID = "valid", "missing", "invalid"


@lru_cache(maxsize=200_000)
def normalise(email: str) -> str | None:
    """The link key of one address: trimmed, NFC, case-folded, domain as ASCII (IDNA, UTS 46).

    `+tag` and dots are kept.

    :returns: None where email-validator does not accept the address.
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


def judge(emails: pl.Series) -> pl.DataFrame:
    """Normalise and judge many addresses at once.

    :param emails: raw addresses, String, null where there is none.
    :returns: columns `email_norm` (String, null unless valid) and `email_state`
        ("valid", "missing", "invalid"); one row an address, in order.
    """
    plain = emails.str.strip_chars().str.to_lowercase()
    frame = pl.DataFrame({"raw": emails.str.strip_chars(), "low": plain}).with_columns(
        plain=pl.col("low").str.contains(_PLAIN)
        & (pl.col("low").str.len_bytes() <= _PLAIN_MAX)
        & (pl.col("low").str.find("@", literal=True) <= _PLAIN_LOCAL_MAX)
        # the pattern speaks of ASCII only, and lowering may turn other letters into ASCII (U+212A)
        & (pl.col("raw").str.len_bytes() == pl.col("raw").str.len_chars()),
        domain=pl.col("low").str.split_exact("@", 1).struct.field("field_1"),
    )
    plain_rows = pl.col("plain").fill_null(False)
    domains = frame.filter(plain_rows)["domain"].unique().to_list()
    known = pl.DataFrame(
        {"domain": domains, "ascii": [_domain(d) for d in domains]},
        schema={"domain": pl.String, "ascii": pl.String},
    )
    odd = frame.filter(~plain_rows & (pl.col("raw") != ""))["raw"].unique().to_list()
    refereed = pl.DataFrame(
        {"raw": odd, "odd": [normalise(e) for e in odd]},
        schema={"raw": pl.String, "odd": pl.String},
    )
    frame = frame.join(known, on="domain", how="left", maintain_order="left").join(
        refereed, on="raw", how="left", maintain_order="left"
    )
    norm = (
        pl.when(plain_rows & pl.col("ascii").is_not_null())
        .then(
            pl.when(pl.col("ascii") == pl.col("domain"))
            .then(pl.col("low"))
            .otherwise(
                pl.col("low").str.split_exact("@", 1).struct.field("field_0")
                + "@"
                + pl.col("ascii")
            )
        )
        .when(~plain_rows)
        .then(pl.col("odd"))
    )
    return frame.select(
        email_norm=norm,
        email_state=pl.when(pl.col("raw").is_null() | (pl.col("raw") == ""))
        .then(pl.lit(MISSING))
        .when(norm.is_not_null())
        .then(pl.lit(VALID))
        .otherwise(pl.lit(INVALID)),
    )
