"""R20: a person's data goes from everywhere; a keyed hash stays, so that the next sync does not bring it back."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from clubsync.errors import ActionRejected
from clubsync.manual.erasure import erase
from tests.support.club import Club

SECRET = "vanish@x.fr"


def _erase(club: Club, who: str) -> dict[str, Any]:
    return erase(club._base, club.pipeline().store, club.config, who, by="somebody")


def _loaded(club: Club) -> None:
    club.erp.put("1", "stay@x.fr", first_name="Stay")
    club.erp.put("2", SECRET, first_name="Vanisha", last_name="Goner", phone="+33600000002")
    club.sync()
    club.erp.change("2", phone="+33600000003")
    club.erp.put("3", SECRET, first_name="Double", status="active")
    club.sync()
    club.erp.remove("3")
    club.sync()


def _traces(club: Club) -> list[str]:
    """Where a name, the email or a phone of the erased person still stands."""
    needles = (SECRET, "Vanisha", "Goner", "60000000")
    found = []
    tables = club.rows(
        "select table_schema, table_name from information_schema.columns "
        "where table_schema in ('base', 'sync') and column_name = 'club'"
    )
    for schema, table in tables:
        rows = club.rows(f"select * from {schema}.{table}")
        if any(needle in str(row) for row in rows for needle in needles):
            found.append(f"{schema}.{table}")
    store = club._store
    files = {path: str(pl.read_parquet(path).to_dicts()) for path in store.rglob("*.parquet")}
    return found + [p.name for p, text in files.items() if any(n in text for n in needles)]


def test_r20_nothing_of_the_person_is_left(club: Club) -> None:
    """ "from base, ERP mirror, audit, findings, holds and stored snapshots"."""
    _loaded(club)
    assert _traces(club)
    made = _erase(club, SECRET.upper())
    assert made["customers"] == 1
    assert _traces(club) == []
    assert club.inside() == {"1"}


def test_r20_the_next_sync_does_not_bring_them_back(club: Club) -> None:
    """ "while the ERP still sends that record"."""
    _loaded(club)
    _erase(club, SECRET)
    club.sync()
    club.erp.change("2", first_name="Vanisha II")
    club.sync()
    assert club.inside() == {"1"}
    assert _traces(club) == []
    answer = club.why(SECRET)
    assert (answer["verdict"], answer["reasons"]) == ("out", ["erased"])


def test_r20_a_new_erp_id_lifts_it(club: Club) -> None:
    """ "a new ERP id ... lifts it": somebody signed up anew."""
    _loaded(club)
    _erase(club, "2")
    club.erp.remove("2")
    club.erp.put("9", SECRET)
    club.sync()
    assert club.inside() == {"1", "9"}


def test_r20_adding_them_by_hand_lifts_it(club: Club) -> None:
    """ "or a person adding them by hand": the ERP's record is theirs again."""
    _loaded(club)
    _erase(club, "2")
    club.sync()
    customer = club.add_by_hand(SECRET)
    club.sync()
    assert club.base()["2"]["id"] == customer


def test_r20_the_audit_keeps_that_it_happened(club: Club) -> None:
    _loaded(club)
    _erase(club, "2")
    rows = club.rows(
        "select kind, erp_id, before, after, actor from sync.change where kind = 'erasure'"
    )
    assert rows == [("erasure", None, None, None, "somebody")]


def test_r20_of_nobody_is_refused(club: Club) -> None:
    _loaded(club)
    with pytest.raises(ActionRejected, match="No customer or ERP record"):
        _erase(club, "nobody@x.fr")
