"""R23: similar records: two cards of one club that look like one person. Pure, vectorised, no I/O.

Who is compared with whom is decided by *blocking keys*: two records are compared when they share one:
the telephone, the birth date, the email before its @, or the whole name, as it is spoken and in any
order. So the work grows with the number of records, not with its square, and of two near things one has
to be exact: a slip in the name and another in the birth date, with no telephone, are not found.

A compared pair gains *bits* for each thing that agrees and loses some for each that contradicts
(Fellegi and Sunter's weights, set by hand): a bit doubles the odds that the two are one person. It is
suggested from `THRESHOLD` bits on. The weights are such that

- names alone never suffice (14 bits at most), nor does anything without them; near names and one more
  agreement do: telephone, birth date, or the email's local part;
- a telephone and a family name are a household (15 bits), not a person, and another first name takes
  away more than all that a family shares, twins included;
- a first name with another ending (Louis and Louise, Julien and Julie, Christian and Christine) is
  more often a couple than a slip, and needs more than the telephone;
- another birth date takes away more than a telephone gives: father and son of one name are two;
- a family name that changed (marriage) passes where first name, telephone and birth date agree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence

import polars as pl
import xxhash

#: What is compared. `email` is the normalised one.
PEOPLE = pl.Schema(
    {
        "erp_id": pl.String(),
        "first_name": pl.String(),
        "last_name": pl.String(),
        "phone": pl.String(),
        "birth_date": pl.Date(),
        "email": pl.String(),
    }
)
KEYS = pl.Schema({"erp_id": pl.String(), "key": pl.Int64()})
#: Each pair once, `a` < `b` as text. `score` is from 0.5 (just enough) to 1; `reasons` are codes, worded
#: in `expectations/base.json`.
PAIRS = pl.Schema(
    {
        "a": pl.String(),
        "b": pl.String(),
        "score": pl.Float64(),
        "reasons": pl.List(pl.String()),
    }
)

#: A key that more records of a club share than this says nothing of a person (the reception's own
#: telephone, 1 January 1900): it makes no pairs, and its value counts as missing.
CROWD = 100

#: Bits from which a pair is suggested: about the odds, of those who share a key, of being one person.
THRESHOLD = 17.0
#: What each level of agreement is worth (levels: `_levels`); what is missing on a side is worth nothing.
FIRST = {
    "same": 6.0,
    "sound": 5.0,
    "one": 4.0,
    "few": 1.0,
    "ending": 1.0,
    "part": 3.0,
    "far": -3.0,
    "other": -14.0,
}
LAST = {
    "same": 8.0,
    "sound": 8.0,
    "one": 8.0,
    "few": 6.0,
    "part": 6.0,
    "far": -2.0,
    "other": -5.0,
}
#: Each of two names that stand in one another's place: between the two, less half a bit.
CROSSED = {level: (FIRST[level] + LAST[level] - 1) / 2 for level in LAST}
PHONE = {"same": 7.0, "one": 4.0, "other": -2.0}
BIRTH = {"same": 12.0, "one": 5.0, "other": -8.0}
LOCAL = {"same": 6.0, "one": 4.0, "other": 0.0}
#: An email made of the person's own names says little beyond the names.
LOCAL_OF_NAMES = {"same": 4.0, "one": 3.0, "other": 0.0}
#: Each field of further evidence.
EXTRA = {"same": 6.0, "one": 5.0, "few": 4.0, "other": -1.0}

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
#: What becomes of most letters, at a tenth of the time.
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_SOUNDS = (("ph", "f"), ("qu", "k"), ("ck", "k"), ("c", "k"), ("h", ""), ("y", "i"), ("z", "s"))
PHONE_DIGITS = 9


def plain(text: str) -> str:
    """A name without case, accents and marks: its parts in letters and digits, a space between them."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    folded = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    kept = (c if c.isalnum() else " " for c in folded if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def sound(text: str) -> str:
    """A plain name as it is spoken, near enough: Sophie and Sofie, Matthieu and Mathieu are one."""
    for written, spoken in _SOUNDS:
        text = text.replace(written, spoken)
    return "".join(c for c, before in zip(text, " " + text, strict=False) if c != before)


