"""The contract of every connector, whatever the ERP: each check runs against each connector of `cases.py`.

A check that means nothing to an ERP is named in that case's `not_applicable`, with the reason.
"""

from __future__ import annotations

import itertools
import logging
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from clubsync.extract.resume import Shelf
from clubsync.store.snapshots import Store
from connectors.registry import CONNECTORS
from connectors.sdk.base import Connector
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    FileMissing,
    LimitExceeded,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA, STATUSES, Consistency, Reading
from connectors.sdk.unchanged import Received, Unchanged
from sandbox.faults import HostileFault
from tests.contract.case import CANARY, CLUB, KINDS, ConnectorCase, Erp, Held, Kind, Someone, crowd
from tests.contract.cases import CASES
from tests.contract.table import is_check

#: a clock that is not the ERP's.
AHEAD = datetime.now(UTC) + timedelta(hours=3)


def by_id(reading: Reading) -> dict[str, dict[str, Any]]:
    return {row["erp_id"]: row for row in reading.customers.iter_rows(named=True)}


def whole(reading: Reading) -> Reading:
    """The reading, which has to be certified."""
    assert reading.certificate.doubts == ()
    assert reading.certificate.complete
    return reading


def partial(reading: Reading) -> Reading:
    """The reading, which must not be certified, and has to say why in sentences."""
    assert not reading.certificate.complete
    assert reading.certificate.doubts
    assert all(d[0].isupper() or d[0].isdigit() for d in reading.certificate.doubts)
    return reading


def not_certified(connector: Connector[Any]) -> None:
    """Nothing is certified: a file is rejected as a whole, of an API what was received is kept."""
    try:
        reading = connector.read()
    except ConnectorError:
        return
    partial(reading)


def expected(case: ConnectorCase, fault: str, usual: type[ConnectorError]) -> type[ConnectorError]:
    return case.errors.get(fault, usual)


def cells(reading: Reading) -> str:
    """Everything in the reading, as text."""
    rows = [*reading.customers.rows(), *reading.groups.rows()]
    return " ".join(map(str, rows)) + str(
        (reading.certificate, reading.columns, reading.conflicting_ids)
    )


# How complete a reading is (R14) -------------------------------------------------------------------


def test_empty(case: ConnectorCase, erp: Erp) -> None:
    """A club without customers is read and certified; whether that is plausible is decided by the engine (R14)."""
    erp.put([])
    reading = whole(erp.connector().read())
    assert reading.customers.height == 0


def test_one_page(case: ConnectorCase, erp: Erp) -> None:
    """Every customer is read, with email, phone, name, status and groups."""
    ids = erp.put(crowd(2))
    reading = whole(erp.connector().read())
    assert reading.certificate.rows == 2
    row = by_id(reading)[ids["p0"]]
    assert row["email"] == "p0@example.com"
    assert row["phone"] == "+33612340000"
    assert (row["first_name"], row["last_name"]) == ("Prénoma", "Noma")
    assert row["status"] == "active"
    held = [erp.group_ids["gold"]] if case.groups else []
    assert [g["id"] for g in row["groups"]] == held


@pytest.mark.parametrize("pages", [1, 2])
def test_full_last_page(case: ConnectorCase, erp: Erp, pages: int) -> None:
    """A full last page is no doubt."""
    ids = erp.put(crowd(pages * case.page))
    reading = whole(erp.connector().read())
    assert set(by_id(reading)) == set(ids.values())


def test_many_pages(case: ConnectorCase, erp: Erp) -> None:
    """All customers of several pages are read, once."""
    ids = erp.put(crowd(2 * case.page + 1))
    reading = whole(erp.connector().read())
    assert sorted(reading.customers["erp_id"]) == sorted(ids.values())
    if case.paged:
        assert reading.certificate.pages == 3


