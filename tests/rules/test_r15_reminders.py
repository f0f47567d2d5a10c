"""R15: whoever gets the alerts is reminded of a hold that nobody decides, once an interval."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.config import Config, Guard
from clubsync.manual import lifecycle
from clubsync.operate import reminders
from clubsync.operate.reminders import Reminder
from tests.support.club import Club
from tests.support.rules import NewClub

URL = "https://airflow.example.org/"


@pytest.fixture
def club(new_club: NewClub) -> Club:
    """Four of its twenty customers await a decision, of whom somebody is reminded after six hours."""
    club = new_club(guard=Guard(share=0.1, at_least=2, remind_after=timedelta(hours=6)))
    for i in range(20):
        club.erp.put(str(i), f"p{i}@x.fr", last_name=f"Surname{i}")
    club.sync()
    club.erp.remove("1", "2", "3", "4")
    club.sync()
    return club


def due(club: Club) -> Reminder | None:
    return reminders.due(club._base, Config(clubs=(club.config,)), URL)


def send(club: Club) -> str | None:
    """Look, as upkeep does every minute, and send what is due; what it says."""
    reminder = due(club)
    if reminder is not None:
        reminders.mark_sent(club._base, reminder, "clubsync_alerts (E-mail)")
    return None if reminder is None else reminder.body


def test_r15_a_hold_is_reminded_of_once_an_interval_until_it_is_decided(club: Club) -> None:
    assert send(club) is None
    club.later(hours=5)
    assert send(club) is None
    club.later(hours=1)
    told = send(club)
    assert told is not None
    assert "4 of 20 customers would lose access (no longer in the ERP: 4 customers)" in told
    ((hold,),) = club.rows("select hold from sync.hold where club = %s", club.number)
    assert f"{URL}plugin/clubs/clubsync/pages/clubs/{club.id}/holds/{hold}" in told
    sent = 1
    for _ in range(24):
        club.later(minutes=30)
        sent += send(club) is not None
    assert sent == 3, "after 6, 12 and 18 hours"
    rows = club.rows("select told from sync.hold_reminder where club = %s", club.number)
    assert rows == [("clubsync_alerts (E-mail)",)] * 3
    club.pipeline().reject(hold, "Ann")
    club.later(days=3)
    assert send(club) is None


def test_r15_a_reminder_that_could_not_be_sent_is_due_still(club: Club) -> None:
    club.later(hours=7)
    assert due(club) is not None
    club.later(minutes=1)
    assert due(club) is not None
    assert send(club) is not None
    assert due(club) is None


def test_r15_nobody_is_reminded_where_nobody_wants_it_or_the_club_is_paused(club: Club) -> None:
    club.later(days=3)
    lifecycle.pause(club._base, club.config, True)
    assert due(club) is None
    lifecycle.pause(club._base, club.config, False)
    assert due(club) is not None
    club.configure(guard=Guard(share=0.1, at_least=2, remind_after=None))
    assert due(club) is None


def test_r15_r19_a_reminder_has_no_personal_data(club: Club) -> None:
    club.later(days=3)
    reminder = due(club)
    assert reminder is not None
    said = f"{reminder.title} {reminder.body}"
    assert "Surname" not in said
    assert "@" not in said
