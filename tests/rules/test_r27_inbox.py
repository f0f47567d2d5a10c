"""R27: nudges in the inbox: bursts, losses, doubles and disorder are harmless."""

from __future__ import annotations

from datetime import timedelta

from clubsync.operate import nudges
from clubsync.operate.retention import upkeep
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import ERP_NAME, Club

PATIENCE = timedelta(seconds=30)


def _nudge(club: Club, message: str) -> nudges.Received:
    received = nudges.receive(club._base, club.id, "webhook", message)
    assert received is not None
    return received


def _stranded(club: Club) -> list[str]:
    return [c for c in nudges.stranded(club._base, PATIENCE) if c == club.id]


def test_r27_a_burst_is_answered_by_one_run(club: Club) -> None:
    """However many come in before a reading begins, doubled and out of order: one run's id."""
    club.sync()
    runs = {_nudge(club, f"m{n % 50}").run_id for n in reversed(range(100))}
    assert len(runs) == 1
    waiting = club.rows("select count(*) from sync.nudge where club = %s", club.number)
    assert waiting == [(50,)], "a double is the same nudge"
    club.sync()
    assert nudges.stranded(club._base, timedelta(0)).get(club.id) is None


def test_r27_a_nudge_during_a_reading_asks_for_another(club: Club) -> None:
    """What the ERP says of may have come after the page that was read: it is read once more."""
    club.sync()
    first = _nudge(club, "before").run_id
    club.sync()
    assert _nudge(club, "after").run_id not in (None, first)


def test_r27_a_nudge_whose_run_was_lost_is_swept(club: Club) -> None:
    club.sync()
    lost = _nudge(club, "lost")
    assert club.pipeline().due(ERP_NAME, club.now) == [], "its own run is on its way"
    club.later(minutes=1)
    assert nudges.stranded(club._base, PATIENCE)[club.id] == lost.run_id
    assert club.pipeline().due(ERP_NAME, club.now) == [club.id]
    club.sync()
    assert _stranded(club) == []


def test_r27_a_message_that_was_answered_starts_nothing_when_it_comes_again(club: Club) -> None:
    club.sync()
    _nudge(club, "once")
    club.sync()
    again = _nudge(club, "once")
    assert (again.fresh, again.run_id) == (False, None)


def test_r27_a_club_that_was_never_read_waits_for_its_schedule(club: Club) -> None:
    assert nudges.receive(club._base, "nobody-knows", "webhook", "1") is None


def test_r27_a_club_in_quarantine_is_not_read_more_often_by_nudges(club: Club) -> None:
    """Its ERP is asked rarely until it answers (R25); a person's wish is heard all the same."""
    club.sync()
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    for _ in range(8):
        club.attempt()
    nudged = _nudge(club, "while it is down")
    assert (nudged.fresh, nudged.run_id) == (True, None)
    wish = nudges.receive(club._base, club.id, "by Ann", "1", by_person=True)
    assert wish is not None
    assert wish.run_id is not None


def test_r27_an_answered_nudge_goes_after_a_while(club: Club) -> None:
    """Who sends one at every change would fill the inbox; one that waits for its reading stays."""
    club.sync()
    _nudge(club, "answered")
    club.later(minutes=1)
    club.sync()
    _nudge(club, "waiting")
    club.later(days=31)
    pipeline = club.pipeline()
    upkeep(pipeline.base, pipeline.store, pipeline.config, timedelta(days=30))
    left = club.rows("select message_id from sync.nudge where club = %s", club.number)
    assert left == [("waiting",)]
