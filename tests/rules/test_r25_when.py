"""R25: every club is read on its own cadence; a failed one does not hold up the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.config import Config
from clubsync.pipeline.engine import Pipeline
from connectors.sdk.errors import ErpUnreachable, RateLimited
from tests.support.club import ERP_NAME, Club
from tests.support.rules import NewClub


def together(*clubs: Club) -> Pipeline:
    """One pipeline over several clubs."""
    pipeline = clubs[0].pipeline()
    config = Config(clubs=tuple(club.config for club in clubs))
    return Pipeline(config, pipeline.base, pipeline.store, resolve=pipeline.resolve)


def test_r25_each_on_its_own_cadence(new_club: NewClub) -> None:
    """ "its own cadence in minutes (default 5, down to 1)": due again at the next full slot."""
    fast, slow = new_club(every="1m"), new_club()
    for club in (fast, slow):
        club.erp.put("1", "a@x.fr")
    fast.at("2026-03-02T10:00:10")
    pipeline = together(fast, slow)
    assert pipeline.due(ERP_NAME, fast.now) == [fast.id, slow.id]
    for step in pipeline.sync([fast.id, slow.id], "test"):
        assert step["error"] is None
    due = {
        seconds: pipeline.due(ERP_NAME, fast.now + timedelta(seconds=seconds))
        for seconds in (10, 49, 50, 289, 290)
    }
    assert due == {
        10: [],
        49: [],
        50: [fast.id],
        289: [fast.id],
        290: [fast.id, slow.id],
    }


def test_r25_asked_for_by_hand(new_club: NewClub) -> None:
    """By id or by name, whatever the cadence; and of another ERP none."""
    one, two = new_club(), new_club()
    pipeline = together(one, two)
    assert pipeline.due(ERP_NAME, one.now, clubs=[two.id]) == [two.id]
    assert pipeline.due("csv", one.now) == []


def test_r25_a_failed_club_leaves_the_others_alone(new_club: NewClub) -> None:
    """ "A club that failed is retried alone, and does not hold up the others"."""
    well, ill = new_club(), new_club()
    for club in (well, ill):
        club.erp.put("1", "a@x.fr")
    ill.erp.fault = ErpUnreachable("The ERP did not answer.")
    steps = {step["club"]: step for step in together(well, ill).sync([ill.id, well.id], "test")}
    assert steps[ill.id]["error"] == "The ERP did not answer."
    assert steps[ill.id]["transient"]
    assert (steps[well.id]["error"], well.inside()) == (None, {"1"})


@pytest.mark.parametrize("minutes", [60])
def test_r25_a_wait_that_the_erp_asks_for_is_the_clubs_next_time(club: Club, minutes: int) -> None:
    """A 429 that says an hour: the club is due in an hour, not before."""
    club.erp.fault = RateLimited("Too many requests.", retry_after=timedelta(minutes=minutes))
    step = club.attempt()
    assert step["retry_after"] == minutes * 60
    pipeline = together(club)
    assert pipeline.due(ERP_NAME, club.now + timedelta(minutes=minutes - 1)) == []
    assert pipeline.due(ERP_NAME, club.now + timedelta(minutes=minutes)) == [club.id]


def test_r25_a_club_that_recovers_is_no_longer_failing(club: Club) -> None:
    """R26: the next run catches up by itself."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    club.attempt()
    club.attempt()
    sql = "select failures, failing_since is not null, last_error from sync.club_state where club = %s"
    assert club.rows(sql, club.number) == [(2, True, "The ERP did not answer.")]
    club.erp.fault = None
    club.erp.put("2", "b@x.fr")
    club.sync()
    assert club.rows(sql, club.number) == [(0, False, None)]
    assert club.inside() == {"1", "2"}
