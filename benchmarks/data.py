"""Millions of generated customers of one club in the canonical form, made with vectorised Polars and NumPy.

They have names from the sandbox, almost always unique emails (2 % missing, some shared, some in a family, some
invalid), a status, and up to two groups, of which two in five have an end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA, Reading, assemble
from sandbox.names import FR
from sandbox.world import slug

#: Long enough ago that no date in the data falls within the days of a measurement.
FIRST_DAY = date(2019, 1, 1)
GROUPS = 20
DOMAINS = tuple(f"{name}.example.{top}" for name in "abcdefghij" for top in ("com", "org", "net"))
#: Kinds of change per hundred changed records.
_NEW_EMAIL, _NEW_PHONE, _NEW_GROUP, _LEAVES, _COMES = 30, 30, 20, 10, 10


def groups() -> pl.DataFrame:
    """The groups of the ERP; the last one is inactive."""
    return pl.DataFrame(
        {
            "id": [f"g{n}" for n in range(GROUPS)],
            "name": [f"Formule {n}" for n in range(GROUPS)],
            "active": [n < GROUPS - 1 for n in range(GROUPS)],
        },
        schema=GROUP_SCHEMA,
    )


def _pick(rng: np.random.Generator, words: Sequence[str], rows: int) -> tuple[pl.Series, pl.Series]:
    """Random words, and the same words as parts of an email."""
    index = rng.integers(0, len(words), rows)
    return pl.Series(words)[index], pl.Series([slug(word) for word in words])[index]


def _spans(rng: np.random.Generator, rows: int, today: date) -> pl.Series:
    """Up to two groups per record; a few of those with dates have ended."""
    how_many = rng.choice([0, 1, 1, 1, 2], rows)
    owner = np.repeat(np.arange(rows), how_many)
    # the two groups of a record must differ
    second = np.concatenate([[False], owner[1:] == owner[:-1]]) if len(owner) else owner
    group = rng.integers(0, GROUPS // 2, len(owner)) + np.where(second, GROUPS // 2, 0)
    begins = rng.integers(-900, -30, len(owner))
    # nothing ends within a month, so that no record changes by its dates during a measurement
    ends = np.where(
        rng.random(len(owner)) < 0.1,
        rng.integers(-25, -2, len(owner)),
        rng.integers(30, 500, len(owner)),
    )
    spans = (
        pl.DataFrame(
            {
                "row": owner,
                "group": group,
                "begins": begins,
                "ends": ends,
                "dated": rng.random(len(owner)) < 0.4,
            }
        )
        .with_columns(
            id="g" + pl.col("group").cast(pl.String),
            valid_from=pl.when("dated").then(pl.lit(today) + pl.duration(days="begins")),
            valid_until=pl.when("dated").then(pl.lit(today) + pl.duration(days="ends")),
        )
        .group_by("row", maintain_order=True)
        .agg(groups=pl.struct("id", "valid_from", "valid_until"))
    )
    empty = pl.lit([], dtype=CUSTOMER_SCHEMA["groups"])
    return (
        pl.DataFrame({"row": np.arange(rows)})
        .join(spans, on="row", how="left", maintain_order="left")
        .select(pl.col("groups").fill_null(empty))
        .to_series()
    )


def customers(rows: int, *, seed: int = 1, today: date | None = None) -> pl.DataFrame:
    """Generate this many records.

    :returns: `CUSTOMER_SCHEMA`.
    """
    rng = np.random.default_rng(seed)
    today = today or datetime.now(UTC).date()
    number = np.arange(rows)
    female = rng.random(rows) < 0.5
    her, her_slug = _pick(rng, FR.female, rows)
    his, his_slug = _pick(rng, FR.male, rows)
    last, last_slug = _pick(rng, FR.last, rows)
    created = np.datetime64(FIRST_DAY, "us") + (rng.random(rows) * 2.0e8 * 1e6).astype(
        "timedelta64[us]"
    )
    status = rng.choice(
        ["active", "prospect", "paused", "former", "archived"],
        rows,
        p=[0.82, 0.04, 0.03, 0.07, 0.04],
    )
    frame = pl.DataFrame(
        {
            "number": number,
            "her": her,
            "his": his,
            "her_slug": her_slug,
            "his_slug": his_slug,
            "last_name": last,
            "last_slug": last_slug,
            "female": female,
            "domain": pl.Series(DOMAINS)[rng.integers(0, len(DOMAINS), rows)],
            "chance": rng.random(rows),
            "status": status,
            "born": rng.integers(-25000, -6000, rows),
            "created": created,
            "groups": _spans(rng, rows, today),
        }
    )
    before = pl.col("number") - 1
    frame = frame.with_columns(
        erp_id=pl.col("number").cast(pl.String).str.zfill(7),
        first_name=pl.when("female").then("her").otherwise("his"),
        own=pl.when("female").then("her_slug").otherwise("his_slug")
        + "."
        + pl.col("last_slug")
        + pl.col("number").cast(pl.String)
        + "@"
        + pl.col("domain"),
    )
    chance = pl.col("chance")
    child = (chance < 0.02) & (pl.col("number") > 0)
    twin = chance.is_between(0.02, 0.025) & (pl.col("number") > 0)
    frame = frame.with_columns(
        email=pl.when(child | twin)
        .then(pl.col("own").shift(1))
        .when(chance.is_between(0.03, 0.05))
        .then(None)
        .when(chance.is_between(0.05, 0.053))
        .then(pl.col("own").str.replace("@", " at "))
        .when(chance.is_between(0.06, 0.09))
        .then(pl.col("own").str.to_titlecase())
        .otherwise("own"),
        phone=pl.when(chance < 0.92).then(
            "+3363998" + (pl.col("number") * 7919 % 10_000).cast(pl.String).str.zfill(4)
        ),
        birth_date=pl.when(chance > 0.15).then(pl.lit(today) + pl.duration(days="born")),
        gender=pl.when("female").then(pl.lit("female")).otherwise(pl.lit("male")),
        country=pl.lit("FR"),
        guardian_id=pl.when(child).then(before.cast(pl.String).str.zfill(7)),
        created_at=pl.col("created").dt.replace_time_zone("UTC"),
        modified_at=pl.col("created").dt.replace_time_zone("UTC"),
        status_raw=pl.lit(None, dtype=pl.String),
        valid_from=pl.lit(None, dtype=pl.Date),
        valid_until=pl.lit(None, dtype=pl.Date),
        replaced_by=pl.lit(None, dtype=pl.String),
        is_company=chance > 0.99,
        placeholder=pl.lit(False),
        unreadable=pl.lit([], dtype=CUSTOMER_SCHEMA["unreadable"]),
    )
    return frame.select(pl.col(n).cast(t) for n, t in CUSTOMER_SCHEMA.items())


def changed(frame: pl.DataFrame, share: float, *, seed: int) -> pl.DataFrame:
    """The same club later: of a hundred changed records, 30 have another email, 30 another phone, 20 another
    group, 10 have left, and 10 are new.

    :param share: share of the records that change.
    """
    rng = np.random.default_rng(seed)
    moving = max(1, round(frame.height * share))
    coming = moving * _COMES // 100
    rows = rng.choice(frame.height, moving - coming, replace=False)
    bounds = np.cumsum([_NEW_EMAIL, _NEW_PHONE, _NEW_GROUP, _LEAVES]) * moving // 100
    what = np.zeros(frame.height, dtype=np.int8)
    # records left over by rounding get another email too
    what[rows] = 1
    for kind, (start, end) in enumerate(pairwise(bounds), start=2):
        what[rows[start:end]] = kind
    other = f"{seed}.example.net"
    move = pl.lit(pl.Series(what))
    spans = _spans(rng, frame.height, datetime.now(UTC).date()).rename("groups")
    later = frame.with_columns(
        email=pl.when((move == 1) & pl.col("guardian_id").is_null())
        .then(pl.lit("n") + pl.col("erp_id") + f"@{other}")
        .otherwise("email"),
        phone=pl.when(move == 2)
        .then(pl.lit("+33199000") + pl.lit(f"{seed % 1000:03d}"))
        .otherwise("phone"),
        groups=pl.when(move == 3).then(pl.lit(spans)).otherwise("groups"),
    ).filter(move != 4)
    fresh = customers(max(coming, 1), seed=seed + 1_000_000).head(coming)
    fresh = fresh.with_columns(
        erp_id=pl.lit(f"n{seed}-") + pl.col("erp_id"),
        guardian_id=pl.lit(None, dtype=pl.String),
        email=pl.lit(f"{seed}.") + pl.col("email"),
    )
    return pl.concat([later, fresh])


def reading(frame: pl.DataFrame, *, as_of: datetime | None = None) -> Reading:
    """The records as a certified reading.

    :param as_of: default: a second ago.
    """
    return assemble(
        frame,
        groups(),
        as_of=as_of or datetime.now(UTC) - timedelta(seconds=1),
        paged=False,
        pages=1,
    )
