"""R26: after an outage the next run catches up; what was missed can be filled in, in any order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club


def _outage(club: Club) -> None:
    """Two people, an hour without an ERP, in which one leaves and another comes."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    for _ in range(12):
        assert club.attempt()["error"] == "The ERP did not answer."
    club.erp.remove("1")
    club.erp.put("3", "c@x.fr")
    assert club.inside() == {"1", "2"}, "nobody lost or gained access by the outage"
    club.erp.fault = None


def test_r26_the_next_run_catches_up_by_itself(club: Club) -> None:
    """ "After an ERP outage the next run catches up by itself": one run, whatever was missed."""
    _outage(club)
    step = club.sync()
    assert step["certified"]
    assert club.inside() == {"2", "3"}
    assert club.kinds() == {"addition": 1, "deactivation": 1}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_r26_a_backfill_over_the_outage_is_safe_in_any_order(
    club: Club, order: tuple[int, ...]
) -> None:
    """ "A backfill over the outage is safe in any order (R16): where the ERP can answer for the past ... it
    fills the history": the base stays what the newest reading made it."""
    _outage(club)
    club.sync()
    base, changes, stored = club.base(), club.changes(), _stored(club)
    past = [club.now - timedelta(minutes=minutes) for minutes in (50, 30, 10)]
    for which in order:
        club.erp.put("1", f"then{which}@x.fr")
        step = club.sync(as_of=past[which])
        assert (step["rows_written"], step["used"]) == (0, False)
    assert (club.base(), club.changes()) == (base, changes)
    assert _stored(club) == stored + 3, "the history has them"


def test_r26_runs_that_were_missed_collapse_into_one(club: Club) -> None:
    """ "where it cannot, the missed runs collapse into one certified run": once it has read, no interval of
    the outage finds anything left to do."""
    _outage(club)
    moment = club.now
    club.sync()
    missed = [moment - timedelta(minutes=5 * n) for n in range(12)]
    assert [club.pipeline().due(club.config.erp, at) for at in missed] == [[]] * 12


def _stored(club: Club) -> int:
    return len(club.rows("select 1 from sync.snapshot where club = %s", club.number))
