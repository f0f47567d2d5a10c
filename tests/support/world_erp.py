"""A small ERP as its connectors meet it: over HTTP in every kind of paging, or as a file (tests only)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.csv import CsvConnector, CsvSettings
from connectors.rest import RestConnector, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.model import Reading
from tests.support.memory import FORMER_GROUP, canonical, group_list
from tests.support.paged_lists import PAGING, PagedLists, listing
from tests.support.words import PEOPLE, Record

FILE = "file"
#: Every way in which the ERP may be read.
KINDS = (*PAGING, FILE)
PAGE = 2
_CLUB = Club("gym", ZoneInfo("UTC"), "FR")
_FIELDS = {
    "id": "id",
    "email": "mail",
    "first_name": "first",
    "last_name": "last",
    "birth_date": "born",
    "phone": "tel",
    "guardian_id": "head",
    "replaced_by": "into",
}


class WorldErp:
    """The ERP of one club.

    :param records, groups: what it has at this moment.
    """

    def __init__(self) -> None:
        self.records: Callable[[], dict[str, Record]] = dict
        self.groups: Callable[[], dict[str, bool | None]] = dict
        self.between: Callable[[], None] = lambda: None
        self.newest_first = False
        self.url = ""
        self.lists = PagedLists(
            {"/people": self._people, "/passes": self._passes, "/plans": self._plans},
            lambda: self.between(),
            PAGE,
        )

    def read(self, kind: str, *, joined: bool, folder: Path, now: datetime) -> Reading:
        """One reading. :param joined: memberships are a list of their own, of the same kind."""
        self.lists.begin()
        if kind == FILE:
            return self._read_file(folder, now)
        held: dict[str, Any] = {"id": "plan", "until": "until"}
        if joined:
            held |= {"list": listing(kind, "/passes", PAGE), "customer": "who", "row": "id"}
        else:
            held |= {"at": "held"}
        plans = {
            "path": "/plans",
            "records": "rows",
            "params": {"all": 1},
            "paging": {"kind": "none", "unlimited": True},
        }
        settings = RestSettings.model_validate(
            {
                "customers": listing(kind, "/people", PAGE),
                "fields": _FIELDS,
                "status": {"at": "state", "active": ["active"], "archived": ["archived"]},
                "groups": {"held": held, "known": {"list": plans, "active": "on"}},
                "http": {"attempts": 1},
            }
        )
        return RestConnector(Connection("gym", self.url), settings, _CLUB, now=lambda: now).read(
            full=True
        )

    def _read_file(self, folder: Path, now: datetime) -> Reading:
        """What the ERP exports at one moment."""
        self._write(folder / "customers.csv", self._people())
        self._write(folder / "plans.csv", self._plans())
        os.utime(folder / "customers.csv", (now.timestamp(), now.timestamp()))
        settings = CsvSettings.model_validate(
            {
                "customers": "customers.csv",
                "fields": {**_FIELDS, "status": "state", "groups": "held", "group_separator": "|"},
                "active_status": ["active"],
                "inactive_status": ["archived"],
                "groups": {"file": "plans.csv", "id": "id", "name": "name", "active": "on"},
            }
        )
        connection = Connection("gym", folder.as_uri())
        return CsvConnector(connection, settings, _CLUB, now=lambda: now).read(full=True)

    def _write(self, path: Path, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO()
        names = list(rows[0]) if rows else ["id"]
        writer = csv.DictWriter(text, names, delimiter=";", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            if "held" in row:
                row["held"] = "|".join(span["plan"] for span in row["held"])
            writer.writerow(row)
        path.write_text(text.getvalue(), encoding="utf-8")

    # --- its lists --------------------------------------------------------------------------------

    def _people(self) -> list[dict[str, Any]]:
        rows = [
            {
                "id": int(i),
                "mail": record.email,
                "first": record.first,
                "last": record.last,
                "born": record.born.isoformat() if record.born else None,
                "tel": record.phone,
                "state": record.status,
                "head": record.guardian,
                "into": record.replaced_by,
                "held": self._spans(i, record),
            }
            for i, record in self.records().items()
        ]
        return rows[::-1] if self.newest_first else rows

    def _spans(self, i: str, record: Record) -> list[dict[str, Any]]:
        return [
            {"plan": span["id"], "until": day.isoformat() if (day := span["valid_until"]) else None}
            for span in canonical(i, record)["groups"]
        ]

    def _passes(self) -> list[dict[str, Any]]:
        rows = [
            {"id": int(i) * 1000 + sum(span["plan"].encode()) % 1000, "who": int(i), **span}
            for i, record in self.records().items()
            for span in self._spans(i, record)
        ]
        return rows[::-1] if self.newest_first else rows

    def _plans(self) -> list[dict[str, Any]]:
        rows = group_list(self.groups())
        return [{"id": g["id"], "name": g["name"], "on": g["active"]} for g in rows]


def as_records(reading: Reading) -> dict[str, Record]:
    """What a reading shows, in the words of the model."""
    names = {first: who for who, (first, _, _) in PEOPLE.items()}
    shown = {}
    for row in reading.customers.iter_rows(named=True):
        held = {span["id"]: span["valid_until"] for span in row["groups"]}
        former = FORMER_GROUP in held
        held.pop(FORMER_GROUP, None)
        shown[row["erp_id"]] = Record(
            email=row["email"],
            status=row["status"],
            groups=held,
            guardian=row["guardian_id"],
            replaced_by=row["replaced_by"],
            phone=row["phone"],
            former=former,
            who=names[row["first_name"]],
        )
    return shown