def test_unchanged(case: ConnectorCase, erp: Erp) -> None:
    """What is the last reading word for word is not parsed again; anything else is read as ever (R17)."""
    people = crowd(2 * case.page + 1)
    erp.put(people)

    def read(before: bytes | None) -> tuple[Reading, bytes | None]:
        connector = erp.connector()
        connector.received = Received(b"key", before)
        return whole(connector.read()), connector.received.hash

    plain, received = read(None)
    assert received is not None
    with pytest.raises(Unchanged):
        read(received)
    erp.put([replace(people[0], email="another@example.com"), *people[1:]])
    changed, _ = read(received)
    assert by_id(changed).keys() == by_id(plain).keys()
    assert (
        sum(a != b for a, b in zip(*(r.customers.rows() for r in (changed, plain)), strict=True))
        == 1
    )
    asked = len(erp.recorder.times) if erp.recorder else 0
    assert read(None)[0].customers.equals(changed.customers)
    assert erp.recorder is None or len(erp.recorder.times) == 2 * asked, "no request is sent twice"


def test_walk_is_no_moment(case: ConnectorCase, erp: Erp) -> None:
    """A reading of several pages is told as a walk, by id or by position; a file, and a single page, as a moment."""
    erp.put(crowd(2 * case.page + 1))
    reading = whole(erp.connector().read())
    assert (reading.consistency != Consistency.MOMENT) == case.paged
    assert reading.paged == case.paged
    erp.put(crowd(1))
    assert whole(erp.connector().read()).consistency == Consistency.MOMENT


def edited(connector: Connector[Any], edit: Callable[[], None]) -> Reading:
    """A reading after whose first page somebody edits the ERP."""
    edits = [edit]

    def progress(rows: int, total: int | None) -> None:
        if edits:
            edits.pop()()

    connector.progress = progress
    reading = connector.read()
    assert not edits
    return reading


def test_edited_between_pages(case: ConnectorCase, erp: Erp) -> None:
    """One record leaves and one comes between two pages: only a walk by id says that nobody else is missing."""
    ids = erp.put(crowd(4 * case.page))
    newcomer = Someone("new", "Nina", "Nouvelle", "new@example.com", groups=(Held("gold"),))
    reading = edited(erp.connector(), lambda: erp.replace_one(ids["p0"], newcomer))
    missed = {i for key, i in ids.items() if key != "p0"} - set(by_id(reading))
    assert reading.consistency == case.walk
    assert not missed or case.walk == Consistency.BY_POSITION or not reading.certificate.complete
    after = by_id(whole(erp.connector().read()))
    assert len(after) == 4 * case.page
    assert ids["p0"] not in after
    assert "new@example.com" in {row["email"] for row in after.values()}


def test_asked_alone(case: ConnectorCase, erp: Erp) -> None:
    """Who is missing from a walk is asked for alone, so that no second reading has to say that they are gone; where
    too many are missing, one has to."""
    ids = erp.put(crowd(4 * case.page))
    erp.replace_one(ids["p1"], Someone("other", "Olga", "Autre", "other@example.com"))
    connector = erp.connector()
    connector.known = lambda: list(ids.values())
    reading = whole(connector.read())
    assert reading.consistency == Consistency.BY_ID
    assert set(ids.values()) - set(by_id(reading)) == {ids["p1"]}
    assert "other@example.com" in {row["email"] for row in by_id(reading).values()}
    connector = erp.connector()
    connector.known = lambda: [f"unknown/{n}" for n in range(1000)]
    assert whole(connector.read()).consistency == Consistency.BY_POSITION


def test_swapped_between_pages(case: ConnectorCase, erp: Erp) -> None:
    """Two records swap their emails between two pages: the reading shows half of it, and says that it is no moment."""
    ids = erp.put(crowd(4 * case.page))
    one, other = "p0", f"p{4 * case.page - 1}"

    def swap() -> None:
        erp.set_email(ids[one], f"{other}@example.com")
        erp.set_email(ids[other], f"{one}@example.com")

    reading = edited(erp.connector(), swap)
    assert reading.consistency != Consistency.MOMENT
    rows = by_id(reading)
    assert {rows[ids[key]]["email"] for key in (one, other)} <= {
        f"{one}@example.com",
        f"{other}@example.com",
    }
    after = by_id(whole(erp.connector().read()))
    assert after[ids[one]]["email"] == f"{other}@example.com"
    assert after[ids[other]]["email"] == f"{one}@example.com"


