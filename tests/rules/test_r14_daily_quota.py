"""R14 where an ERP is asked for changes most of the time: real HTTP to the simulated Mindbody, the real engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import ClubConfig, Config, Guard
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base, queries
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from sandbox import mindbody
from sandbox.faults import Fault, Faults
from tests.support.servers import serving

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


_clubs = itertools.count(1)


class Studio:
    """A club on Mindbody, whose clients the test edits."""

    def __init__(
        self, base: Base, folder: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.base, self.folder, self.faults, self._patch = base, folder, faults, monkeypatch
        self.id = f"changes-{next(_clubs)}"
        self.now = START
        self.clients: dict[int, dict[str, Any]] = {}
        self.held: dict[int, list[dict[str, Any]]] = {}
        self.site = mindbody.Site(
            "key",
            "staff",
            "secret",
            lambda: list(self.clients.values()),
            lambda barcode: self.held.get(int(barcode[1:]), []),
            lambda: [{"MembershipId": 1, "MembershipName": "Gold", "IsActive": True}],
        )
        self.url = ""

    def put(self, key: int, email: str, **fields: object) -> None:
        """Enter a client, or edit one."""
        self.held.setdefault(key, [{"MembershipId": 1, "Name": "Gold"}])
        self.clients[key] = {
            "UniqueId": key,
            "Id": f"B{key}",
            "Active": True,
            "Status": "Active",
            "Email": email,
            "FirstName": f"First{key}",
            "LastName": f"Last{key}",
            "LastModifiedDateTime": self.now.isoformat(),
            **fields,
        }

    def sync(self, minutes: float = 5, *, full: bool = False) -> Step:
        """That much later, one run; it must go well."""
        self.now += timedelta(minutes=minutes)
        self._patch.setenv("CLUBSYNC_NOW", self.now.isoformat())
        club = ClubConfig(
            id=self.id,
            name="Studio",
            erp="mindbody",
            connection="c",
            full_read="24h",
            guard=Guard(at_least=100, at_most=100),
            settings={"site_id": self.id, "page": 20, "overlap": 0, "http": {"attempts": 1}},
        )
        pipeline = Pipeline(
            Config(clubs=(club,)),
            self.base,
            Store(str(self.folder)),
            resolve=lambda conn_id: Connection(
                conn_id, self.url, "staff", "secret", extra={"api_key": "key"}
            ),
        )
        (step,) = pipeline.sync([self.id], "test", full=full)
        assert step["error"] is None, step["error"]
        return step

    def inside(self) -> dict[str, str]:
        """ERP id -> email of who is in the Customers group."""
        with self.base.transaction() as driver:
            number = queries().find_club(driver, club_id=self.id)
        assert number is not None
        with self.base.club(number) as driver:
            rows = list(queries().customers(driver, club=number))
        return {str(row["erp_id"]): str(row["email"]) for row in rows if row["in_customers_group"]}


@pytest.fixture
def studio(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    it = Studio(shared_base, tmp_path, Faults(), monkeypatch)
    monkeypatch.setenv("CLUBSYNC_NOW", START.isoformat())
    for key in range(1, 31):
        it.put(key, f"p{key}@x.fr")
    with serving(mindbody.create_app({it.id: it.site}, it.faults)) as it.url:
        yield it


def test_r14_changes_flow_and_absence_waits(studio: Studio) -> None:
    """ "Additions, changes and *stated* deactivations flow ...; deactivation *by absence* ... only from a certified
    one": here that of the next day, at the club's own midnight."""
    first = studio.sync()
    assert first["certified"]
    assert first["read"] == 30
    calls = studio.site.calls

    quiet = studio.sync()  # nothing has changed: no outage, and no other club's data
    assert (quiet["certified"], quiet["read"], quiet["rows_written"]) == (False, 0, 0)
    assert studio.site.calls == calls + 2

    studio.put(31, "new@x.fr")
    studio.sync()
    assert studio.inside()["31"] == "new@x.fr"

    studio.put(1, "p1.new@x.fr")
    studio.put(2, "p2@x.fr", Status="Terminated")
    del studio.clients[3]
    step = studio.sync()
    assert step["read"] == 3  # since the last complete reading, not since the last
    inside = studio.inside()
    assert inside["1"] == "p1.new@x.fr"
    assert "2" not in inside
    assert "3" in inside

    night = studio.sync(minutes=24 * 60)
    assert (night["certified"], night["read"], night["suspected"]) == (True, 30, 1)
    assert "3" in studio.inside()
    again = studio.sync()  # everything: a suspicion is settled by nothing less
    assert (again["certified"], again["read"], again["suspected"]) == (True, 30, 0)
    assert "3" not in studio.inside()


def test_r14_a_reading_of_changes_that_was_lost_is_made_good(studio: Studio) -> None:
    """Each starts from the last complete reading: a run that broke off half way loses nobody."""
    studio.sync()
    for key in range(1, 26):
        studio.put(key, f"q{key}@x.fr")
    studio.faults.set(studio.id, Fault(kind="server-error", from_page=2))
    assert studio.sync()["read"] == 20
    assert studio.inside()["25"] == "p25@x.fr"
    studio.faults.clear()
    studio.sync()
    assert studio.inside()["25"] == "q25@x.fr"


def test_r14_a_reading_of_everything_that_broke_off_is_ended_first(studio: Studio) -> None:
    """What is left of it costs less of the quota than the next one would."""
    for key in range(31, 201):
        studio.put(key, f"p{key}@x.fr")
    studio.sync()
    studio.faults.set(studio.id, Fault(kind="server-error", from_page=6))
    night = studio.sync(minutes=24 * 60)
    assert (night["certified"], night["read"]) == (False, 100)
    studio.faults.clear()
    calls = studio.site.calls
    step = studio.sync(minutes=1)
    assert (step["certified"], step["read"]) == (True, 200)
    assert (
        studio.site.calls == calls + 1 + 2 * 5
    )  # the log-in, five pages and what their clients hold
    assert step["as_of"] == night["as_of"]


def test_r03_an_end_in_the_middle_of_a_day_of_changes(studio: Studio) -> None:
    """ "what ends today ends access tomorrow, without any change in the ERP": with the day's first reading."""
    studio.held[4] = [{"MembershipId": 1, "Name": "Gold", "ExpirationDate": "2026-03-02T00:00:00"}]
    studio.sync()
    studio.sync(minutes=60)
    assert "4" in studio.inside()
    studio.sync(minutes=16 * 60)  # 23:10 UTC is the next day in Paris
    assert "4" not in studio.inside()


def test_r14_everything_is_read_when_a_person_asks_for_it(studio: Studio) -> None:
    """`clubsync sync --full`."""
    studio.sync()
    del studio.clients[5]
    assert studio.sync(full=True)["suspected"] == 1
    assert studio.sync(full=True)["certified"]
    assert "5" not in studio.inside()
    assert len(studio.inside()) == 29
