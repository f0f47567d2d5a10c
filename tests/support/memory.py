"""The club base and the mirror in memory: facts and diff without a database, for thousands of runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypedDict, Unpack

import polars as pl

from clubsync.diff import plan, situations
from clubsync.load.records import spans_as_json, unreadable_as_json
from clubsync.model import BASE, FINDINGS, SIGNS, VANISHED, Plan, Policy
from clubsync.store import record_index
from clubsync.store.snapshots import Snapshot, prepare
from clubsync.validate import affected, facts
from clubsync.validate.source import MIRROR
from connectors.sdk.model import (
    GROUP_SCHEMA,
    Consistency,
    Reading,
    assemble,
    customers_frame,
    groups_frame,
)
from tests.support.situations import check_table
from tests.support.words import Record

FORMER_GROUP = "ex"
_AS_OF = datetime(2026, 3, 2, tzinfo=UTC)


class Walked(TypedDict, total=False):
    """How a snapshot was read; none of it: in one piece.

    :param number: of the reading; of readings that follow one another, it rises.
    :param consistency, memberships: see `store.snapshots.Snapshot`.
    """

    number: int
    consistency: str
    memberships: str | None


def canonical(erp_id: str, record: Record) -> dict[str, Any]:
    """A record of the model as a connector gives it."""
    held: list[tuple[str, date | None]] = list(record.groups.items())
    if record.former:
        held.append((FORMER_GROUP, None))
    return {
        "erp_id": erp_id,
        "email": record.email,
        "first_name": record.first,
        "last_name": record.last,
        "birth_date": record.born,
        "phone": record.phone,
        "status": record.status,
        "groups": [{"id": g, "valid_from": None, "valid_until": d} for g, d in held],
        "guardian_id": record.guardian,
        "replaced_by": record.replaced_by,
    }


def group_list(groups: Mapping[str, bool | None]) -> list[dict[str, Any]]:
    """The model's groups as a connector gives them, with the group of former customers."""
    return [{"id": g, "name": g, "active": on} for g, on in {**groups, FORMER_GROUP: True}.items()]


