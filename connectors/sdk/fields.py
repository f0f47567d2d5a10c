"""From an ERP's words to canonical values: text, phones, names, gender.

Words are in `connectors.sdk.words`, dates in `connectors.sdk.dates`.

Everything takes and returns Polars series or expressions. What a library has to parse one by one (phones,
names) is parsed once per distinct value; phones in the usual formats are recognised by expressions built
from the library's own metadata, because the library takes 50 to 100 µs per number.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
import polars as pl

from connectors.sdk.cells import BLANK, TOO_LONG, is_unreadable
from connectors.sdk.words import key, meanings, word

_MALE = (
    "m",
    "male",
    "man",
    "h",
    "homme",
    "masculin",
    "monsieur",
    "mr",
    "m.",
    "hombre",
    "masculino",
)
_MALE_DE = ("männlich", "mann", "herr")
_FEMALE = ("f", "female", "woman", "femme", "féminin", "feminin", "madame", "mme", "mlle", "mujer")
_FEMALE_DE = ("femenino", "w", "weiblich", "frau", "ms", "mrs")
_GENDERS = meanings({"male": (*_MALE, *_MALE_DE), "female": (*_FEMALE, *_FEMALE_DE)})

#: Invisible characters, which make equal texts unequal.
INVISIBLE = "\u200b\u200e\u200f\u2060\ufeff"


def text(column: pl.Expr) -> pl.Expr:
    """Strip white space (no-break and invisible characters too); empty text becomes null."""
    out = column.str.replace_all(f"[{INVISIBLE}\0]", "").str.strip_chars()
    return pl.when(out != "").then(out)


def gender(column: pl.Expr) -> pl.Expr:
    """`male`, `female`, or null for everything else (hidden, other, unknown)."""
    return key(column).replace_strict(_GENDERS, default=None, return_dtype=pl.String)


def country(column: pl.Expr) -> pl.Expr:
    """A two-letter ISO 3166 code in capitals; anything else as the ERP has it."""
    value = text(column)
    code = value.str.to_uppercase()
    return pl.when(code.str.contains(r"^[A-Z]{2}$")).then(code).otherwise(value)


def canonical(frame: pl.DataFrame, region: str) -> pl.DataFrame:
    """A frame with its columns `gender`, `country` and `phone`, where it has them, in canonical form.

    :param region: see `phones`.
    """
    found = {
        "gender": gender(pl.col("gender")),
        "country": country(pl.col("country")),
        "phone": phones(frame["phone"], region) if "phone" in frame.columns else None,
    }
    return frame.with_columns(**{name: found[name] for name in found if name in frame.columns})


def ids(values: pl.Series) -> pl.Series:
    """Ids as the ERP has them: a spreadsheet that takes them for numbers writes `12.0` for 12."""
    return values.cast(pl.String).str.replace(r"^(\d+)\.0+$", "$1")


# Phones ----------------------------------------------------------------------------------------

_PUNCTUATION = r"[\s.\-/()\u2010-\u2015]"


@lru_cache(maxsize=64)
def _usual_forms(region: str) -> tuple[str, int, str] | None:
    """(national prefix, country code, pattern of the number without it) of a region whose numbers are
    regular enough to be recognised without the library; None: they are not.
    """
    meta = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if meta is None or meta.country_code is None or meta.general_desc is None:
        return None
    pattern = meta.general_desc.national_number_pattern
    prefix = meta.national_prefix_for_parsing or ""
    if pattern is None or not re.fullmatch(r"\d?", prefix) or meta.national_prefix_transform_rule:
        return None
    # A number that is also valid with its prefix would be ambiguous: the library decides.
    if prefix and re.match(rf"(?:{pattern})", prefix + "0" * 20):
        return None
    return prefix, meta.country_code, pattern


def _library_phone(raw: str, region: str) -> str:
    """One number by the library: E.164, or unchanged.

    A cell with letters is a remark ("voir sa mère") and stays: the library would read the letters
    as digits of a keypad.
    """
    if any(c.isalpha() for c in raw):
        return raw
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return raw
    if not phonenumbers.is_possible_number(number):
        return raw
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(values: pl.Series, region: str) -> pl.Series:
    """Phones to E.164; what cannot be parsed stays as it is, stripped; blank is null.

    :param values: strings.
    :param region: ISO 3166 alpha-2 country as which numbers without a prefix are parsed.
    """
    name = values.name
    frame = pl.DataFrame({"raw": values.cast(pl.String)}).with_columns(text(pl.col("raw")))
    forms = _usual_forms(region.upper())
    usual = pl.lit(None, dtype=pl.String)
    if forms is not None:
        prefix, code, pattern = forms
        digits = pl.col("raw").str.replace_all(_PUNCTUATION, "")
        local = digits.str.extract(rf"^{prefix}((?:{pattern}))$", 1)
        full = digits.str.extract(rf"^\+{code}((?:{pattern}))$", 1)
        # 00 and 011 are international prefixes, even if domestic numbers may start with them.
        plain = pl.col("raw").str.contains(r"^\+?[0-9(]") & ~digits.str.contains("^(00|011)")
        usual = pl.when(plain).then(pl.lit(f"+{code}") + pl.coalesce(local, full))
    frame = frame.with_columns(phone=usual)
    odd = frame.filter(pl.col("phone").is_null() & pl.col("raw").is_not_null())["raw"].unique()
    if odd.len():
        parsed = {raw: _library_phone(raw, region.upper()) for raw in odd}
        frame = frame.with_columns(
            pl.coalesce(
                pl.col("phone"),
                pl.col("raw").replace_strict(parsed, default=None, return_dtype=pl.String),
            ).alias("phone")
        )
    return frame["phone"].alias(name)


# Names -----------------------------------------------------------------------------------------

_PARTICLE_WORDS = """
    de du des d' da das do dos del della di la las le les los van von vom zu zur den der ter ten el al
    ben bin ibn mac mc saint san santa st y e i