def keys(people: pl.DataFrame, extra: Sequence[str] = ()) -> pl.DataFrame:
    """The blocking keys of records.

    :param people: `PEOPLE`, and the `extra` columns (`score`).
    :returns: `KEYS`: 64-bit hashes, the same in every version and on every machine; no row twice.
    """
    rows = []
    for row in _prepared(people, extra).iter_rows(named=True):
        texts = [f"{kind} {row[kind]}" for kind in ("phone", "birth", "local") if row[kind]]
        if row["whole"]:
            texts.append(f"name {sound(row['whole'])}")
        texts += [f"{name} {row[name]}" for name in extra if row[name]]
        rows += [(row["erp_id"], _hash(text)) for text in dict.fromkeys(texts)]
    return pl.DataFrame(rows, schema=KEYS, orient="row")


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode()) - (1 << 63)


def crowded(of: pl.DataFrame) -> pl.Series:
    """The keys that too many of these records share (`CROWD`).

    :param of: `KEYS`.
    """
    return of.group_by("key").len().filter(pl.col("len") > CROWD)["key"]


def candidates(of: pl.DataFrame, among: pl.DataFrame) -> pl.DataFrame:
    """The pairs that share a key.

    :param of: `KEYS` of the records whose pairs are wanted.
    :param among: `KEYS` of all records that have one of those keys, these included; no crowded ones.
    :returns: a, b: each pair once, `a` < `b`, in order.
    """
    return (
        of.lazy()
        .join(among.lazy(), on="key", how="inner", suffix="_b")
        .filter(pl.col("erp_id") != pl.col("erp_id_b"))
        .select(
            a=pl.min_horizontal("erp_id", "erp_id_b"), b=pl.max_horizontal("erp_id", "erp_id_b")
        )
        .unique()
        .sort("a", "b")
        .collect()
    )


def without_crowds(people: pl.DataFrame, crowds: pl.Series) -> pl.DataFrame:
    """People without the telephones, birth dates and emails that a crowd shares.

    :param crowds: keys, of `crowded`.
    """
    if crowds.is_empty():
        return people
    kinds = {"phone": "phone", "birth": "birth_date", "local": "email"}
    facts, out = _prepared(people, ()), set(crowds)
    blanks = []
    for kind, column in kinds.items():
        shared = [value and _hash(f"{kind} {value}") in out for value in facts[kind]]
        mask = pl.Series(shared, dtype=pl.Boolean).fill_null(False)
        blanks.append(pl.when(~mask).then(column).alias(column))
    return people.with_columns(blanks)


def pairs(people: pl.DataFrame, extra: Sequence[str] = ()) -> pl.DataFrame:
    """All pairs to suggest among these people.

    :param people: `PEOPLE`, and the `extra` columns (`score`).
    :returns: `PAIRS`.
    """
    own = keys(people, extra)
    crowds = crowded(own)
    own = own.filter(~pl.col("key").is_in(crowds.implode()))
    return score(candidates(own, own), without_crowds(people, crowds), extra)