def test_joined_list_repeats(case: ConnectorCase, erp: Erp) -> None:
    """A list of memberships has one row twice and lacks another, with its total right: it proves nothing, and all
    customers are read."""
    held = (Held("gold"), Held("kids"))
    ids = erp.put([Someone(key, email=f"{key}@example.com", groups=held) for key in "ab"])
    whole(erp.connector().read())
    erp.repeat_membership()
    reading = partial(erp.connector().read())
    assert set(by_id(reading)) == set(ids.values())


def test_maintenance_page_once(case: ConnectorCase, erp: Erp) -> None:
    """A web page in place of the first answer, once: an API is asked again, and of a file the next reading is whole."""
    ids = erp.put(crowd(case.page + 1))
    erp.fault("html", times=1)
    if not case.paged:
        with pytest.raises(ConnectorError):
            erp.connector().read()
        erp.put(crowd(case.page + 1))
    assert set(by_id(whole(erp.connector().read()))) == set(ids.values())


def test_maintenance_page_later(case: ConnectorCase, erp: Erp) -> None:
    """A web page in place of the second page, once: what came before is kept and not certified, or it is whole."""
    ids = erp.put(crowd(3 * case.page))
    erp.fault("html", from_page=2, times=1)
    reading = erp.connector().read()
    assert reading.certificate.complete == (set(by_id(reading)) == set(ids.values()))
    assert len(by_id(reading)) >= case.page
    assert set(by_id(whole(erp.connector().read()))) == set(ids.values())


def test_last_page_missing(case: ConnectorCase, erp: Erp) -> None:
    """A page fails permanently after complete ones: what was received is kept, and not certified."""
    erp.put(crowd(2 * case.page + 1))
    erp.fault("server-error", from_page=3)
    reading = partial(erp.connector().read())
    assert reading.customers.height == 2 * case.page


def test_access_lost_during_the_walk(case: ConnectorCase, erp: Erp) -> None:
    """403 during the walk: what was received is kept, and not certified."""
    erp.put(crowd(case.page + 1))
    erp.fault("forbidden", from_page=2)
    assert partial(erp.connector().read()).customers.height == case.page


def test_page_twice(case: ConnectorCase, erp: Erp) -> None:
    """A page that is returned again instead of the next one is noticed; nobody is in the reading twice."""
    erp.put(crowd(3 * case.page))
    erp.fault("page-repeated", from_page=2, times=1)
    reading = partial(erp.connector().read())
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_page_repeated_endlessly(case: ConnectorCase, erp: Erp) -> None:
    """A page that is returned again and again ends the walk."""
    erp.put(crowd(3 * case.page))
    erp.fault("page-repeated", from_page=2)
    reading = partial(erp.connector().read())
    assert reading.certificate.pages <= 3
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_row_moved(case: ConnectorCase, erp: Erp) -> None:
    """A row on two pages means that rows moved while they were read."""
    erp.put(crowd(2 * case.page))
    erp.fault("row-moved", from_page=2, times=1)
    reading = partial(erp.connector().read())
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_rows_missing(case: ConnectorCase, erp: Erp) -> None:
    """Fewer rows than the ERP states are not certified."""
    erp.put(crowd(2 * case.page))
    erp.fault("half")
    not_certified(erp.connector())


def test_total_wrong(case: ConnectorCase, erp: Erp) -> None:
    """All rows, but a total that is one higher: somebody may be missing."""
    erp.put(crowd(case.page + 1))
    erp.fault("total-wrong")
    not_certified(erp.connector())


class Killed(BaseException):
    """The end of the reading's process."""


def killed(connector: Connector[Any], after: int) -> Connector[Any]:
    """The connector, whose process is killed after that many pages."""
    pages = itertools.count(1)

    def progress(rows: int, total: int | None) -> None:
        if next(pages) == after:
            raise Killed

    connector.progress = progress
    return connector


