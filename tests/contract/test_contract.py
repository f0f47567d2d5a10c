"""What every connector keeps to, whatever the ERP: each check runs against each connector of `cases.py`.

A check that means nothing to an ERP is named in that case's `not_applicable`, with the reason.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Iterable
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
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA, STATUSES, Reading
from sandbox.faults import HostileFault
from tests.contract.case import CANARY, CLUB, KINDS, ConnectorCase, Erp, Held, Kind, Someone, crowd
from tests.contract.cases import CASES
from tests.contract.table import is_check

#: a clock that is not the ERP's.
AHEAD = datetime.now(UTC) + timedelta(hours=3)


def by_id(reading: Reading) -> dict[str, dict[str, Any]]:
    return {row["erp_id"]: row for row in reading.customers.iter_rows(named=True)}


def whole(reading: Reading) -> Reading:
    """The reading, which must be certified."""
    assert reading.certificate.doubts == ()
    assert reading.certificate.complete
    return reading


def partial(reading: Reading) -> Reading:
    """The reading, which must not be certified, and must say why in sentences."""
    assert not reading.certificate.complete
    assert reading.certificate.doubts
    assert all(d[0].isupper() or d[0].isdigit() for d in reading.certificate.doubts)
    return reading


def not_certified(connector: Connector[Any]) -> None:
    """Nothing is certified: a file is refused whole, of an API what came is kept."""
    try:
        reading = connector.read()
    except ConnectorError:
        return
    partial(reading)


def expected(case: ConnectorCase, fault: str, usual: type[ConnectorError]) -> type[ConnectorError]:
    return case.errors.get(fault, usual)


def cells(reading: Reading) -> str:
    """All that the reading holds, as text."""
    frames: Iterable[Any] = (reading.customers, reading.groups)
    return " ".join(str(row) for frame in frames for row in frame.rows()) + str(
        (reading.certificate, reading.columns, reading.conflicting_ids)
    )


# How whole a reading is (R14) -------------------------------------------------------------------


def test_empty(case: ConnectorCase, erp: Erp) -> None:
    """A club without customers is read and certified; whether to believe it is the engine's matter (R14)."""
    erp.put([])
    reading = whole(erp.connector().read())
    assert reading.customers.height == 0


def test_one_page(case: ConnectorCase, erp: Erp) -> None:
    """Everybody is there, with email, phone, name, status and groups."""
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
    """A last page that is full to the last row is no doubt."""
    ids = erp.put(crowd(pages * case.page))
    reading = whole(erp.connector().read())
    assert set(by_id(reading)) == set(ids.values())


def test_many_pages(case: ConnectorCase, erp: Erp) -> None:
    """Everybody of several pages, once."""
    ids = erp.put(crowd(2 * case.page + 1))
    reading = whole(erp.connector().read())
    assert sorted(reading.customers["erp_id"]) == sorted(ids.values())
    if case.paged:
        assert reading.certificate.pages == 3


def test_last_page_missing(case: ConnectorCase, erp: Erp) -> None:
    """A page that fails for good after whole ones: what came is kept, and not certified."""
    erp.put(crowd(2 * case.page + 1))
    erp.fault("server-error", from_page=3)
    reading = partial(erp.connector().read())
    assert reading.customers.height == 2 * case.page


def test_log_in_lost_on_the_way(case: ConnectorCase, erp: Erp) -> None:
    """403 in mid-walk: what came is kept, and not certified."""
    erp.put(crowd(case.page + 1))
    erp.fault("forbidden", from_page=2)
    assert partial(erp.connector().read()).customers.height == case.page


def test_page_twice(case: ConnectorCase, erp: Erp) -> None:
    """A page in place of the next one is noticed; nobody is there twice."""
    erp.put(crowd(3 * case.page))
    erp.fault("page-repeated", from_page=2, times=1)
    reading = partial(erp.connector().read())
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_page_twice_for_good(case: ConnectorCase, erp: Erp) -> None:
    """A page that comes again and again does not keep us."""
    erp.put(crowd(3 * case.page))
    erp.fault("page-repeated", from_page=2)
    reading = partial(erp.connector().read())
    assert reading.certificate.pages <= 3
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_row_moved(case: ConnectorCase, erp: Erp) -> None:
    """A row that comes on two pages means that rows moved while we read."""
    erp.put(crowd(2 * case.page))
    erp.fault("row-moved", from_page=2, times=1)
    reading = partial(erp.connector().read())
    assert reading.customers["erp_id"].n_unique() == reading.customers.height