class Memory:
    """What a load leaves behind, applied from plans."""

    def __init__(self, *, group_required: bool = False) -> None:
        self.group_required = group_required
        #: (erp_id, sign) -> the number of the reading that showed it first (R14).
        self.suspicions: dict[tuple[str, str], int] = {}
        self.mirror: dict[str, dict[str, Any]] = {}
        self.base: dict[int, dict[str, Any]] = {}
        self.groups = GROUP_SCHEMA.to_frame()
        self._numbers = itertools.count(1)

    def sync(
        self,
        shown: Mapping[str, Record],
        groups: Mapping[str, bool | None],
        whole: bool,
        today: date,
        **how: Unpack[Walked],
    ) -> Plan:
        """One run over everything; the plan is applied."""
        return self.take_in(self.snapshot(shown, groups, whole, **how), today)

    def take_in(self, snapshot: Snapshot, today: date) -> Plan:
        """Plan and apply; what became of each record is what the table of cases says of its situation."""
        found = self.situations(snapshot, today)
        made = self.plan(snapshot, today)
        before = {number: dict(row) for number, row in self.base.items()}
        self._apply(made, snapshot)
        check_table(found, before, self.base)
        return made

    def snapshot(
        self,
        shown: Mapping[str, Record],
        groups: Mapping[str, bool | None],
        whole: bool,
        **how: Unpack[Walked],
    ) -> Snapshot:
        rows = [canonical(i, record) for i, record in shown.items()]
        reading = assemble(
            customers_frame(rows),
            groups_frame(group_list(groups)),
            as_of=_AS_OF,
            paged=True,
            pages=1,
        )
        customers, digest = prepare(reading)
        number = how.get("number", 1)
        listed = reading.groups
        return Snapshot(
            *("club", number, _AS_OF, whole, customers, listed, (), digest, ""),
            consistency=how.get("consistency", Consistency.MOMENT),
            memberships=how.get("memberships"),
        )

    def read(self, reading: Reading, number: int, today: date) -> Plan:
        """Take in a reading; each ends before the next one begins."""
        customers, digest = prepare(reading)
        moment = _AS_OF + timedelta(minutes=number)
        snapshot = Snapshot(
            "club",
            number,
            moment,
            reading.certificate.complete,
            customers,
            reading.groups,
            reading.conflicting_ids,
            digest,
            "",
            consistency=str(reading.consistency),
            memberships=reading.memberships.proof if reading.memberships else None,
        )
        return self.take_in(snapshot, today)

    def plan(self, snapshot: Snapshot, today: date) -> Plan:
        """What has to change for this snapshot."""
        evaluated, base = self.evaluated(snapshot, today), self.frame()
        proof, confirmed = snapshot.head.proof, self.confirmed(snapshot)
        return plan(evaluated, FINDINGS.to_frame(), base, proof, confirmed)

    def confirmed(self, snapshot: Snapshot) -> pl.DataFrame:
        """What an earlier certified reading has shown."""
        earlier = [key for key, number in self.suspicions.items() if number < snapshot.number]
        return pl.DataFrame(earlier if snapshot.certified else [], schema=SIGNS, orient="row")

    def situations(self, snapshot: Snapshot, today: date) -> dict[str, str]:
        """ERP id -> situation, as a plan for this snapshot finds them."""
        evaluated, base = self.evaluated(snapshot, today), self.frame()
        proof, confirmed = snapshot.head.proof, self.confirmed(snapshot)
        records = situations.resolve(evaluated, base, proof, confirmed).records
        return dict(records.select("erp_id", "situation").iter_rows())

    def frame(self) -> pl.DataFrame:
        """The base as a plan takes it."""
        return pl.DataFrame(list(self.base.values()), schema=BASE)

    def evaluated(self, snapshot: Snapshot, today: date) -> pl.DataFrame:
        """The facts of all records, shown by the snapshot or known before."""
        return facts.evaluate(*self.presented(snapshot, today))

    def presented(
        self, snapshot: Snapshot, today: date
    ) -> tuple[pl.DataFrame, pl.DataFrame, Policy]:
        """The same records without their facts, the groups in force, and the policy."""
        policy = Policy(
            today=today,
            certified=snapshot.certified,
            former_groups=frozenset({FORMER_GROUP}),
            group_required=self.group_required,
        )
        stored = self.groups.with_columns(listed=True)
        in_force, _ = affected.groups_in_force(snapshot, stored)
        mirror = pl.DataFrame(list(self.mirror.values()), schema=MIRROR)
        ids = pl.concat([snapshot.customers["erp_id"], mirror["erp_id"]]).unique()
        nobody = record_index.RECORD_INDEX.to_frame()
        records = affected.presented(
            ids, snapshot.customers, mirror, snapshot, nobody, self.confirmed(snapshot), stored
        )
        policy = affected.with_absent_groups(policy, in_force, snapshot.customers["groups"])
        return records, in_force, policy

    def _apply(self, made: Plan, snapshot: Snapshot) -> None:
        shown = set(made.next_dates["erp_id"])
        found = set(made.suspected.select(SIGNS.names()).iter_rows())
        self.suspicions = {
            key: number
            for key, number in self.suspicions.items()
            if key in found or not (snapshot.certified or key[0] in shown)
        }
        if snapshot.certified:
            self.suspicions = dict.fromkeys(found, snapshot.number) | self.suspicions
        self.groups, _ = affected.groups_in_force(snapshot, self.groups.with_columns(listed=True))
        for row in made.customers.iter_rows(named=True):
            number = next(self._numbers) if row["new"] else row["customer"]
            old = self.base.get(number) or self.blank(number)
            self.base[number] = (
                old | {k: v for k, v in row.items() if k in BASE} | {"customer": number}
            )
        rows = made.records.with_columns(
            spans_as_json("groups"),
            spans_as_json("remembered"),
            unreadable_as_json(made.records),
            pl.col("row_hash").reinterpret(signed=True),
        )
        for row in rows.iter_rows(named=True):
            vanished = row["presence"] == VANISHED
            mirrored = self.mirror.get(row["erp_id"])
            assert row["known"] == (mirrored is not None)
            if vanished:
                assert mirrored is not None
                mirrored |= {"gone": True, "access": "no", "lapsed": row["lapsed"]}
            else:
                kept = {k: v for k, v in row.items() if k in MIRROR}
                self.mirror[row["erp_id"]] = {
                    **dict.fromkeys(MIRROR),
                    **kept,
                    "gone": False,
                    "as_of": _AS_OF,
                    "snapshot": 1,
                }

    def blank(self, number: int) -> dict[str, Any]:
        """A base row that the sync has not filled yet."""
        return {
            **dict.fromkeys(BASE.names()),
            "customer": number,
            "origin": "erp",
            "in_customers_group": True,
            "groups": [],
            **dict.fromkeys(("detached", "keep"), False),
        }

    # --- what people do by hand ---------------------------------------------------------------

    def add_by_hand(self, email: str, phone: str | None) -> int:
        number = next(self._numbers)
        filled = {"email": email, "email_raw": email, "phone": phone, "origin": "manual"}
        self.base[number] = self.blank(number) | filled
        return number

    def detach(self, number: int) -> None:
        row = self.base[number]
        out = {"in_customers_group": False, "groups": [], "reason": "detached", "detached": True}
        row |= out
        if row["erp_id"] in self.mirror:
            self.mirror[row["erp_id"]]["lapsed"] = False

    def customers(self) -> Iterable[dict[str, Any]]:
        return self.base.values()
