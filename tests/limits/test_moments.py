"""A day or a moment that a clock cannot show stops nobody: at the door, in the schema, and where it is stored."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clubsync import clock
from clubsync.cli.common import moment as typed
from clubsync.errors import ConfigError
from clubsync.i18n import Messages
from clubsync.store.database import SQL, Base
from connectors.sdk import moments
from connectors.sdk.base import Club as ConnectorClub
from connectors.sdk.dates import Dates, Kind
from tests.support.club import Club
from tests.support.owner import as_owner
from tests.support.rules import NewClub

#: Clocks at both ends of the day, and those with the oddest histories.
ZONES = [
    *("Pacific/Kiritimati", "Pacific/Auckland", "Europe/Paris", "UTC", "America/New_York"),
    *("Pacific/Pago_Pago", "Etc/GMT+12", "Africa/Monrovia", "Asia/Kathmandu"),
]
EDGES = [
    *("0001-01-01T00:00:00", "0001-01-01", "0001-01-01T00:00:00+14:00", "0000-00-00"),
    *("9999-12-31T23:59:59", "9999-12-31", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"),
    *("10000-01-01", "262143-01-01T00:00:00Z", "-0001-01-01", "0000-12-31T23:59:59"),
    *("5874897-12-31", "infinity", "-infinity", "1799-12-31", "9001-01-01"),
    *("1800-01-01T00:00:00+14:00", "8999-12-31T23:59:59-12:00", "-62135596800", "253402300799"),
    *("99999999999999999999", "-99999999999999999999", "2958465", "2958466"),
]


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_read_of_any_date_can_be_shown_on_every_clock(zone: str) -> None:
    """In columns and one by one, of every kind."""
    dates = Dates(ConnectorClub("gym", ZoneInfo(zone), "FR"))
    frame = dates.read(
        pl.DataFrame(dict.fromkeys(("birth_date", "valid_until", "created_at"), EDGES))
    )
    found: list[object] = [dates.moment(text) for text in EDGES]
    found += [dates.day(text, kind) for text in EDGES for kind in Kind]
    for column in ("birth_date", "valid_until", "created_at"):
        found += frame[column].to_list()
    for one in found:
        assert shown_everywhere(one), one


def shown_everywhere(one: object) -> bool:
    """Whether every clock can show it; what is no date can be."""
    if isinstance(one, datetime):
        assert all(one.astimezone(ZoneInfo(zone)) for zone in ZONES)
        return moments.in_range(one) is not None
    return not isinstance(one, date) or moments.day_in_range(one)


@given(st.datetimes() | st.datetimes(timezones=st.timezones()))
def test_what_is_in_range_is_so_on_every_clock(moment: datetime) -> None:
    found = moments.in_range(moment)
    if found is not None:
        assert shown_everywhere(found)
        assert found.tzinfo is UTC


@given(st.floats() | st.integers() | st.integers(-(2**40), 2**40))
def test_any_number_is_a_moment_or_none(seconds: float) -> None:
    found = moments.of_timestamp(seconds)
    assert found is None or shown_everywhere(found)


@pytest.mark.parametrize("text", [e for e in EDGES if moments.of_text(e) is None])
def test_a_clock_and_a_time_that_nobody_can_show_are_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    monkeypatch.setenv("CLUBSYNC_NOW", text)
    with pytest.raises(ConfigError, match="between the years 1800 and 9000"):
        clock.now()
    with pytest.raises(typer.BadParameter):
        typed(text)


def test_a_message_with_such_a_time_is_shown_as_it_is() -> None:
    said = "It was written 0001-01-01 00:00 UTC."
    assert "0001-01-01" in Messages("fr", ZoneInfo("America/New_York")).translate(said)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
def test_a_club_is_synced_and_erased_whatever_the_dates(new_club: NewClub, zone: str) -> None:
    """`as_of` at either end of time, too."""
    club = new_club(timezone=zone)
    club.erp.put("1", "a@x.fr")
    club.sync()
    for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        step = club.attempt(as_of=moment)
        assert step["runbook"] == "reading-not-used", step["error"]
    club.erp.put("2", "b@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}


COLUMNS = {
    "erp_customer": ("birth_date", "valid_from", "valid_until", "created_at"),
    "snapshot": ("as_of", "read_at", "began_at"),
    "club_state": ("certified_as_of", "next_recheck", "last_attempt_at", "next_read_at"),
}


@pytest.mark.parametrize("bad", ["0001-01-01 BC", "1799-12-30", "9999-12-31", "infinity"])
def test_the_schema_takes_no_such_day(club: Club, bad: str) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    for table, columns in COLUMNS.items():
        for column in columns:
            with pytest.raises(psycopg.errors.CheckViolation), club.driver() as driver:
                driver.execute(f"update sync.{table} set {column} = %s", [bad])


def test_what_an_earlier_version_stored_is_repaired(database: str) -> None:
    """A mirror with such days made every sync, and even an erasure, end in a traceback."""
    base = Base(database)
    with as_owner(base) as driver:
        driver.execute("alter table sync.erp_customer drop constraint erp_customer_moments")
        driver.execute("alter table sync.snapshot drop constraint snapshot_moments")
        driver.execute("alter table sync.club_state drop constraint club_state_moments")
        driver.execute(
            "insert into base.club (club_id, name, erp, created_at) values ('a', 'A', 'csv', now())"
        )
        driver.execute("insert into sync.club_state (club) select club from base.club")
        driver.execute(
            "update sync.club_state set certified_as_of = '9999-12-31 23:59:59-12', next_recheck = 'infinity', "
            "next_read_at = '12000-01-01Z', last_attempt_at = '0001-01-01Z'"
        )
        driver.execute(
            "insert into sync.snapshot (club, as_of, read_at, certified, customers, rows_read, content_hash, path) "
            "select club, '0001-01-01 00:00:00+02 BC', now(), true, 1, 1, 'x', 'x' from base.club"
        )
        driver.execute(
            "insert into sync.erp_customer (club, erp_id, status, row_hash, as_of, snapshot, first_seen, access, "
            "birth_date, valid_from, valid_until, created_at, groups) select club, '1', 'active', 1, "
            "'9999-12-31 23:59:59-12', 1, '9999-12-31 23:59:59-12', 'yes', '0044-03-15 BC', '0001-01-01', 'infinity', "
            "'0001-01-01 00:00:00+02', "
            """'[{"id":"g","valid_from":"0001-01-01","valid_until":"+10000-01-01"},"""
            """{"id":"h","valid_from":"2026-01-01","valid_until":"2027-01-01"}]' from base.club"""
        )
        text = (SQL / "migrations" / "0018_moments.sql").read_text(encoding="utf-8")
        driver.execute(text.encode(), prepare=False)
    with as_owner(base) as driver:
        (row,) = driver.execute(
            "select birth_date, valid_from, valid_until, created_at, as_of, first_seen, groups from sync.erp_customer"
        ).fetchall()
        assert row[:4] == (None, None, None, None)
        assert [moment.year for moment in row[4:6]] == [9000, 9000]
        assert row[6] == (
            '[{"id":"g","valid_from":null,"valid_until":null},'
            '{"id":"h","valid_from":"2026-01-01","valid_until":"2027-01-01"}]'
        )
        (as_of,) = driver.execute("select as_of from sync.snapshot").fetchone() or (None,)
        assert as_of is not None
        assert as_of.year == 1800
        (state,) = driver.execute(
            "select certified_as_of, next_recheck, next_read_at, last_attempt_at from sync.club_state"
        ).fetchall()
        assert [one and one.year for one in state] == [9000, None, None, 1800]
    base.close()