def test_rows_missing(case: ConnectorCase, erp: Erp) -> None:
    """Fewer rows than the ERP says that there are."""
    erp.put(crowd(2 * case.page))
    erp.fault("half")
    not_certified(erp.connector())


def test_total_wrong(case: ConnectorCase, erp: Erp) -> None:
    """All rows, and a total that says one more: somebody may be missing."""
    erp.put(crowd(case.page + 1))
    erp.fault("total-wrong")
    not_certified(erp.connector())


class Killed(BaseException):
    """What becomes of a process, to the reading in it."""


def killed(connector: Connector[Any], after: int) -> Connector[Any]:
    """Its process is killed when it has read so many pages."""
    pages = itertools.count(1)

    def progress(rows: int, total: int | None) -> None:
        if next(pages) == after:
            raise Killed

    connector.progress = progress
    return connector


def test_killed_on_the_way(case: ConnectorCase, erp: Erp, tmp_path: Path) -> None:
    """A reading that was killed is gone on with: the next one asks for the rest, and is what one in a single go
    would have been. What lies on the disk meanwhile is what the sync needs, and no key of ours (R19)."""
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


def test_forgotten_on_the_way(case: ConnectorCase, erp: Erp, tmp_path: Path) -> None:
    """An ERP that no longer answers where a reading was killed is read from the beginning, with no harm done."""
    erp.put(crowd(4 * case.page))
    shelf = Shelf(Store(str(tmp_path)), CLUB.id, uuid.uuid4(), 1, worth=1)
    with pytest.raises(Killed):
        shelf.read(lambda: killed(erp.connector(), after=2), datetime.now(UTC), None)
    erp.fault("html", times=1)
    again = datetime.now(UTC)
    reading = whole(shelf.read(erp.connector, again, None))
    assert reading.customers.height == 4 * case.page
    assert reading.as_of >= again
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_too_many_pages(case: ConnectorCase, erp: Erp) -> None:
    """A walk that does not end is ended, and what came is not certified."""
    erp.put(crowd(3 * case.page))
    reading = partial(erp.connector(http={"max_pages": 2}).read())
    assert (reading.certificate.pages, reading.customers.height) == (2, 2 * case.page)


def test_list_empty_all_at_once(case: ConnectorCase, erp: Erp) -> None:
    """An outage that answers with an empty list: nobody is invented, nothing breaks."""
    erp.put(crowd(2))
    erp.fault("empty")
    assert erp.connector().read().customers.height == 0


def test_as_of(case: ConnectorCase, erp: Erp) -> None:
    """`as_of` is taken before the first request, log-in included; a file's is its own time."""
    erp.put(crowd(1))
    reading = erp.connector().read()
    assert reading.as_of.utcoffset() == timedelta(0)
    assert reading.as_of <= erp.changed_at


def test_clock_skew(case: ConnectorCase, erp: Erp) -> None:
    """ERP and we differ by hours: `as_of` is one clock's, ours or the file's, and nothing else moves."""
    ids = erp.put(crowd(case.page + 1))
    straight = whole(erp.connector().read())
    connector = erp.connector()
    connector.now = lambda: AHEAD
    skewed = whole(connector.read())
    assert skewed.as_of == (AHEAD if case.paged else straight.as_of)
    assert set(by_id(skewed)) == set(ids.values())
    assert skewed.customers.equals(straight.customers)


def test_id_reused(case: ConnectorCase, erp: Erp) -> None:
    """An id that now means somebody else brings nothing of who had it before (R1: ID_REUSED is judged later)."""
    first = erp.put([Someone("x", "Ana", "Ruiz", "ana@example.com", "+33612345678")])
    whole(erp.connector().read())
    then = erp.put([Someone("x", "Bob", "Roux", "bob@example.com", None)])
    rows = by_id(whole(erp.connector().read()))
    assert set(rows) == {then["x"]}
    found = rows[then["x"]]
    assert (found["first_name"], found["email"], found["phone"]) == ("Bob", "bob@example.com", None)
    assert first.keys() == then.keys()