def score(compared: pl.DataFrame, people: pl.DataFrame, extra: Sequence[str] = ()) -> pl.DataFrame:
    """Weigh pairs; those below the threshold are left out.

    :param compared: a, b.
    :param people: `PEOPLE` of everybody named in them, and the `extra` columns: further texts that two
        cards of one person agree in (an address, a postcode), for sources that have some. The sync
        keeps no such field (R19) and so gives none.
    :returns: `PAIRS`, in the order of `compared`.
    """
    if compared.is_empty():
        return PAIRS.to_frame()
    named = pl.concat([compared["a"], compared["b"]]).unique()
    people = people.filter(pl.col("erp_id").is_in(named.implode()))
    straight = _bits("first", FIRST) + _bits("last", LAST)
    crossed = (
        pl.when("whole")
        .then(13.0)
        .otherwise(_bits("cross_1", CROSSED, None) + _bits("cross_2", CROSSED, None))
    )
    return (
        _compared(compared, people, extra)
        .with_columns(straight=straight, crossed=crossed)
        .with_columns(
            swapped=(pl.col("crossed") > pl.col("straight")).fill_null(False),
            bits=pl.max_horizontal("straight", "crossed") + _bits_beyond_names(extra),
        )
        .filter(pl.col("bits") >= THRESHOLD)
        .select(
            "a",
            "b",
            score=(1 / (1 + (2.0 ** (THRESHOLD - pl.col("bits"))))).round(3),
            reasons=_reasons(extra),
        )
        .cast(PAIRS)
    )


def _compared(compared: pl.DataFrame, people: pl.DataFrame, extra: Sequence[str]) -> pl.DataFrame:
    """The pairs with their levels of agreement.

    :returns: a, b; first, last, cross_1 (first name of a, last name of b), cross_2 (`_levels`); phone, birth,
        local, and the extra columns (`_codes`); whole (all parts of the names are the same, in any order);
        own_local (both emails are made of the names).
    """
    facts = _prepared(people, extra)
    a, b = (
        compared.select(erp_id=side).join(facts, on="erp_id", how="left", maintain_order="left")
        for side in ("a", "b")
    )
    names = {
        "first": (a["first"], b["first"]),
        "last": (a["last"], b["last"]),
        "cross_1": (a["first"], b["last"]),
        "cross_2": (a["last"], b["first"]),
    }
    codes = {name: (a[name], b[name]) for name in ("phone", "birth", "local", *extra)}
    return compared.select("a", "b").with_columns(
        **_stacked(_levels, names),
        **_stacked(_codes, codes),
        whole=(a["whole"] == b["whole"]).fill_null(False),
        own_local=(a["own_local"] & b["own_local"]).fill_null(False),
    )


def _bits_beyond_names(extra: Sequence[str]) -> pl.Expr:
    local = pl.when("own_local").then(_bits("local", LOCAL_OF_NAMES))
    bits = _bits("phone", PHONE) + _bits("birth", BIRTH) + local.otherwise(_bits("local", LOCAL))
    for name in extra:
        bits = bits + _bits(name, EXTRA)
    return bits


def _bits(column: str, weights: Mapping[str, float], missing: float | None = 0.0) -> pl.Expr:
    return pl.col(column).replace_strict(weights, default=missing, return_dtype=pl.Float64)


def _reasons(extra: Sequence[str]) -> pl.Expr:
    """What speaks for the pair, the strongest first, as codes."""
    first, last, swapped = pl.col("first"), pl.col("last"), pl.col("swapped")
    alike = ["sound", "one", "few", "ending"]
    one = ((first == "one") & (last == "same")) | ((first == "same") & (last == "one"))
    names = (
        pl.when(swapped)
        .then(pl.lit("names_swapped"))
        .when((first == "same") & (last == "same"))
        .then(pl.lit("same_name"))
        .when(one)
        .then(pl.lit("names_one_letter"))
        .when(first.is_in(["same", "part", *alike]) & last.is_in(["same", "part", *alike]))
        .then(
            pl.when((first == "part") | (last == "part"))
            .then(pl.lit("names_part"))
            .otherwise(pl.lit("names_near"))
        )
        .when(first.is_in(["same", *alike]))
        .then(pl.lit("same_first_name"))
        .when(last.is_in(["same", *alike]))
        .then(pl.lit("same_last_name"))
    )

    def tell(column: str, name: str) -> list[pl.Expr]:
        return [
            pl.when(pl.col(column) == "same")
            .then(pl.lit(f"same_{name}"))
            .when(pl.col(column).is_in(alike))
            .then(pl.lit(f"near_{name}"))
        ]

    further = pl.any_horizontal(
        [pl.col(n).is_in(["same", *alike]) for n in extra] or [pl.lit(False)]
    )
    said = [
        *tell("phone", "phone"),
        *tell("birth", "birth_date"),
        *tell("local", "email"),
        pl.when(further).then(pl.lit("same_address")),
        names,
    ]
    return pl.concat_list(said).list.drop_nulls()