def test_killed_and_resumed(case: ConnectorCase, erp: Erp, tmp_path: Path) -> None:
    """A killed reading is resumed: the next one requests only the rest, and is equal to an uninterrupted one.
    Meanwhile the disk holds only what the sync needs, and none of our keys (R19)."""
    erp.put(crowd(4 * case.page))
    asked = erp.recorder
    assert asked is not None
    straight = whole(erp.connector().read())
    in_one_go = len(asked.times)
    shelf = Shelf(Store(str(tmp_path)), CLUB.id, uuid.uuid4(), 1, worth=1)
    with pytest.raises(Killed):
        shelf.read(lambda: killed(erp.connector(), after=2), datetime.now(UTC), None)
    first_asked = asked.times[in_one_go]
    until_killed = len(asked.times) - in_one_go
    kept = "".join(file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert "p0@example.com" in kept
    assert CANARY not in kept
    assert erp.secret not in kept
    reading = whole(shelf.read(erp.connector, datetime.now(UTC), None))
    assert reading.customers.equals(straight.customers)
    assert reading.groups.equals(straight.groups)
    assert reading.certificate == straight.certificate
    assert reading.columns == straight.columns
    assert reading.as_of <= first_asked
    log_in = 1
    assert until_killed < in_one_go
    assert len(asked.times) <= 2 * in_one_go + log_in
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_killed_and_not_resumable(case: ConnectorCase, erp: Erp, tmp_path: Path) -> None:
    """If the ERP no longer answers where a reading was killed, it is read from the start, without harm."""
    erp.put(crowd(4 * case.page))
    shelf = Shelf(Store(str(tmp_path)), CLUB.id, uuid.uuid4(), 1, worth=1)
    with pytest.raises(Killed):
        shelf.read(lambda: killed(erp.connector(), after=2), datetime.now(UTC), None)
    erp.fault("html", times=2)  # once is asked for again
    again = datetime.now(UTC)
    reading = whole(shelf.read(erp.connector, again, None))
    assert reading.customers.height == 4 * case.page
    assert reading.as_of >= again
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_too_many_pages(case: ConnectorCase, erp: Erp) -> None:
    """A walk without an end is stopped, and what was received is not certified."""
    erp.put(crowd(3 * case.page))
    reading = partial(erp.connector(http={"max_pages": 2}).read())
    assert (reading.certificate.pages, reading.customers.height) == (2, 2 * case.page)


def test_list_suddenly_empty(case: ConnectorCase, erp: Erp) -> None:
    """An outage that returns an empty list is read as one, without an error."""
    erp.put(crowd(2))
    erp.fault("empty")
    assert erp.connector().read().customers.height == 0


def test_as_of(case: ConnectorCase, erp: Erp) -> None:
    """`as_of` is taken before the first request, even that of the login; for a file it is the file's own time."""
    erp.put(crowd(1))
    reading = erp.connector().read()
    assert reading.as_of.utcoffset() == timedelta(0)
    assert reading.as_of <= erp.changed_at


def test_clock_skew(case: ConnectorCase, erp: Erp) -> None:
    """The clocks differ by hours: `as_of` is by one clock, ours or the file's, and nothing else changes."""
    ids = erp.put(crowd(case.page + 1))
    straight = whole(erp.connector().read())
    connector = erp.connector()
    connector.now = lambda: AHEAD
    skewed = whole(connector.read())
    assert skewed.as_of == (AHEAD if case.paged else straight.as_of)
    assert set(by_id(skewed)) == set(ids.values())
    assert skewed.customers.equals(straight.customers)


def test_id_reused(case: ConnectorCase, erp: Erp) -> None:
    """A reused id has nothing of the person who had it before (R1: ID_REUSED is decided later)."""
    first = erp.put([Someone("x", "Ana", "Ruiz", "ana@example.com", "+33612345678")])
    whole(erp.connector().read())
    then = erp.put([Someone("x", "Bob", "Roux", "bob@example.com", None)])
    rows = by_id(whole(erp.connector().read()))
    assert set(rows) == {then["x"]}
    found = rows[then["x"]]
    assert (found["first_name"], found["email"], found["phone"]) == ("Bob", "bob@example.com", None)
    assert first.keys() == then.keys()


def test_id_twice_equal(case: ConnectorCase, erp: Erp) -> None:
    """The same row twice counts once: harmless in a file, a sign that rows moved in pages."""
    one, other = crowd(2)
    ids = erp.put([one, other, one])
    reading = erp.connector().read()
    assert sorted(reading.customers["erp_id"]) == sorted(set(ids.values()))
    assert reading.certificate.complete is not case.paged
    assert reading.conflicting_ids == ()


def test_id_twice_different(case: ConnectorCase, erp: Erp) -> None:
    """One id with two contents is unknown this time and reported, and nothing is certified."""
    one, other = crowd(2)
    twin = Someone(one.key, email="somebody.else@example.com")
    ids = erp.put([one, other, twin])
    reading = partial(erp.connector().read())
    assert reading.conflicting_ids == (ids[one.key],)
    assert list(reading.customers["erp_id"]) == [ids[other.key]]


# What goes wrong --------------------------------------------------------------------------------


def test_credentials_refused(case: ConnectorCase, erp: Erp) -> None:
    """A wrong secret is reported at once, by reading and by checking, and is not tried again."""
    erp.put(crowd(1))
    with pytest.raises(CredentialsRefused):
        erp.connector(secret="wrong").read()
    with pytest.raises(CredentialsRefused):
        erp.connector(secret="wrong").check()


def test_login_expires(case: ConnectorCase, erp: Erp) -> None:
    """After one 401 during the walk, the connector logs in again and continues."""
    erp.put(crowd(case.page + 1))
    erp.fault("unauthorized", from_page=2, times=1)
    assert whole(erp.connector().read()).customers.height == case.page + 1


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("throttled-seconds", True),
        ("throttled-date", True),
        ("throttled-epoch", True),
        ("throttled-silent", False),
        ("throttled-421", False),
    ],
)
def test_throttled(case: ConnectorCase, erp: Erp, style: str, says: bool) -> None:
    """If the ERP asks for a wait of an hour, in any of the usual ways, the error carries it (R25)."""
    erp.put(crowd(1))
    erp.fault(style, wait=3600)
    with pytest.raises(RateLimited) as told:
        erp.connector().read()
    if says:
        assert told.value.retry_after is not None
        assert abs(told.value.retry_after - timedelta(hours=1)) < timedelta(minutes=1)
    else:
        assert told.value.retry_after is None