def test_id_twice_alike(case: ConnectorCase, erp: Erp) -> None:
    """The same row twice: harmless in a file, a sign that rows moved in pages; there once."""
    one, other = crowd(2)
    ids = erp.put([one, other, one])
    reading = erp.connector().read()
    assert sorted(reading.customers["erp_id"]) == sorted(set(ids.values()))
    assert reading.certificate.complete is not case.paged
    assert reading.conflicting_ids == ()


def test_id_twice_different(case: ConnectorCase, erp: Erp) -> None:
    """One id, two contents: unknown this time, named, and nothing is certified."""
    one, other = crowd(2)
    twin = Someone(one.key, email="somebody.else@example.com")
    ids = erp.put([one, other, twin])
    reading = partial(erp.connector().read())
    assert reading.conflicting_ids == (ids[one.key],)
    assert list(reading.customers["erp_id"]) == [ids[other.key]]


# What goes wrong --------------------------------------------------------------------------------


def test_credentials_refused(case: ConnectorCase, erp: Erp) -> None:
    """A wrong secret is said at once, by reading and by checking, and is not tried again."""
    erp.put(crowd(1))
    with pytest.raises(CredentialsRefused):
        erp.connector(secret="wrong").read()
    with pytest.raises(CredentialsRefused):
        erp.connector(secret="wrong").check()


def test_log_in_runs_out(case: ConnectorCase, erp: Erp) -> None:
    """One 401 in mid-walk: log in again, and go on."""
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
    """Asked to wait an hour, in any way of saying so: the error carries the wait (R25)."""
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
    """A wait until a time of day is counted on the clock of whoever named it."""
    erp.put(crowd(1))
    erp.fault("throttled-date", wait=3600)
    connector = erp.connector()
    connector.now = lambda: AHEAD
    with pytest.raises(RateLimited) as told:
        connector.read()
    assert told.value.retry_after is not None
    assert abs(told.value.retry_after - timedelta(hours=1)) < timedelta(minutes=1)


def test_throttled_for_a_moment(case: ConnectorCase, erp: Erp) -> None:
    """A short wait is waited."""
    erp.put(crowd(1))
    erp.fault("throttled-seconds", wait=0.05, times=1)
    whole(erp.connector().read())


def test_server_error_once(case: ConnectorCase, erp: Erp) -> None:
    """One 500 is tried again, and leaves no trace."""
    erp.put(crowd(1))
    erp.fault("server-error", times=1)
    whole(erp.connector().read())


def test_server_error_for_good(case: ConnectorCase, erp: Erp) -> None:
    """500 for good is an ERP that is down."""
    erp.put(crowd(1))
    erp.fault("server-error")
    with pytest.raises(ErpUnreachable):
        erp.connector().read()


def test_timeout(case: ConnectorCase, erp: Erp) -> None:
    """No answer in time is an ERP that is down."""
    erp.put(crowd(1))
    erp.fault("timeout", wait=1.5)
    with pytest.raises(ErpUnreachable):
        erp.connector(http={"read_timeout": 0.5, "attempts": 1}).read()


def test_html(case: ConnectorCase, erp: Erp) -> None:
    """A web page in place of data is not data."""
    erp.put(crowd(1))
    erp.fault("html")
    with pytest.raises(expected(case, "html", ContractChanged)):
        erp.connector().read()


def test_truncated(case: ConnectorCase, erp: Erp) -> None:
    """What is cut is refused whole."""
    erp.put(crowd(2))
    erp.fault("truncated")
    with pytest.raises(expected(case, "truncated", ErpUnreachable)):
        erp.connector().read()


def test_error_in_200(case: ConnectorCase, erp: Erp) -> None:
    """An error that calls itself a success is an error all the same."""
    erp.put(crowd(1))
    erp.fault("error-in-200")
    with pytest.raises(ConnectorError):
        erp.connector().read()


@pytest.mark.parametrize("kind", get_args(HostileFault))
def test_hostile_answer(case: ConnectorCase, erp: Erp, kind: str) -> None:
    """What no ERP should answer is an error in plain words, not a traceback, and leads nowhere else."""
    erp.put(crowd(1))
    erp.fault(kind)
    with pytest.raises(ConnectorError) as told:
        erp.connector().read()
    assert told.value.what.endswith(".")
    assert "elsewhere" not in str(told.value)