def _prepared(people: pl.DataFrame, extra: Sequence[str]) -> pl.DataFrame:
    """What is compared: null where there is nothing.

    :returns: erp_id; first, last (plain, parts apart); whole (all parts of the names, sorted; null for
        fewer than two); phone (the last digits); birth (YYYYMMDD); local (letters and digits before @ and
        +); own_local (it is made of the names); and the extra columns, plain.
    """
    rows = people.select(
        "erp_id",
        first=_each(people["first_name"], plain),
        last=_each(people["last_name"], plain),
        phone=pl.col("phone").str.replace_all(r"\D", "").str.tail(PHONE_DIGITS),
        birth=pl.col("birth_date").dt.strftime("%Y%m%d"),
        local=pl.col("email").str.extract(r"^([^@+]+)").str.replace_all(r"[^\p{L}\p{N}]", ""),
        **{name: _each(people[name], plain) for name in extra},
    ).with_columns(
        phone=pl.when(pl.col("phone").str.len_chars() >= 6).then("phone"),
        local=pl.when(pl.col("local").str.len_chars() >= 4).then("local"),
    )
    parts = pl.concat_str("first", "last", separator=" ", ignore_nulls=True).str.split(" ")
    made = [
        None if email is None else made_of(email, last or "", first or "")
        for email, last, first in rows.select("local", "last", "first").iter_rows()
    ]
    return rows.with_columns(
        whole=pl.when(parts.list.len() >= 2).then(parts.list.sort().list.join(" ")),
        own_local=pl.Series(made, dtype=pl.Boolean),
    )


def made_of(local: str, *names: str) -> bool:
    """Whether an email's local part is these names, one of them perhaps as its initial."""
    for name in names:
        local = local.replace(name.replace(" ", ""), "", 1)
    return len(local) <= 1 and not local.isdigit()


def _each(texts: pl.Series, function: Callable[[str], str]) -> pl.Series:
    """A function of each distinct text; blank becomes null."""
    distinct = texts.drop_nulls().unique()
    table = {text: function(text) or None for text in distinct}
    return texts.replace_strict(table, default=None, return_dtype=pl.String)


def _stacked(
    level_of: Callable[[pl.DataFrame], pl.Series],
    columns: Mapping[str, tuple[pl.Series, pl.Series]],
) -> dict[str, pl.Series]:
    """The levels of several columns in one go: for a few pairs, most of the cost is that of each call.

    :param level_of: from `column`, `x`, `y` to a level each.
    """
    rows = pl.concat(
        pl.DataFrame({"x": x.rename("x"), "y": y.rename("y")}).with_columns(column=pl.lit(name))
        for name, (x, y) in columns.items()
    )
    levels, height = level_of(rows), rows.height // len(columns)
    return {name: levels.slice(n * height, height) for n, name in enumerate(columns)}