def test_throttled_by_their_clock(case: ConnectorCase, erp: Erp) -> None:
    """A wait until a time of day is measured on the ERP's own clock."""
    erp.put(crowd(1))
    erp.fault("throttled-date", wait=3600)
    connector = erp.connector()
    connector.now = lambda: AHEAD
    with pytest.raises(RateLimited) as told:
        connector.read()
    assert told.value.retry_after is not None
    assert abs(told.value.retry_after - timedelta(hours=1)) < timedelta(minutes=1)


def test_throttled_for_a_moment(case: ConnectorCase, erp: Erp) -> None:
    """A short wait is waited for."""
    erp.put(crowd(1))
    erp.fault("throttled-seconds", wait=0.05, times=1)
    whole(erp.connector().read())


def test_server_error_once(case: ConnectorCase, erp: Erp) -> None:
    """After a single 500 the request is sent again, and the reading is complete."""
    erp.put(crowd(1))
    erp.fault("server-error", times=1)
    whole(erp.connector().read())


def test_server_error_persists(case: ConnectorCase, erp: Erp) -> None:
    """An ERP that keeps returning 500 is down."""
    erp.put(crowd(1))
    erp.fault("server-error")
    with pytest.raises(ErpUnreachable):
        erp.connector().read()


def test_timeout(case: ConnectorCase, erp: Erp) -> None:
    """An ERP that does not respond in time is down."""
    erp.put(crowd(1))
    erp.fault("timeout", wait=1.5)
    with pytest.raises(ErpUnreachable):
        erp.connector(http={"read_timeout": 0.5, "attempts": 1}).read()


def test_html(case: ConnectorCase, erp: Erp) -> None:
    """A web page instead of data is an error."""
    erp.put(crowd(1))
    erp.fault("html")
    with pytest.raises(expected(case, "html", ContractChanged)):
        erp.connector().read()


def test_truncated(case: ConnectorCase, erp: Erp) -> None:
    """A truncated response or file is rejected as a whole."""
    erp.put(crowd(2))
    erp.fault("truncated")
    with pytest.raises(expected(case, "truncated", ErpUnreachable)):
        erp.connector().read()


def test_error_in_200(case: ConnectorCase, erp: Erp) -> None:
    """An error in a response of status 200 is an error."""
    erp.put(crowd(1))
    erp.fault("error-in-200")
    with pytest.raises(ConnectorError):
        erp.connector().read()


