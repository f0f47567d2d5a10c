"""Another club, synced in one batch with the club under test (R25), and its own model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from clubsync.config import Guard
from clubsync.model import Proof
from tests.support.club import Club
from tests.support.hands import Hands
from tests.support.memory import FORMER_GROUP, canonical, group_list
from tests.support.narrow import present
from tests.support.rules import NewClub
from tests.support.words import Record, Snapshot

_MOMENT = Proof(certified=True, absence=True)


class Neighbour:
    """A club in which nothing is done by hand. Its ERP has the ids, emails and groups of the club under test.

    It is one reading behind, so that records of the same id and email are in another state.
    """

    def __init__(self, new_club: NewClub, limit: int) -> None:
        guard = Guard(share=0, at_least=limit, at_most=limit)
        self.club: Club = new_club(former_groups=(FORMER_GROUP,), timezone="UTC", guard=guard)
        self.club.pipeline().club_no(self.club.config)
        self._model = Hands(limit)
        self._readings = 0
        self._shown: Mapping[str, Record] = {}
        self._groups: Mapping[str, bool | None] = {}

    def show(self, records: Mapping[str, Record], groups: Mapping[str, bool | None]) -> None:
        """What the next reading shows. :param records: of the club under test, one reading ago."""
        self._shown, self._groups = dict(records), dict(groups)
        write_erp(self.club, self._shown, self._groups)

    def loaded(self) -> None:
        """Tell the model what was loaded just now, and compare."""
        step = present(self.club.last)
        assert step["error"] is None, step
        self._readings += 1
        at: datetime = self.club.now
        snapshot = Snapshot(self._shown, self._groups, True, at, self._readings, _MOMENT)
        run = present(step["run"])
        self._model.run(run, snapshot)
        base = self.club.base().values()
        self._model.name(run, {row["erp_id"]: row["id"] for row in base if row["erp_id"]})
        assert {row["id"]: _row(row) for row in base} == {
            c.number: (
                *(c.erp_id, c.email, c.inside, set(c.groups), c.detached),
                *(c.phone, c.first, c.last),
            )
            for c in self._model.base
        }


def _row(row: Mapping[str, object]) -> tuple[object, ...]:
    groups = row["groups"]
    assert isinstance(groups, list)
    return (
        *(row["erp_id"], row["email"], row["in_customers_group"], set(groups), row["detached"]),
        *(row["phone"], row["first_name"], row["last_name"]),
    )


def write_erp(club: Club, records: Mapping[str, Record], groups: Mapping[str, bool | None]) -> None:
    """Let a club's ERP have these records and groups."""
    club.erp.records = {}
    for i, record in records.items():
        row = canonical(i, record)
        row["groups"] = [(g["id"], g["valid_until"]) for g in row["groups"]]
        club.erp.records[i] = row
    club.erp.groups = {g["id"]: g for g in group_list(dict(groups))}