def _distances(left: pl.Series, right: pl.Series) -> pl.Series:
    """Slips between texts, pairwise: a letter more, less, other, or two letters in the wrong order; Int64."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cpdist

    found = cpdist(left.fill_null("").to_list(), right.fill_null("").to_list(), scorer=OSA.distance)
    return pl.Series(found, dtype=pl.Int64)


def _levels(pairs: pl.DataFrame) -> pl.Series:
    """How much two names are alike, pairwise.

    :param pairs: `x` and `y`, plain texts, of a `column`; a different ending is told from a misspelling in
        first names only.
    :returns: "same"; "sound", spoken alike; "one" letter apart; "ending", alike but for the last letters;
        "few", two letters apart in long names; "part", one has a part more (Anne and Anne-Marie);
        "far", hardly alike; "other"; null where one is missing, or is the other's initial.
    """
    x, y = pl.col("x"), pl.col("y")
    slips, shorter, longer = pl.col("slips"), pl.col("shorter"), pl.col("longer")
    stem = pl.max_horizontal(shorter - 2, pl.lit(3))
    ending = (
        pl.col("endings") & (slips <= 3) & (longer >= 4) & (x.str.head(stem) == y.str.head(stem))
    )
    # Invité 1 and Invité 2 are numbered, not misspelt
    numbered = x.str.replace_all(r"\D", "") != y.str.replace_all(r"\D", "")
    level = (
        pl.when(x.is_null() | y.is_null())
        .then(None)
        .when(slips == 0)
        .then(pl.lit("same"))
        .when(numbered)
        .then(pl.lit("other"))
        .when((shorter == 1) & (x.str.head(1) == y.str.head(1)))
        .then(None)
        .when((shorter >= 3) & pl.col("spoken"))
        .then(pl.lit("sound"))
        .when(ending)
        .then(pl.lit("ending"))
        .when((slips == 1) & (longer >= 4))
        .then(pl.lit("one"))
        .when((slips == 2) & (shorter >= 6))
        .then(pl.lit("few"))
        .when((shorter >= 3) & pl.col("part"))
        .then(pl.lit("part"))
        .when((slips <= 3) & (slips * 2 <= shorter))
        .then(pl.lit("far"))
        .otherwise(pl.lit("other"))
    )
    return _measured(pairs).select(level=level)["level"]


def _measured(pairs: pl.DataFrame) -> pl.DataFrame:
    """Names side by side, without blanks: x, y; endings (they are first names), part (one is a part of the other),
    shorter, longer (letters), slips, spoken (alike)."""
    x, y = pl.col("x"), pl.col("y")
    rows = (
        pairs.select("column", x=" " + x + " ", y=" " + y + " ")
        .select(
            endings=pl.col("column") == "first",
            part=x.str.contains(y, literal=True) | y.str.contains(x, literal=True),
            x=x.str.replace_all(" ", "", literal=True),
            y=y.str.replace_all(" ", "", literal=True),
        )
        .with_columns(
            shorter=pl.min_horizontal(pl.col("x", "y").str.len_chars()).cast(pl.Int64),
            longer=pl.max_horizontal(pl.col("x", "y").str.len_chars()).cast(pl.Int64),
        )
    )
    return rows.with_columns(
        slips=_distances(rows["x"], rows["y"]),
        spoken=_each(rows["x"], sound) == _each(rows["y"], sound),
    )


def _codes(pairs: pl.DataFrame) -> pl.Series:
    """Telephones, birth dates, email names and further texts, pairwise.

    :param pairs: `x` and `y`, of a `column`.
    :returns: "same"; "one" slip apart (day and month in each other's place are one); of further texts
        "few", no more than a letter in four; "other"; null where one is missing.
    """
    x, y, column = pl.col("x"), pl.col("y"), pl.col("column")
    turned = x.str.slice(0, 4) + x.str.slice(6, 2) + x.str.slice(4, 2)
    longer = pl.max_horizontal(x.str.len_chars(), y.str.len_chars())
    slips = pl.col("slips")
    # marie.dupont and marie.dupont2 are two who wanted one address
    numbered = (column == "local") & (x.str.replace_all(r"\D", "") != y.str.replace_all(r"\D", ""))
    return pairs.with_columns(slips=_distances(pairs["x"], pairs["y"])).select(
        level=pl.when(x.is_null() | y.is_null())
        .then(None)
        .when(slips == 0)
        .then(pl.lit("same"))
        .when(((slips == 1) & ~numbered) | ((column == "birth") & (turned == y)))
        .then(pl.lit("one"))
        .when(~column.is_in(["phone", "birth", "local"]) & (slips * 4 <= longer))
        .then(pl.lit("few"))
        .otherwise(pl.lit("other"))
    )["level"]