@pytest.mark.parametrize("kind", get_args(HostileFault))
def test_hostile_answer(case: ConnectorCase, erp: Erp, kind: str) -> None:
    """An unexpected response is an error with a message, not a traceback, and leads to no other address."""
    erp.put(crowd(1))
    erp.fault(kind)
    with pytest.raises(ConnectorError) as told:
        erp.connector().read()
    assert told.value.what.endswith(".")
    assert "elsewhere" not in str(told.value)


@pytest.mark.parametrize("kind", ["redirect", "nested", "surrogate", "blank"])
def test_hostile_page_later(case: ConnectorCase, erp: Erp, kind: str) -> None:
    """The same after a complete page: that page is kept, and nothing is certified."""
    erp.put(crowd(case.page + 1))
    erp.fault(kind, from_page=2)
    assert partial(erp.connector().read()).customers.height == case.page


def test_answer_too_large(case: ConnectorCase, erp: Erp) -> None:
    """A response larger than `http.max_bytes` is rejected."""
    erp.put(crowd(case.page))
    with pytest.raises(LimitExceeded, match=r"http\.max_bytes"):
        erp.connector(http={"max_bytes": 10}).read()


def test_time_limit(case: ConnectorCase, erp: Erp) -> None:
    """A reading that takes longer than `http.max_seconds` is stopped."""
    erp.put(crowd(1))
    with pytest.raises(ErpUnreachable):
        erp.connector(http={"max_seconds": 1e-6}).read()


def test_file_missing(case: ConnectorCase, erp: Erp) -> None:
    """A missing file is reported as missing."""
    erp.put(crowd(1))
    erp.fault("missing")
    with pytest.raises(FileMissing):
        erp.connector().read()
    with pytest.raises(FileMissing):
        erp.connector().check()


def test_wrong_address(case: ConnectorCase, erp: Erp) -> None:
    """An invalid address is reported before any request."""
    connector = erp.connector()
    connector.connection = type(connector.connection)("c", "gopher://x", "login", "secret")
    with pytest.raises(SettingsWrong):
        connector.read()


# What the ERP states ----------------------------------------------------------------------------


def test_archived(case: ConnectorCase, erp: Erp) -> None:
    """Archived records are read as archived, although the ERP's own lists hide them (R5)."""
    one, other = crowd(2)
    ids = erp.put([one, Someone(other.key, email=other.email, status="archived")])
    reading = whole(erp.connector().read())
    assert by_id(reading)[ids[other.key]]["status"] in ("archived", "former")
    assert by_id(reading)[ids[one.key]]["status"] == "active"


def test_unknown_status(case: ConnectorCase, erp: Erp) -> None:
    """A status that is in none of the lists is `unknown`, and the ERP's word is kept (R3)."""
    ids = erp.put([Someone("x", email="x@example.com", status="Wombat")])
    row = by_id(whole(erp.connector().read()))[ids["x"]]
    assert (row["status"], row["status_raw"]) == ("unknown", "Wombat")


def test_known_status(case: ConnectorCase, erp: Erp) -> None:
    """Every status is a canonical one; the ERP's own word is kept only if the status is unknown."""
    erp.put(crowd(2))
    customers = whole(erp.connector().read()).customers
    assert set(customers["status"]) <= set(STATUSES)
    assert customers["status_raw"].null_count() == 2


def test_inactive_group(case: ConnectorCase, erp: Erp) -> None:
    """An inactive group stays with its holders, and is listed as inactive (R3)."""
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("old"), Held("gold")))])
    reading = whole(erp.connector().read())
    held = {g["id"] for g in by_id(reading)[ids["x"]]["groups"]}
    assert held == {erp.group_ids["old"], erp.group_ids["gold"]}
    active = dict(reading.groups.select("id", "active").iter_rows())
    assert active[erp.group_ids["old"]] is False
    assert active[erp.group_ids["gold"]] is True


def test_unknown_group(case: ConnectorCase, erp: Erp) -> None:
    """A group that is not in the ERP's own list stays with its holder (GROUP_UNKNOWN)."""
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("gold"),))], [Kind("a", "A")])
    reading = whole(erp.connector().read())
    (held,) = by_id(reading)[ids["x"]]["groups"]
    assert held["id"] not in set(reading.groups["id"])


