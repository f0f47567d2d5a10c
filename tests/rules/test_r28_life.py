"""R28: a club's life; R14: what a person says of a snapshot that could not be believed; R1: epochs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clubsync.cli.clubs import _state
from clubsync.config import Config, Guard
from clubsync.errors import ActionRejected
from clubsync.manual import lifecycle
from clubsync.model import Step
from clubsync.operate.retention import upkeep
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import queries
from tests.support.club import ERP_NAME, Club
from tests.support.owner import as_owner


def _people(club: Club, count: int, prefix: str = "") -> None:
    for number in range(count):
        club.erp.put(f"{prefix}{number}", f"p{number}@x.fr")


def _tables(club: Club, number: int | None = None) -> set[str]:
    """The tables that have rows of the club."""
    number = club.number if number is None else number
    with as_owner(club._base) as driver:
        tables = driver.execute(
            "select c.oid::regclass::text from pg_class as c"
            " join pg_attribute as a on a.attrelid = c.oid and a.attname = 'club'"
            " where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('base', 'sync')"
        ).fetchall()
        return {
            table
            for (table,) in tables
            if driver.execute(f"select from {table} where club = %s limit 1", [number]).fetchone()
            is not None
        }


def _due(club: Club) -> list[str]:
    return club.pipeline().due(ERP_NAME, club.now + timedelta(hours=1))


def test_r28_paused_and_resumed(club: Club) -> None:
    """ "paused and resumed (kept in the data base, not in YAML)"."""
    _people(club, 2)
    club.sync()
    assert _due(club) == [club.id]
    lifecycle.pause(club._base, club.config, True)
    assert _due(club) == []
    lifecycle.pause(club._base, club.config, False)
    assert _due(club) == [club.id]


def test_r28_a_first_sync_for_review_waits_for_a_go(club: Club) -> None:
    """ "with `first_sync: review` waits as a plan for a person's go"."""
    club.configure(first_sync="review")
    _people(club, 3)
    step = club.sync()
    assert step["held"]
    assert step["rows_written"] == 0
    assert club.base() == {}
    approved = club.pipeline().approve_first_sync(club.id, "ann", _plan_of(step))
    assert (approved["error"], approved["hold"]) == (None, None)
    assert len(club.inside()) == 3
    club.erp.put("9", "p9@x.fr")
    club.sync()
    assert len(club.inside()) == 4


def _plan_of(step: Step) -> str:
    """The hash of the plan that awaits approval."""
    assert step["hold"] is not None
    assert step["hold"]["list_hash"] in step["hold"]["causes"][0]
    return str(step["hold"]["list_hash"])


def test_r28_a_first_sync_is_approved_by_its_exact_plan(club: Club) -> None:
    """As a hold is (R15): the plan that a person saw loads, and nothing that nobody has seen."""
    club.configure(first_sync="review")
    _people(club, 3)
    seen = _plan_of(club.sync())
    club.erp.put("9", "p9@x.fr")
    newer = _plan_of(club.sync())
    assert newer != seen
    for other in (seen, "0" * 16):
        with pytest.raises(ActionRejected, match="a newer sync has changed it") as rejected:
            club.pipeline().approve_first_sync(club.id, "ann", other)
        assert newer in str(rejected.value.remedy)
    assert club.base() == {}
    assert _plan_of(club.sync()) == newer
    club.pipeline().approve_first_sync(club.id, "ann", newer)
    assert len(club.inside()) == 4
    with pytest.raises(ActionRejected, match="No first sync"):
        club.pipeline().approve_first_sync(club.id, "ann", newer)


def test_r28_an_approval_that_did_not_load_approves_that_plan_only(club: Club) -> None:
    """Killed in between: the next sync loads what was approved; if the ERP has changed, a person looks again."""
    club.configure(first_sync="review")
    _people(club, 3)
    seen = _plan_of(club.sync())
    lifecycle.approve_first_sync(club._base, club.config, seen)
    club.erp.put("9", "p9@x.fr")
    assert _plan_of(club.sync()) != seen
    assert club.base() == {}
    club.erp.remove("9")
    assert club.sync()["hold"] is None
    assert len(club.inside()) == 3


def test_r28_what_a_person_did_since_makes_the_plan_another(club: Club) -> None:
    """Somebody was added by hand whom the plan would add: it is not loaded as it was approved."""
    club.configure(first_sync="review")
    _people(club, 3)
    step = club.sync()
    email = next(iter(club.erp.records.values()))["email"]
    club.add_by_hand(email)
    approved = club.pipeline().approve_first_sync(club.id, "ann", _plan_of(step))
    assert _plan_of(approved) != _plan_of(step)
    assert club.inside() == {email}


def test_r28_a_club_without_a_loaded_sync_is_not_called_fresh(club: Club) -> None:
    """In `clubsync clubs`: registered by a pause, then waiting for its first approval, then loaded."""

    def status() -> str:
        with club._base.reader() as driver:
            (row,) = (r for r in queries().club_overview(driver) if r["club_id"] == club.id)
        return _state(row, [])

    club.configure(first_sync="review")
    _people(club, 3)
    for paused in (True, False):
        lifecycle.pause(club._base, club.config, paused)
    assert status() == "never read"
    club.sync()
    club.sync(dry_run=True)
    assert status() == "held"
    club.pipeline().approve_first_sync(club.id, "ann", _plan_of(club.sync()))
    club.sync()
    assert status() == "ok"


def test_r28_confirmed_empty(club: Club) -> None:
    """An empty answer is an outage (R14), "until a person says the club is empty"; the guard still asks."""
    club.configure(guard=Guard())
    _people(club, 10)
    club.sync()
    for erp_id in list(club.erp.records):
        club.erp.remove(erp_id)
    step = club.attempt()
    assert step["error"] is not None
    assert "returned no customers" in step["error"]
    lifecycle.confirm_empty(club._base, club.config)
    step = club.sync()
    assert step["held"] == 10
    assert len(club.inside()) == 10


def test_r28_another_tenant_is_another_epoch(club: Club) -> None:
    """R1: "a club that changes its ERP or tenant starts a new epoch, in which people are found by email
    alone": the same ids mean other people; nobody loses id or access by the move itself."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.erp.put("3", "c@x.fr")
    club.sync()
    ids = {row["email"]: row["id"] for row in club.base().values()}
    lifecycle.move(club._base, club.config)
    assert len(club.inside()) == 3
    club.erp.put("1", "b@x.fr")
    club.erp.put("2", "a@x.fr")
    club.erp.remove("3")
    club.sync()
    after = {row["email"]: row for row in club.base().values()}
    assert {email: row["id"] for email, row in after.items()} == ids
    assert (after["b@x.fr"]["erp_id"], after["a@x.fr"]["erp_id"]) == ("1", "2")
    assert (after["c@x.fr"]["in_customers_group"], after["c@x.fr"]["reason"]) == (False, "gone")
    assert club.kinds() == {"adoption": 2, "deactivation": 1}


