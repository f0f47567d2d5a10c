"""The club's packed record index: patches beside the whole say what a whole would say."""

from __future__ import annotations

import random
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clubsync.manual import erasure
from clubsync.store import record_index
from clubsync.store.record_index import RECORD_INDEX
from tests.support.club import Club

_rows = st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 3), max_size=8)


def _frame(rows: dict[str, int | None]) -> pl.DataFrame:
    """Rows by erp_id, with a row hash; None takes the record out."""
    columns = {"erp_id": list(rows), "row_hash": list(rows.values())}
    schema = {"erp_id": pl.String, "row_hash": pl.UInt64}
    missing = [pl.lit(None, dtype=t).alias(n) for n, t in RECORD_INDEX.items() if n not in columns]
    return pl.DataFrame(columns, schema=schema).with_columns(missing).select(RECORD_INDEX.names())


@given(_rows, st.lists(_rows, max_size=4))
def test_patches_end_where_a_dictionary_would(
    whole: dict[str, int | None], patches: list[dict[str, int | None]]
) -> None:
    kept = {k: v for k, v in whole.items() if v is not None}
    packed = _frame(dict(sorted(kept.items())))
    for patch in patches:
        kept = {k: v for k, v in {**kept, **patch}.items() if v is not None}
        packed = record_index.patched(packed, _frame(patch))
    assert packed["erp_id"].to_list() == sorted(kept)
    assert dict(packed.select("erp_id", "row_hash").iter_rows()) == kept


def test_an_email_is_found_by_its_key() -> None:
    emails = pl.Series("email", ["a@x.fr", None, "b@x.fr", "a@x.fr"])
    known = _frame({"1": 1, "2": 2, "3": 3, "4": 4}).with_columns(record_index.email_keys(emails))
    assert record_index.by_email(known, ["a@x.fr", "nobody@x.fr"]) == ["1", "4"]
    assert record_index.by_email(known, []) == []


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 10))]
)
def test_the_index_stays_what_the_mirror_says(
    club: Club, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whole and patches, over complete and partial readings and an erasure: ids, hashes and emails are those
    of the mirror's records that are in the ERP, and a duplicate is found by an email that no row moved with."""
    monkeypatch.setattr(record_index, "PATCHED_FROM", 10)
    monkeypatch.setattr(record_index, "_LARGEST_SHARE", 10)
    monkeypatch.setattr(record_index, "_MOST_PATCHES", 4)
    dice, patches = random.Random(seed), set()
    for i in range(30):
        club.erp.put(f"{i:02}", f"p{i}@x.fr")
    club.sync()
    for turn in range(8):
        for i in dice.sample(range(34), 3):
            if f"{i:02}" in club.erp.records and dice.random() < 0.3:
                club.erp.remove(f"{i:02}")
            else:
                club.erp.put(f"{i:02}", dice.choice([None, f"p{dice.randrange(34)}@x.fr"]))
        club.later()
        club.sync(lost=tuple(dice.sample(sorted(club.erp.records), 2)) if turn % 3 == 2 else ())
        if turn == 8:
            pipeline = club.pipeline()
            erasure.erase(pipeline.base, pipeline.store, club.config, "07")
        patches.add(
            club.rows(
                "select count(*) from sync.club_vector where club = %s and part > 0", club.number
            )[0][0]
        )
        with club.pipeline().base.club(club.number) as driver:
            known = record_index.read(driver, club.number)
        mirror = club.rows(
            "select erp_id, row_hash, email_norm from sync.erp_customer"
            " where club = %s and gone_at is null order by erp_id",
            club.number,
        )
        assert known["erp_id"].to_list() == [row[0] for row in mirror]
        assert known["row_hash"].reinterpret(signed=True).to_list() == [row[1] for row in mirror]
        keys = record_index.email_keys(pl.Series([row[2] for row in mirror], dtype=pl.String))
        assert known["email_key"].to_list() == keys.to_list()
    assert {0, 3} <= patches  # it was patched, and written anew


@given(_rows, _rows)
def test_the_earliest_day_is_of_the_patched_index(
    whole: dict[str, int | None], patch: dict[str, int | None]
) -> None:
    """`_rows` give the day, or none, instead of the row hash."""

    def dated(rows: dict[str, int | None]) -> pl.DataFrame:
        days = [None if n is None else date(2026, 3, 1 + n) for n in rows.values()]
        frame = _frame(dict.fromkeys(rows, 1))
        return frame.with_columns(pl.Series("next_date", days, dtype=pl.Date))

    known, news = dated(dict(sorted(whole.items()))), dated(patch)
    expected = record_index.patched(known, news)["next_date"].min()
    assert record_index.earliest(known, news) == expected