def test_group_until(case: ConnectorCase, erp: Erp) -> None:
    """The last day of a membership is read, also if it has passed (R3)."""
    last = date(2026, 11, 30)
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("gold", until=last),))])
    (held,) = by_id(whole(erp.connector().read()))[ids["x"]]["groups"]
    assert held["valid_until"] == last


@pytest.mark.parametrize("never", [date(9999, 12, 31), date(1970, 1, 1), date(1, 1, 1)])
def test_no_end(case: ConnectorCase, erp: Erp, never: date) -> None:
    """What systems write for "never" is no last day (R3)."""
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("gold", until=never),))])
    (held,) = by_id(whole(erp.connector().read()))[ids["x"]]["groups"]
    assert held["valid_until"] is None


def test_one_odd_record(case: ConnectorCase, erp: Erp) -> None:
    """An email that is an object, or an Excel error: that record's email is unknown, and everybody else is read."""
    ids = erp.put(crowd(7))
    erp.spoil_email(ids["p3"])
    rows = by_id(whole(erp.connector().read()))
    assert set(rows) == set(ids.values())
    odd = rows.pop(ids["p3"])
    assert odd["email"] is None
    assert {note["field"] for note in odd["unreadable"]} == {"email"}
    assert {row["email"] for row in rows.values()} == {
        f"p{n}@example.com" for n in (0, 1, 2, 4, 5, 6)
    }


def test_decomposed_letters(case: ConnectorCase, erp: Erp) -> None:
    """Letters whose accents are written apart (NFD) are the same letters (R2, R3)."""
    apart = unicodedata.normalize("NFD", "Zoë")
    ids = erp.put([Someone("x", apart, unicodedata.normalize("NFD", "Élysée"), "x@example.com")])
    row = by_id(whole(erp.connector().read()))[ids["x"]]
    assert (row["first_name"], row["last_name"]) == ("Zoë", "Élysée")


def test_guardian(case: ConnectorCase, erp: Erp) -> None:
    """A dependant has the id of its guardian (R8)."""
    owner = Someone("owner", email="family@example.com")
    ids = erp.put([owner, Someone("child", guardian="owner")])
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["child"]]["guardian_id"] == ids["owner"]
    assert rows[ids["owner"]]["guardian_id"] is None


def test_merge_stated(case: ConnectorCase, erp: Erp) -> None:
    """A record that the ERP replaced has the id of its successor (R10)."""
    stays = Someone("stays", email="stays@example.com")
    ids = erp.put([stays, Someone("goes", email="goes@example.com", replaced_by="stays")])
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["goes"]]["replaced_by"] == ids["stays"]
    assert rows[ids["goes"]]["status"] != "active"
    assert rows[ids["stays"]]["email"] == "stays@example.com"


def test_email_change_without_a_stamp(case: ConnectorCase, erp: Erp) -> None:
    """A new email is read, whether or not the ERP updates the record's stamp (R9)."""
    ids = erp.put(crowd(2))
    erp.connector().read()
    erp.set_email(ids["p1"], "new@example.com")
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["p1"]]["email"] == "new@example.com"
    assert rows[ids["p0"]]["email"] == "p0@example.com"


def test_unicode_and_null(case: ConnectorCase, erp: Erp) -> None:
    """Names in any script are read, and records without a name, email or phone."""
    ids = erp.put(
        [
            Someone("a", "Zoë", "Żółć", "zoë@exämple.com"),
            Someone("b", "小龍", "李", "lee@example.com"),
            Someone("c", "O'Neil", "Núñez", "a+tag@example.com"),
            Someone("d", "Ana", None),
        ]
    )
    rows = by_id(whole(erp.connector().read()))
    assert (rows[ids["a"]]["first_name"], rows[ids["a"]]["last_name"]) == ("Zoë", "Żółć")
    assert rows[ids["a"]]["email"] == "zoë@exämple.com"
    assert (rows[ids["b"]]["first_name"], rows[ids["b"]]["last_name"]) == ("小龍", "李")
    assert rows[ids["c"]]["email"] == "a+tag@example.com"
    assert rows[ids["d"]]["first_name"] == "Ana"
    assert [rows[ids["d"]][k] for k in ("last_name", "email", "phone")] == [None] * 3