def test_r28_a_reading_of_the_old_erp_that_ends_after_the_move_is_not_used(club: Club) -> None:
    """R1: its ids mean the old source's people, whom the new epoch does not know by them."""
    for erp_id in ("1", "2", "3"):
        club.erp.put(erp_id, f"{erp_id}@x.fr")
    club.sync()
    club.erp.put("4", "4@x.fr")
    before = club.base()
    moves: list[object] = []

    def move() -> None:
        if not moves:
            moves.append(lifecycle.move(club._base, club.config))

    club.erp.page_size, club.erp.between = 2, move
    step = club.attempt()
    assert moves
    assert "was moved to another ERP while it was read" in str(step["error"])
    assert not step["used"]
    ids = {row["email"]: row["id"] for row in before.values()}
    assert {row["email"]: row["id"] for row in club.base().values()} == ids
    # the new ERP has other ids for the same people
    club.erp.page_size = None
    club.erp.remove("1", "2", "3", "4")
    for erp_id in ("a", "b", "c"):
        club.erp.put(erp_id, f"{'abc'.index(erp_id) + 1}@x.fr")
    club.sync()
    after = {row["email"]: row for row in club.base().values()}
    assert {email: row["id"] for email, row in after.items()} == ids
    assert {row["erp_id"] for row in after.values()} == {"a", "b", "c"}
    assert all(row["in_customers_group"] for row in after.values())


def test_r28_another_erp_leaves_nothing_of_the_old_ones_to_mend(club: Club) -> None:
    """R22: what was open closes with the epoch, on the pages too, though the new ERP cannot be read yet."""
    club.erp.put("odd", "nobody")
    assert club.sync()["findings"] == {"EMAIL_INVALID": 1}
    moved = Config(clubs=(club.config.model_copy(update={"erp": "csv"}),))
    pipeline = Pipeline(moved, club._base, club.pipeline().store, resolve=club.pipeline().resolve)
    (step,) = pipeline.sync([club.id], "moved")
    assert step["error"]
    sql = "select code, findings from sync.finding_summary where club = %s"
    assert (club.findings(), club.rows(sql, club.number)) == ({}, [])


def test_r28_the_old_epochs_snapshots_change_nothing(club: Club) -> None:
    """R16: a replay from before the move only fills the history: its ids are other people's."""
    club.erp.put("1", "a@x.fr")
    old = club.sync()["snapshot"]
    lifecycle.move(club._base, club.config)
    club.erp.put("1", "b@x.fr")
    club.sync()
    base = club.base()
    assert club.pipeline().replay_snapshot(club.id, "replay", old)["rows_written"] == 0
    assert club.base() == base


