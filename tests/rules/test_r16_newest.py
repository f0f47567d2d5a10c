"""R16, R17, R18: the newest wins, nothing is written twice, everything is audited."""

from __future__ import annotations

from typing import Any

import pytest

from clubsync.store import record_index
from tests.support.club import Club


def test_r16_an_older_snapshot_changes_nothing(club: Club) -> None:
    """ "once a certified snapshot is loaded, older ones only fill the history"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    first = club.now
    club.erp.change("1", email="b@x.fr")
    club.erp.put("2", "c@x.fr")
    club.sync()
    before, changes = club.base(), len(club.changes())
    club.erp.change("1", email="a@x.fr")
    club.erp.remove("2")
    for as_of, certified in ((first, True), (first, False)):
        step = club.sync(as_of=as_of, certified=certified)
        assert (step["rows_written"], club.base()) == (0, before)
    assert len(club.changes()) == changes
    assert club.rows("select count(*) from sync.snapshot where club = %s", club.number) == [(4,)]


def test_r16_a_newer_partial_snapshot_beside_an_older_certified_one(club: Club) -> None:
    """ "what a newer snapshot has shown of a record, an older one never changes": of the others it speaks."""
    for i in "123":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    slow = club.now
    club.later(hours=1)
    club.erp.change("1", status="archived")
    club.sync(lost=("2", "3"))
    assert club.inside() == {"2", "3"}
    club.erp.change("1", status="active")
    club.erp.remove("3")
    club.later()
    club.sync(as_of=slow.replace(minute=30))
    assert club.inside() == {"2"}
    assert club.base()["1"]["reason"] == "archived"


def test_r16_the_same_content_read_again_later_is_news(club: Club) -> None:
    """An older certified reading did not settle what a newer partial one had shown; a new reading with the
    content of the older does."""
    for i in "123":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    slow = club.now
    club.later(hours=1)
    club.erp.change("1", status="archived")
    club.sync(lost=("2", "3"))
    club.erp.change("1", status="active")
    club.erp.change("2", email="new@x.fr")
    club.sync(as_of=slow.replace(minute=30))
    assert club.inside() == {"2", "3"}
    club.sync()
    assert club.inside() == {"1", "2", "3"}


def test_r16_of_one_moment_the_one_read_later_is_newer(club: Club) -> None:
    """ "Two snapshots of one moment: the one read later counts as newer"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    moment = club.now
    club.erp.change("1", email="b@x.fr")
    club.sync(as_of=moment)
    assert club.base()["1"]["email"] == "b@x.fr"


def test_r17_the_same_snapshot_twice_writes_nothing(club: Club) -> None:
    """ "rows written = rows changed"."""
    club.erp.group("gold")
    for i in range(5):
        club.erp.put(str(i), f"p{i % 4}@x.fr", groups=["gold"])
    assert club.sync()["rows_written"] == 1 + 4 + 4
    sizes = "select (select count(*) from sync.change), (select max(xmin::text::bigint) from base.customer)"
    before = club.rows(sizes)
    for certified in (True, False, True):
        step = club.sync(certified=certified)
        assert (step["rows_written"], club.kinds()) == (0, {})
    assert club.rows(sizes) == before


def test_r17_rows_written_are_rows_changed(club: Club) -> None:
    """One change, one base row and one audit row."""
    for i in range(5):
        club.erp.put(str(i), f"p{i}@x.fr")
    club.sync()
    club.erp.change("3", phone="+33600000001")
    assert club.sync()["rows_written"] == 2


def test_r18_one_row_a_customer_and_kind(club: Club) -> None:
    """ "run, club, customer, kind, before, after, reason": told once, in the run that did it."""
    club.erp.put("1", "a@x.fr", phone="+33600000001")
    first = club.sync()
    club.erp.change("1", email="b@x.fr", phone="+33600000002")
    second = club.sync()
    added, *changed = club.changes()
    customer = club.base()["1"]["id"]
    assert (added["run"], added["kind"], added["customer"], added["erp_id"], added["before"]) == (
        first["run"],
        "addition",
        customer,
        "1",
        None,
    )
    assert added["after"] == {"email": "a@x.fr", "in_customers_group": True, "groups": []}
    told = {c["kind"]: (c["run"], c["reason"], differs(c["before"], c["after"])) for c in changed}
    assert told == {
        "email_change": (
            second["run"],
            "erp",
            {"email": ("a@x.fr", "b@x.fr"), "email_raw": ("a@x.fr", "b@x.fr")},
        ),
        "profile_change": (
            second["run"],
            "erp",
            {"phone": ("+33600000001", "+33600000002"), "email_raw": ("a@x.fr", "b@x.fr")},
        ),
    }


def differs(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields of a change that changed."""
    return {k: (before[k], after[k]) for k in before if before[k] != after[k]}


def test_r18_an_adoption_carries_its_access_change(club: Club) -> None:
    """ "a merge, adoption or reactivation carries its access change with it"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.remove("1")
    club.sync()
    club.erp.put("3", "a@x.fr")
    step = club.sync()
    (change,) = club.changes(run=step["run"])
    assert change["kind"] == "adoption"
    assert (change["before"]["erp_id"], change["before"]["reason"]) == ("1", "gone")
    assert (change["after"]["erp_id"], change["after"]["in_customers_group"]) == ("3", True)


def test_r18_killed_in_the_middle_nothing_is_there_and_the_next_run_ends_the_same(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit is in the same transaction: with the change, or not at all."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    before, changes = club.base(), club.changes()
    club.erp.put("2", "b@x.fr")
    club.erp.change("1", email="c@x.fr")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record_index, "earliest", killed)
        with pytest.raises(KeyboardInterrupt):
            club.attempt()
    assert (club.base(), club.changes()) == (before, changes)
    assert club.rows("select count(*) from sync.finding where club = %s", club.number) == [(0,)]
    club.sync()
    assert {k: r["email"] for k, r in club.base().items()} == {"1": "c@x.fr", "2": "b@x.fr"}
    assert club.kinds() == {"addition": 1, "email_change": 1}


def test_r18_a_plan_made_on_an_old_revision_is_remade(club: Club) -> None:
    """Somebody detaches the customer between plan and load: the load sees it."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", email="b@x.fr")
    club.later()
    club.erp.as_of = club.now
    pipeline = club.pipeline()
    steps = pipeline.diff(pipeline.validate(pipeline.extract([club.id], "test")))
    club.detach("1")
    (step,) = pipeline.load(steps)
    assert step["error"] is None
    row = club.base()["1"]
    assert (row["email"], row["detached"], row["in_customers_group"]) == ("b@x.fr", True, False)


@pytest.mark.parametrize("status", ["active", "archived"])
def test_r16_two_runs_at_once(club: Club, status: str) -> None:
    """A slow worker's plan is of a state that another run has changed since, if only in the mirror."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.put("2", "b@x.fr", status=status)
    steps = {}
    pipelines = [club.pipeline(), club.pipeline()]
    for pipeline in pipelines:
        club.later()
        club.erp.as_of = club.now
        steps[id(pipeline)] = pipeline.diff(pipeline.validate(pipeline.extract([club.id], "test")))
    for pipeline in pipelines:
        (step,) = pipeline.load(steps[id(pipeline)])
        assert step["error"] is None, step["error"]
    assert club.inside() == ({"1", "2"} if status == "active" else {"1"})
    assert len(club.changes()) == (2 if status == "active" else 1)