def test_nameless(case: ConnectorCase, erp: Erp) -> None:
    """A record without any name is read."""
    ids = erp.put([Someone("x", None, None, "x@example.com")])
    row = by_id(whole(erp.connector().read()))[ids["x"]]
    assert (row["first_name"], row["last_name"]) == (None, None)


def test_shared_email(case: ConnectorCase, erp: Erp) -> None:
    """Both records of a shared email are read: deciding between them is not the connector's task (R7)."""
    erp.put([Someone("a", email="same@example.com"), Someone("b", email="same@example.com")])
    customers = whole(erp.connector().read()).customers
    assert list(customers["email"]) == ["same@example.com"] * 2


# What must not leak (R19) -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 7])
def test_schemas(case: ConnectorCase, erp: Erp, count: int) -> None:
    """The frames have exactly the canonical columns, empty or not."""
    erp.put(crowd(count))
    reading = erp.connector().read()
    assert reading.customers.schema == CUSTOMER_SCHEMA
    assert reading.groups.schema == GROUP_SCHEMA
    assert set(reading.column_of) <= set(CUSTOMER_SCHEMA)
    assert set(reading.column_of.values()) <= set(reading.columns)


def test_only_what_is_needed(case: ConnectorCase, erp: Erp) -> None:
    """A bank account in a field of the ERP is in no part of the reading."""
    erp.put(crowd(2))
    assert CANARY not in cells(erp.connector().read())


def test_group_list(case: ConnectorCase, erp: Erp) -> None:
    """Every group that is held is in the list, once, with the ERP's own name."""
    erp.put(
        [Someone("a", groups=(Held("gold"), Held("kids"))), Someone("b", groups=(Held("kids"),))]
    )
    groups = whole(erp.connector().read()).groups
    names = dict(groups.select("id", "name").iter_rows())
    held = {k.id: k.name for k in KINDS if k.active}
    assert {names[erp.group_ids[k]] for k in held} == set(held.values())
    assert groups["id"].n_unique() == groups.height


def test_errors_tell_no_secrets(
    case: ConnectorCase, erp: Erp, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the message, nor the chain of the traceback, nor the log holds a secret or personal data (R19)."""
    caplog.set_level(logging.DEBUG)
    for fault in case.failures:
        erp.put(crowd(2))
        erp.fault(fault)
        connector = erp.connector()
        with pytest.raises(ConnectorError) as told:
            connector.read()
        said = [str(told.value), told.value.remedy, repr(connector.connection)]
        link: BaseException | None = told.value
        while link is not None:
            said.append(repr(link))
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        nothing_leaked(erp, " ".join([*said, caplog.text]))


def nothing_leaked(erp: Erp, told: str) -> None:
    for secret in (erp.secret, "p0@example.com", "Prénoma", "+33612340000", "cursor_id="):
        assert secret not in told


def test_a_complete_reading_logs_no_person(
    case: ConnectorCase, erp: Erp, caplog: pytest.LogCaptureFixture
) -> None:
    """The log holds no personal data, not even at DEBUG (R19)."""
    caplog.set_level(logging.DEBUG)
    erp.put(crowd(case.page + 1))
    connector = erp.connector()
    connector.read()
    nothing_leaked(erp, caplog.text + connector.check())


def test_check_is_a_sentence(case: ConnectorCase, erp: Erp) -> None:
    """`check` returns a sentence that says what was found."""
    erp.put(crowd(1))
    said = erp.connector().check()
    assert said.endswith(".")
    assert said[0].isupper() or said[0].isdigit()


# The declarations -------------------------------------------------------------------------------


def test_every_connector_is_here() -> None:
    """Every connector of the registry has a case."""
    assert {case.name for case in CASES} == set(CONNECTORS)


def test_reasons_are_given() -> None:
    """Every exemption names an existing check and a reason; no check is exempt for all connectors."""
    checks = {
        name.removeprefix("test_")
        for name, check in globals().items()
        if name.startswith("test_") and is_check(check)
    }
    for case in CASES:
        assert set(case.reasons()) <= checks, case.name
        assert set(case.inferred) <= checks - set(case.reasons()), case.name
        told = [*case.reasons().values(), *case.inferred.values()]
        assert all(reason.endswith(".") for reason in told)
    for check in checks:
        assert any(check not in case.reasons() for case in CASES), check