def test_r28_removed_with_all_its_data_after_a_stated_time(club: Club) -> None:
    """ "removed with all its data after a stated time": of every table that has rows of clubs."""
    _people(club, 2)
    club.erp.put("odd", "nobody")
    club.sync()
    number = club.number
    assert {"base.customer", "sync.erp_customer", "sync.change", "sync.finding"} <= _tables(club)
    store, config = club.pipeline().store, Config(clubs=(club.config,))
    lifecycle.remove(club._base, club.config, timedelta(days=30))
    assert _due(club) == []
    club.later(days=29)
    assert club.id not in upkeep(club._base, store, config, timedelta(days=365))["clubs"]
    club.later(days=2)
    assert club.id in upkeep(club._base, store, config, timedelta(days=365))["clubs"]
    assert _tables(club, number) == set()
    assert not list(club._store.glob(f"{club.id}/**/*.parquet"))


def test_r28_a_club_that_is_being_removed_is_not_resumed(club: Club) -> None:
    """It would be synced, and then lose all its data, people added by hand included."""
    _people(club, 2)
    club.sync()
    store, config = club.pipeline().store, Config(clubs=(club.config,))
    lifecycle.remove(club._base, club.config, timedelta(days=30))
    with pytest.raises(
        ActionRejected, match="all its data will be deleted on 2026-04-01 10:05 UTC"
    ):
        lifecycle.pause(club._base, club.config, False)
    with club.driver() as driver:  # as an earlier version let it be
        driver.execute("update sync.club_state set paused = false where club = %s", [club.number])
    club.later(days=31)
    assert club.id not in upkeep(club._base, store, config, timedelta(days=365))["clubs"]
    lifecycle.remove(club._base, club.config, timedelta(days=30))
    lifecycle.remove(club._base, club.config, None)
    assert _due(club) == [club.id]
    club.later(days=31)
    assert club.id not in upkeep(club._base, store, config, timedelta(days=365))["clubs"]
    assert len(club.inside()) == 2


def test_r28_retention_keeps_what_the_base_stands_on(club: Club) -> None:
    """Old snapshots go; the newest stays, so that a hold can be decided and a redo made from it."""
    _people(club, 2)
    first = club.sync()["snapshot"]
    club.erp.change("0", first_name="Other")
    last = club.sync()["snapshot"]
    club.later(days=60)
    store, config = club.pipeline().store, Config(clubs=(club.config,))
    upkeep(club._base, store, config, timedelta(days=30))
    left = {row[0] for row in club.rows("select snapshot from sync.snapshot")}
    assert (first in left, last in left) == (False, True)
    assert club.pipeline().replay_snapshot(club.id, "replay", last)["error"] is None


def test_r28_of_reads_without_changes_one_an_hour_is_kept(club: Club) -> None:
    """After two days. What differs from the read before it, and all that changed something, stays (R26)."""
    _people(club, 2)
    club.at("2026-03-02 08:00")
    for minutes in range(5, 185, 5):  # the club is read at 08:05, and so on
        if minutes == 50:
            club.erp.change("0", first_name="Other")
        if minutes == 70:
            club.erp.put("nobody", "not an address")
        club.sync(certified=minutes not in (95, 100))
    kept_runs = {row[0] for row in club.rows("select run from sync.run where rows_written > 0")}
    kept_runs |= {row[0] for row in club.rows("select run from sync.finding")}
    assert len(kept_runs) == 3
    members = club.inside()
    store, config = club.pipeline().store, Config(clubs=(club.config,))
    club.later(days=1)
    upkeep(club._base, store, config, timedelta(days=30))
    assert club.rows("select count(*) from sync.snapshot") == [(36,)]

    club.later(days=2)
    upkeep(club._base, store, config, timedelta(days=30))
    at = [row[0] for row in club.rows("select as_of from sync.snapshot order by snapshot")]
    # the first, the change, the first of each hour, what could not be certified, and the newest
    assert [f"{one:%H:%M}" for one in at] == [
        *("08:05", "08:50", "09:00", "09:10", "09:35", "09:40", "09:45", "10:00", "11:00"),
    ]
    runs = {row[0] for row in club.rows("select run from sync.run")}
    assert kept_runs <= runs
    assert len(runs) < 12
    assert all(step["error"] is None for step in club.pipeline().replay(club.id))
    assert club.inside() == members
    before = club.rows("select count(*) from sync.snapshot")
    upkeep(club._base, store, config, timedelta(days=30))
    assert club.rows("select count(*) from sync.snapshot") == before