"""
_PARTICLES = frozenset(_PARTICLE_WORDS.split())


def split_name(name: str) -> tuple[str | None, str | None]:
    """A name in one field -> (first name, last name).

    In this order: "Last, First" is split at the comma; words in capitals next to words that are not
    are the last name ("DUPONT Marie", "Marie DE LA TOUR"); otherwise the last word is the last name, with the
    particles before it ("Anna van der Berg"). A single word is a first name. This is right for most names and
    wrong for some (two Spanish surnames): an ERP with two fields should be read from two fields.
    """
    if name.strip() in BLANK:
        return None, None
    if is_unreadable(name):
        # both names are unknown: the canonical form of the records says so of each
        return name, name
    if len(name) > _LONGEST_NAME:
        return TOO_LONG, TOO_LONG
    before, comma, after = name.partition(",")
    if comma and before.strip() and after.strip():
        return " ".join(after.split()), " ".join(before.split())
    parts = name.replace(",", " ").split()
    if not parts:
        return None, None
    if len(parts) == 1:
        return parts[0], None
    loud = [len(p) > 1 and p.isupper() for p in parts]
    if any(loud) and not all(loud):
        first = " ".join(p for p, capitals in zip(parts, loud, strict=True) if not capitals)
        return first, " ".join(p for p, capitals in zip(parts, loud, strict=True) if capitals)
    at = len(parts) - 1
    while at > 1 and word(parts[at - 1]) in _PARTICLES:
        at -= 1
    return " ".join(parts[:at]), " ".join(parts[at:])


def joined(*names: str | None) -> str | None:
    """Parts of one name as one; if one of them cannot be read, the whole cannot (R3)."""
    parts = [name for name in names if name]
    return next((name for name in parts if is_unreadable(name)), " ".join(parts)) or None


#: Characters of a first and last name together; a longer one cannot be read.
_LONGEST_NAME = 500


def split_names(values: pl.Series) -> pl.DataFrame:
    """Names in one field -> columns `first_name` and `last_name`, row by row (rule: `split_name`)."""
    distinct = values.drop_nulls().unique()
    pairs = [split_name(v) for v in distinct]
    table = pl.DataFrame(
        {
            "name": distinct,
            "first_name": pl.Series([p[0] for p in pairs], dtype=pl.String),
            "last_name": pl.Series([p[1] for p in pairs], dtype=pl.String),
        }
    )
    return (
        pl.DataFrame({"name": values.cast(pl.String)})
        .join(table, on="name", how="left", maintain_order="left")
        .select("first_name", "last_name")
    )