@pytest.mark.parametrize("kind", ["redirect", "nested", "surrogate", "blank"])
def test_hostile_page_later(case: ConnectorCase, erp: Erp, kind: str) -> None:
    """The same after a whole page: that page is kept, and nothing is certified."""
    erp.put(crowd(case.page + 1))
    erp.fault(kind, from_page=2)
    assert partial(erp.connector().read()).customers.height == case.page


def test_answer_too_large(case: ConnectorCase, erp: Erp) -> None:
    """An answer beyond `http.max_bytes` is not taken in."""
    erp.put(crowd(case.page))
    with pytest.raises(ContractChanged):
        erp.connector(http={"max_bytes": 10}).read()


def test_time_is_up(case: ConnectorCase, erp: Erp) -> None:
    """A reading that takes longer than `http.max_seconds` is ended."""
    erp.put(crowd(1))
    with pytest.raises(ErpUnreachable):
        erp.connector(http={"max_seconds": 1e-6}).read()


def test_file_missing(case: ConnectorCase, erp: Erp) -> None:
    """No file where the settings say there is one."""
    erp.put(crowd(1))
    erp.fault("missing")
    with pytest.raises(FileMissing):
        erp.connector().read()
    with pytest.raises(FileMissing):
        erp.connector().check()


def test_wrong_address(case: ConnectorCase, erp: Erp) -> None:
    """An address that leads nowhere is said to be one, before anything else."""
    connector = erp.connector()
    connector.connection = type(connector.connection)("c", "gopher://x", "login", "secret")
    with pytest.raises(SettingsWrong):
        connector.read()


# What the ERP states ----------------------------------------------------------------------------


def test_archived(case: ConnectorCase, erp: Erp) -> None:
    """Archived records are stated as such, although the ERP's own lists hide them (R5)."""
    one, other = crowd(2)
    ids = erp.put([one, Someone(other.key, email=other.email, status="archived")])
    reading = whole(erp.connector().read())
    assert by_id(reading)[ids[other.key]]["status"] in ("archived", "former")
    assert by_id(reading)[ids[one.key]]["status"] == "active"


def test_unknown_status(case: ConnectorCase, erp: Erp) -> None:
    """A status that is not understood is `unknown`, and the ERP's word is kept (R3)."""
    ids = erp.put([Someone("x", email="x@example.com", status="Wombat")])
    row = by_id(whole(erp.connector().read()))[ids["x"]]
    assert (row["status"], row["status_raw"]) == ("unknown", "Wombat")


def test_known_status(case: ConnectorCase, erp: Erp) -> None:
    """Every status is one of the canonical ones; the ERP's own word is kept only where it is unknown."""
    erp.put(crowd(2))
    customers = whole(erp.connector().read()).customers
    assert set(customers["status"]) <= set(STATUSES)
    assert customers["status_raw"].null_count() == 2


def test_inactive_group(case: ConnectorCase, erp: Erp) -> None:
    """An inactive group is held, listed, and inactive (R3)."""
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("old"), Held("gold")))])
    reading = whole(erp.connector().read())
    held = {g["id"] for g in by_id(reading)[ids["x"]]["groups"]}
    assert held == {erp.group_ids["old"], erp.group_ids["gold"]}
    active = dict(reading.groups.select("id", "active").iter_rows())
    assert active[erp.group_ids["old"]] is False
    assert active[erp.group_ids["gold"]] is True


def test_unknown_group(case: ConnectorCase, erp: Erp) -> None:
    """A group that the ERP's own list does not have stays with its holder (GROUP_UNKNOWN)."""
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("gold"),))], [Kind("a", "A")])
    reading = whole(erp.connector().read())
    (held,) = by_id(reading)[ids["x"]]["groups"]
    assert held["id"] not in set(reading.groups["id"])


def test_group_until(case: ConnectorCase, erp: Erp) -> None:
    """The last day of what somebody holds is handed on, also when it is over (R3)."""
    last = date(2026, 11, 30)
    ids = erp.put([Someone("x", email="x@example.com", groups=(Held("gold", until=last),))])
    (held,) = by_id(whole(erp.connector().read()))[ids["x"]]["groups"]
    assert held["valid_until"] == last


