"""Promises of freshness, incidents reported once when they open and once when they close, and quarantine (R25)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.config import Config, Promise
from clubsync.extract import schedule
from clubsync.manual import lifecycle
from clubsync.operate import freshness
from connectors.sdk.errors import ErpUnreachable, RateLimited
from tests.support.club import ERP_NAME, Club

MINUTE = timedelta(minutes=1)


def _config(club: Club) -> Config:
    return Config(clubs=(club.config,))


def _watch(club: Club) -> list[str]:
    """One check by upkeep: the lines that it reports of this club, marked as sent."""
    messages = freshness.watch(club._base, _config(club))
    ours = [m for m in messages if any(number == club.number for number, _ in m.incidents)]
    for message in messages:
        freshness.mark_sent(club._base, message)
    return [line for m in ours for line in m.body.splitlines() if f"({club.id})" in line]


def _down(club: Club, minutes: int) -> None:
    """The ERP is down and the club is tried whenever it is due."""
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    end = club.now + timedelta(minutes=minutes)
    while club.now < end:
        if club.pipeline().due(ERP_NAME, club.now + 5 * MINUTE) == [club.id]:
            club.attempt()
        else:
            club.later()


def test_r25_a_promise_is_three_times_the_cadence_unless_said_otherwise(club: Club) -> None:
    assert club.config.promised == Promise(read=15 * MINUTE, complete=timedelta(hours=3), data=None)
    club.configure(every="1h", promise={"read": "90m", "data": "26h"})
    assert club.config.promised.read == 90 * MINUTE
    assert club.config.promised.data == timedelta(hours=26)


def test_r25_one_message_when_a_promise_is_broken_and_one_when_it_is_kept(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    assert _watch(club) == []
    _down(club, 20)
    (told,) = _watch(club)
    assert "has not been read since 02 March, 10:05 UTC" in told
    assert "The ERP did not answer." in told
    _down(club, 60)
    assert _watch(club) == [], "one message per incident, however many runs fail"
    club.erp.fault = None
    club.sync()
    (told,) = _watch(club)
    assert "recovered after" in told
    assert _watch(club) == []


def test_r25_partial_readings_keep_one_promise_and_break_the_other(club: Club) -> None:
    club.configure(promise={"complete": "30m"})
    club.erp.put("1", "a@x.fr")
    club.sync()
    for _ in range(7):
        club.sync(certified=False)
    (told,) = _watch(club)
    assert "has had no complete read since 02 March, 10:05 UTC" in told


def test_r25_what_ended_before_anybody_was_told_is_not_told(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    _down(club, 20)
    freshness.watch(club._base, _config(club))
    club.erp.fault = None
    club.sync()
    assert _watch(club) == []


def test_r25_a_paused_club_promises_nothing(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    lifecycle.pause(club._base, club.config, paused=True)
    club.later(hours=9)
    assert _watch(club) == []


@pytest.mark.parametrize(
    ("failing", "pause"),
    [(0, None), (19, None), (20, None), (24, 6), (60, 15), (180, 45), (240, 60), (6000, 60)],
)
def test_r25_the_longer_it_fails_the_longer_it_is_left_alone(
    club: Club, failing: int, pause: int | None
) -> None:
    found = schedule.pause(club.now, club.now + failing * MINUTE, 5 * MINUTE)
    assert found == (None if pause is None else pause * MINUTE)


def test_r25_a_club_that_keeps_failing_is_asked_ever_more_rarely_and_success_lifts_it(
    club: Club,
) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    _down(club, 240)
    tries = club.rows(
        "select count(*) from sync.run where club = %s and state = 'failed'", club.number
    )
    assert tries[0][0] < 15, "of 48 that its cadence would have"
    assert club.last is not None
    assert club.last["until"] > club.now.isoformat()
    club.erp.fault = None
    while club.pipeline().due(ERP_NAME, club.now) != [club.id]:
        club.later()
    club.sync()
    assert club.rows(
        "select failing_since, quarantined_until from sync.club_state where club = %s", club.number
    ) == [(None, None)]
    assert club.pipeline().due(ERP_NAME, club.now + 5 * MINUTE) == [club.id]


def test_r25_a_person_lifts_the_quarantine(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    _down(club, 120)
    assert club.pipeline().due(ERP_NAME, club.now) == []
    lifecycle.pause(club._base, club.config, paused=False)
    assert club.pipeline().due(ERP_NAME, club.now) == [club.id]


def test_r25_an_erp_that_asks_for_a_longer_pause_gets_it(club: Club) -> None:
    club.erp.put("1", "a@x.fr")
    club.sync()
    _down(club, 60)
    club.erp.fault = RateLimited("Too many requests.", retry_after=timedelta(hours=3))
    club.attempt()
    assert club.pipeline().due(ERP_NAME, club.now + 179 * MINUTE) == []
    assert club.pipeline().due(ERP_NAME, club.now + 180 * MINUTE) == [club.id]


def test_r25_decisions_and_replays_say_nothing_of_the_erp(club: Club) -> None:
    """A plan from a stored snapshot neither ends a club's failure nor makes the club look fresh."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    _down(club, 30)
    before = club.rows(
        "select failing_since, last_success_at from sync.club_state where club = %s", club.number
    )
    club.pipeline().replay(club.id)
    after = club.rows(
        "select failing_since, last_success_at from sync.club_state where club = %s", club.number
    )
    assert after == before
    assert before[0][0] is not None
