"""R28: a first sync that awaits approval is shown: who gets access, who does not and why; R15: and so approved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clubsync.errors import ActionRejected
from clubsync.explain import review
from clubsync.explain.wording import Words
from clubsync.manual import first_syncs, holds
from clubsync.store.database import queries
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club


def everybody(club: Club) -> dict[str, dict[str, object]]:
    """Each record of the review, by its id, with why."""
    with club.driver() as driver:
        row = queries().first_sync_plan(driver, club=club.number)
        assert row is not None
        frame = review.of_plan(driver, club.pipeline().store, club.number, club.config, row)
    words = Words(club.config.name, club.config.zone, "en", str, to_viewer=False)
    return {row["erp_id"]: {**row, "why": review.sentence(row, words)} for row in frame.to_dicts()}


@pytest.fixture
def waiting(club: Club) -> Club:
    """A club of which somebody wants to see the first plan."""
    club.configure(first_sync="review", former_groups=("Old",))
    club.erp.group("Gold")
    club.erp.group("Off", active=False)
    club.erp.group("Old")
    club.erp.put("in", "in@x.fr", groups=["Gold"])
    club.erp.put("first", "two@x.fr", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    club.erp.put("second", "two@x.fr", created_at=datetime(2021, 1, 1, tzinfo=UTC))
    club.erp.put("off", "off@x.fr", groups=["Off"])
    club.erp.put("old", "old@x.fr", groups=["Old"])
    club.erp.put("gone", "gone@x.fr", status="archived")
    club.erp.put("none", None)
    club.erp.put("child", "in@x.fr", guardian_id="in")
    club.add_by_hand("hand@x.fr")
    club.erp.put("hand", "hand@x.fr")
    return club


def test_r28_everybody_of_the_reading_gets_access_or_not_with_the_engines_reason(
    waiting: Club,
) -> None:
    waiting.sync()
    found = everybody(waiting)
    assert set(found) == set(waiting.erp.records)
    gets_access = {erp_id for erp_id, row in found.items() if row["change"]}
    why = {erp_id: str(row["why"]) for erp_id, row in found.items()}
    assert "another record has the same email" in why["second"]
    assert found["second"]["other"] == "first"
    assert "all of their groups in the ERP are inactive" in why["off"]
    assert "group of former customers" in why["old"]
    assert "family member" in why["child"]
    assert found["child"]["other"] == "in"
    assert why["in"] == "eligible"
    assert found["none"]["codes"] == [{"code": "EMAIL_MISSING", "severity": "error"}]
    # what was shown is what loads
    plan = everybody(waiting) and first_syncs.approval_request(waiting._base, waiting.config)
    assert plan
    waiting.pipeline().approve_first_sync(waiting.id, "ann", plan.list_hash)
    loaded = {row["erp_id"] for row in waiting.base().values() if row["in_customers_group"]}
    assert gets_access == loaded == {"in", "first", "hand"}


def test_r28_a_failure_before_it_is_over_when_the_club_is_read(club: Club) -> None:
    """The club is not called failing any more, although nothing is loaded yet; approved, it counts as read."""
    club.configure(first_sync="review")
    club.erp.put("1", "a@x.fr")
    club.erp.fault = ErpUnreachable("It does not answer.", remedy="Wait.")
    club.attempt()
    sql = (
        "select failing_since is not null, last_error is not null, last_success_at is not null"
        " from sync.club_state where club = %s"
    )
    assert club.rows(sql, club.number) == [(True, True, False)]
    club.erp.fault = None
    step = club.sync()
    assert step["held"]
    assert club.rows(sql, club.number) == [(False, False, False)]
    assert step["hold"] is not None
    club.pipeline().approve_first_sync(club.id, "ann", step["hold"]["list_hash"])
    assert club.rows(sql, club.number) == [(False, False, True)], "loaded at once"


def started(club: Club) -> list[str]:
    """Start the run that asks about the plan, as `upkeep` does, where none has; the run."""
    base = club.pipeline().base
    rows = [row for row in first_syncs.unasked(base) if row["club_id"] == club.id]
    return [first_syncs.claim(base, row) for row in rows]


def told(club: Club) -> list[str]:
    """Runs that are told to look again."""
    rows = first_syncs.obsolete_requests(club.pipeline().base)
    return [row["run_id"] for row in rows if row["club_id"] == club.id]


def test_r28_a_first_sync_has_one_open_request_which_the_newest_plan_takes_over(club: Club) -> None:
    """As a hold has (R15): when the plan changes, not when a sync makes the same again."""
    club.configure(first_sync="review")
    club.erp.put("1", "a@x.fr")
    club.sync()
    (run,) = started(club)
    request = first_syncs.approval_request(club._base, club.config)
    assert request is not None
    assert request.subject.endswith("the first sync would add 1 customer")
    request.mark_shown(club._base, run)
    club.sync()
    assert (started(club), told(club), holds.outdated(club._base, run)) == ([], [], False)
    club.erp.put("2", "b@x.fr")
    club.sync()
    assert holds.outdated(club._base, run)
    assert (started(club), told(club), told(club)) == ([], [run], [])
    holds.close_request(club._base, run)
    (second,) = started(club)
    newer = first_syncs.approval_request(club._base, club.config)
    assert newer is not None
    assert newer.list_hash != request.list_hash
    newer.mark_shown(club._base, second)
    with pytest.raises(ActionRejected, match="a newer sync has changed it"):
        club.pipeline().approve_first_sync(club.id, "ann", request.list_hash)
    assert told(club) == []
    club.pipeline().approve_first_sync(club.id, "ann", newer.list_hash)
    assert (started(club), told(club)) == ([], [second]), "approved elsewhere: its run ends"
    assert holds.outdated(club._base, second)
    holds.close_request(club._base, second)
    club.later(minutes=11)
    assert (started(club), told(club)) == ([], [])


def test_r28_r19_a_request_names_nobody(waiting: Club) -> None:
    waiting.sync()
    request = first_syncs.approval_request(waiting._base, waiting.config)
    assert request is not None
    text = request.markdown("https://x.example/first-sync")
    assert "@x.fr" not in text
    assert "2 additions" in text
    assert request.list_hash in text