def test_guardian(case: ConnectorCase, erp: Erp) -> None:
    """A dependant names its owner by id (R8)."""
    owner = Someone("owner", email="family@example.com")
    ids = erp.put([owner, Someone("child", guardian="owner")])
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["child"]]["guardian_id"] == ids["owner"]
    assert rows[ids["owner"]]["guardian_id"] is None


def test_merge_stated(case: ConnectorCase, erp: Erp) -> None:
    """A record that the ERP replaced by another names it (R10)."""
    stays = Someone("stays", email="stays@example.com")
    ids = erp.put([stays, Someone("goes", email="goes@example.com", replaced_by="stays")])
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["goes"]]["replaced_by"] == ids["stays"]
    assert rows[ids["goes"]]["status"] != "active"
    assert rows[ids["stays"]]["email"] == "stays@example.com"


def test_email_change_without_a_stamp(case: ConnectorCase, erp: Erp) -> None:
    """A new email is seen, whether or not the ERP says that the record changed (R9)."""
    ids = erp.put(crowd(2))
    erp.connector().read()
    erp.set_email(ids["p1"], "new@example.com")
    rows = by_id(whole(erp.connector().read()))
    assert rows[ids["p1"]]["email"] == "new@example.com"
    assert rows[ids["p0"]]["email"] == "p0@example.com"


def test_unicode_and_null(case: ConnectorCase, erp: Erp) -> None:
    """Names of any script, and no name, email or phone at all."""
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
    """A record without any name is a record."""
    ids = erp.put([Someone("x", None, None, "x@example.com")])
    row = by_id(whole(erp.connector().read()))[ids["x"]]
    assert (row["first_name"], row["last_name"]) == (None, None)


def test_shared_email(case: ConnectorCase, erp: Erp) -> None:
    """No ERP but one keeps emails apart: both records are handed on, judging is not our work (R7)."""
    erp.put([Someone("a", email="same@example.com"), Someone("b", email="same@example.com")])
    customers = whole(erp.connector().read()).customers
    assert list(customers["email"]) == ["same@example.com"] * 2


# What must not leak (R19) -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 7])
def test_schemas(case: ConnectorCase, erp: Erp, count: int) -> None:
    """The frames are exactly the canonical ones, empty or not."""
    erp.put(crowd(count))
    reading = erp.connector().read()
    assert reading.customers.schema == CUSTOMER_SCHEMA
    assert reading.groups.schema == GROUP_SCHEMA
    assert set(reading.column_of) <= set(CUSTOMER_SCHEMA)
    assert set(reading.column_of.values()) <= set(reading.columns)


def test_only_what_is_needed(case: ConnectorCase, erp: Erp) -> None:
    """A bank account in a field of the ERP does not come past the door."""
    erp.put(crowd(2))
    assert CANARY not in cells(erp.connector().read())


def test_group_list(case: ConnectorCase, erp: Erp) -> None:
    """Every group that is held is in the list, once, by the ERP's own name."""
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
    """Neither the sentence, nor the traceback's chain, nor the log holds a secret or a person (R19)."""
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


def test_a_whole_reading_logs_no_person(
    case: ConnectorCase, erp: Erp, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at DEBUG (R19)."""
    caplog.set_level(logging.DEBUG)
    erp.put(crowd(case.page + 1))
    connector = erp.connector()
    connector.read()
    nothing_leaked(erp, caplog.text + connector.check())


def test_check_is_a_sentence(case: ConnectorCase, erp: Erp) -> None:
    """`check` says what it found."""
    erp.put(crowd(1))
    said = erp.connector().check()
    assert said.endswith(".")
    assert said[0].isupper() or said[0].isdigit()


# The declarations -------------------------------------------------------------------------------


def test_every_connector_is_here() -> None:
    """A connector of the registry without a case is one that nobody holds to the contract."""
    assert {case.name for case in CASES} == set(CONNECTORS)


def test_reasons_are_given() -> None:
    """What is not applicable names a check that exists, and a reason; no check is applied to nobody."""
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
