"""R18: a run can be undone from its audit; what was undone does not come back from the same ERP state."""

from __future__ import annotations

from typing import Any

import pytest

from clubsync.config import Config, Guard
from clubsync.errors import ActionRejected
from clubsync.manual.undo import undo
from tests.support.club import Club


def _undo(
    club: Club, run: int | None, *, dry_run: bool = False, list_hash: str | None = None
) -> dict[str, Any]:
    assert run is not None
    config = Config(clubs=(club.config,))
    return undo(club._base, config, run, by="somebody", dry_run=dry_run, list_hash=list_hash)


def _busy_run(club: Club) -> int:
    """One run with an addition, a deactivation, an email change and a group change; its number."""
    club.erp.group("gold")
    club.erp.group("silver")
    for number in "1234":
        club.erp.put(number, f"p{number}@x.fr", groups=["gold"])
    club.sync()
    club.erp.change("1", email="new@x.fr")
    club.erp.change("2", status="former")
    club.erp.change("3", groups=["silver"])
    club.erp.put("5", "p5@x.fr")
    step = club.sync()
    assert step["run"] is not None
    assert club.kinds() == {"addition": 1, "deactivation": 1, "email_change": 1, "group_change": 1}
    return step["run"]


def test_r18_a_run_undone_brings_back_what_was(club: Club) -> None:
    """ "the inverse plan": everybody is as before the run; who was added is out, and keeps the id."""
    run = _busy_run(club)
    assert club.inside() == {"1", "3", "4", "5"}
    made = _undo(club, run)
    assert made["skipped"] == []
    base = club.base()
    assert base["1"]["email"] == "p1@x.fr"
    assert base["2"]["in_customers_group"]
    assert base["3"]["groups"] == ["gold"]
    assert (base["5"]["in_customers_group"], base["5"]["reason"]) == (False, "undone")
    assert made["rows_written"] == 8


def test_r18_a_dry_run_writes_nothing(club: Club) -> None:
    run = _busy_run(club)
    before = club.base()
    made = _undo(club, run, dry_run=True)
    assert made["changes"] == {
        "deactivation": 1,
        "reactivation": 1,
        "email_change": 1,
        "group_change": 1,
    }
    assert club.base() == before


def test_r18_what_was_undone_stays_so_until_the_record_changes(club: Club) -> None:
    """ "does not come back from the same ERP state (finding UNDONE), only when the ERP's record changes"."""
    run = _busy_run(club)
    _undo(club, run)
    undone = club.base()
    assert club.sync()["rows_written"] == 0
    assert club.base() == undone
    assert {key for key, codes in club.findings().items() if "UNDONE" in codes} == {
        "1",
        "2",
        "3",
        "5",
    }
    club.erp.change("1", first_name="Other")
    club.sync()
    assert club.base()["1"]["email"] == "new@x.fr"
    assert "UNDONE" not in club.findings().get("1", set())
    assert club.base()["2"]["in_customers_group"]


def test_r18_redo_lets_it_come_back(club: Club) -> None:
    """ "or a person says redo"."""
    run = _busy_run(club)
    done = club.base()
    _undo(club, run)
    club.sync()
    club.later()
    step = club.pipeline().redo(run, "somebody")
    assert step["error"] is None
    assert club.base() == done
    assert not any("UNDONE" in codes for codes in club.findings().values())


def test_r18_who_changed_since_is_left_alone_and_named(club: Club) -> None:
    """ "skipping rows that changed since, naming them"."""
    run = _busy_run(club)
    club.erp.change("1", email="newer@x.fr")
    club.sync()
    made = _undo(club, run)
    assert [skip["erp_id"] for skip in made["skipped"]] == ["1"]
    assert "email" in made["skipped"][0]["why"]
    assert club.base()["1"]["email"] == "newer@x.fr"


def test_r18_an_email_that_another_has_now_is_not_taken_back(club: Club) -> None:
    """An undo never takes from somebody else what was given up."""
    run = _busy_run(club)
    club.erp.put("6", "p1@x.fr")
    club.sync()
    made = _undo(club, run)
    assert [skip["erp_id"] for skip in made["skipped"]] == ["1"]
    assert {row["email"] for row in club.base().values()} >= {"new@x.fr", "p1@x.fr"}


def test_r18_an_email_that_another_needs_waits_with_a_finding(club: Club) -> None:
    """It names the other by number, closes by itself when nobody has the email, and the undo can be had then."""
    run = _busy_run(club)
    club.erp.put("6", "p1@x.fr")
    club.sync()
    made = _undo(club, run)
    holder = club.base()["6"]["id"]
    assert made["skipped"][0]["why"] == f"waits: customer {holder} has their former email now"
    club.sync()
    assert "UNDONE" in club.findings()["1"]
    sentence = club.why("1")["sentence"]
    assert f"customer {holder} of the club base now has the email" in sentence
    assert "p1@x.fr" not in sentence
    # nothing is frozen meanwhile, and nothing is written again
    assert club.sync()["rows_written"] == 0
    club.erp.change("6", email="six@x.fr")
    step = club.sync()
    assert any(f"`clubsync undo {run}` gives it back" in note for note in step["notes"])
    club.sync()
    assert "UNDONE" not in club.findings().get("1", set())
    assert {skip["erp_id"] for skip in _undo(club, run)["skipped"]} == {"2", "3", "5"}
    assert club.base()["1"]["email"] == "p1@x.fr"
    club.sync()
    assert "UNDONE" in club.findings()["1"]


@pytest.mark.parametrize("end", ["change", "redo"])
def test_r18_a_waiting_undo_ends_when_the_record_changes_or_by_redo(club: Club, end: str) -> None:
    run = _busy_run(club)
    club.erp.put("6", "p1@x.fr")
    club.sync()
    _undo(club, run)
    club.sync()
    assert "UNDONE" in club.findings()["1"]
    if end == "redo":
        club.pipeline().redo(run, "somebody")
    else:
        club.erp.change("1", first_name="Other")
    club.sync()
    assert "UNDONE" not in club.findings().get("1", set())
    assert club.base()["1"]["email"] == "new@x.fr"


def test_r18_an_undo_is_itself_guarded(club: Club) -> None:
    """ "itself guarded": undoing a first sync would lock everybody out; the list must be approved."""
    for number in range(10):
        club.erp.put(str(number), f"p{number}@x.fr")
    run = club.sync()["run"]
    club.configure(guard=Guard())
    made = _undo(club, run)
    assert made["held"]["deactivations"] == 10
    assert len(club.inside()) == 10
    _undo(club, run, list_hash=made["held"]["list"])
    assert club.inside() == set()


def test_r18_unknown_runs_are_refused(club: Club) -> None:
    club.sync()
    with pytest.raises(ActionRejected, match="no run"):
        _undo(club, 10**9)


def test_r18_every_undo_is_audited(club: Club) -> None:
    """ "Every change leaves one audit row": the undo's too, with who did it."""
    run = _busy_run(club)
    made = _undo(club, run)
    rows = club.rows("select kind, actor from sync.change where run = %s", made["run"])
    assert sorted(kind for kind, _ in rows) == [
        "deactivation",
        "email_change",
        "group_change",
        "reactivation",
    ]
    assert {actor for _, actor in rows} == {"somebody"}


def test_r18_an_undone_adoption_does_not_come_back_from_the_same_record(club: Club) -> None:
    """The ERP's record took over one added by hand; a person says it is somebody else. So it stays, with a
    finding on the record, until that record changes."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    hand = club.add_by_hand("b@x.fr")
    club.erp.put("2", "b@x.fr")
    run = club.sync()["run"]
    assert club.kinds() == {"adoption": 1}
    _undo(club, run)
    assert (club.customer(hand)["erp_id"], club.inside()) == (None, {"1", "b@x.fr"})
    club.sync()
    assert club.sync()["rows_written"] == 0
    assert (club.customer(hand)["erp_id"], club.inside()) == (None, {"1", "b@x.fr"})
    assert club.findings() == {"2": {"UNDONE"}}
    club.erp.change("2", phone="+33600000001")
    club.sync()
    assert club.customer(hand)["erp_id"] == "2"
    assert club.findings() == {}


def test_r18_who_vanishes_after_an_undo_leaves(club: Club) -> None:
    """Vanishing is a change of the record: an undone email change gives nobody permanent access."""
    run = _busy_run(club)
    _undo(club, run)
    club.sync()
    club.erp.remove("1")
    club.sync()
    assert "1" not in club.inside()


def test_r18_a_state_that_was_undone_once_counts_when_it_comes_again(club: Club) -> None:
    """Undone while former, then active again: the undo has had its time, and "former" counts the next time."""
    run = _busy_run(club)
    _undo(club, run)
    assert "2" in club.inside()
    club.erp.change("2", status="active")
    club.sync()
    club.erp.change("2", status="former")
    club.sync()
    assert "2" not in club.inside()


def test_r18_who_has_lost_the_email_since_is_left_alone(club: Club) -> None:
    """Nobody has access without an email: a deactivation stays whose email has gone to another since."""
    run = _busy_run(club)
    club.erp.change("3", email="p2@x.fr")
    club.sync()
    assert club.base()["2"]["email"] is None
    made = _undo(club, run)
    assert "2" in {skip["erp_id"] for skip in made["skipped"]}
    assert "2" not in club.inside()


def test_r18_two_of_one_run_do_not_get_the_same_email_back(club: Club) -> None:
    """One gave an email up in that run, and another of the same run has taken it since."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.erp.put("2", "b@x.fr", groups=["gold"])
    club.sync()
    club.erp.change("1", email="c@x.fr")
    club.erp.change("2", groups=[])
    run = club.sync()["run"]
    club.erp.change("2", email="a@x.fr")
    club.sync()
    made = _undo(club, run)
    assert [skip["erp_id"] for skip in made["skipped"]] == ["1"]
    assert {key: row["email"] for key, row in club.base().items()} == {"1": "c@x.fr", "2": "a@x.fr"}
    assert club.base()["2"]["groups"] == ["gold"]


def test_r18_a_link_that_a_wrong_email_made_goes_with_it(club: Club) -> None:
    """The ERP had a stranger's address: undone, the stranger is linked no more, and the owner's account is."""
    club.erp.put("1", "owner@x.fr")
    club.sync()
    club.register("stranger@x.fr")
    club.erp.change("1", email="stranger@x.fr")
    run = club.sync()["run"]
    assert club.base()["1"]["link"] == "linked"
    _undo(club, run)
    assert club.base()["1"]["link"] == "not_registered"
    club.register("owner@x.fr")
    assert club.base()["1"]["link"] == "linked"


def test_r18_redo_brings_fields_back_too(club: Club) -> None:
    """ "redo, which brings back every kind of change, fields too"; a field edited since stays."""
    club.erp.put("1", "a@x.fr", phone="+33600000001")
    club.erp.put("2", "b@x.fr", phone="+33600000001")
    club.sync()
    club.erp.change("1", phone="+33600000002", first_name="Ann")
    club.erp.change("2", phone="+33600000002")
    run = club.sync()["run"]
    done = club.base()
    _undo(club, run)
    assert club.base()["1"]["phone"] == "+33600000001"
    club.sync()
    club.edit("2", phone="+33600000009")
    club.later()
    step = club.pipeline().redo(run or 0, "somebody")
    assert (step["error"], step["counts"]["profile_change"]) == (None, 1)
    base = club.base()
    assert base["1"] == done["1"]
    assert base["2"]["phone"] == "+33600000009"
    assert club.sync()["rows_written"] == 0


def test_r18_redo_brings_back_what_people_did(club: Club) -> None:
    """Detached by hand, undone, redone: the sync alone would not do it again."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.detach("1")
    run = club.rows("select max(run) from sync.run where club = %s", club.number)[0][0]
    _undo(club, run)
    assert club.inside() == {"1"}
    club.sync()
    club.pipeline().redo(run, "somebody")
    row = club.base()["1"]
    assert (row["in_customers_group"], row["detached"], row["reason"]) == (False, True, "detached")
    club.sync()
    assert club.inside() == set()


@pytest.mark.parametrize("undone", ["addition", "reactivation"])
def test_r18_who_lost_access_by_an_undo_is_given_it_again_by_hand(club: Club, undone: str) -> None:
    """R11: a person adds them, as they may bring back whom they detached; the sync then goes on as before the undo."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    if undone == "reactivation":
        club.sync()
        club.erp.change("1", status="former")
        club.sync()
        club.erp.change("1", status="active")
    run = club.sync()["run"]
    assert club.kinds() == {undone: 1}
    customer = club.base()["1"]["id"]
    _undo(club, run)
    club.sync()
    assert (club.inside(), club.findings()) == (set(), {"1": {"UNDONE"}})
    assert club.add_by_hand("a@x.fr") == customer
    assert club.inside() == {"1"}
    club.sync()
    assert (club.inside(), club.findings()) == ({"1"}, {})
    assert club.base()["1"]["groups"] == ["gold"]
    assert club.sync()["rows_written"] == 0
    club.erp.change("1", status="former")
    club.sync()
    assert club.inside() == set()


def test_r18_who_the_erp_keeps_out_is_not_added_after_an_undo(club: Club) -> None:
    """Their record has changed since: access follows the ERP."""
    club.erp.put("1", "a@x.fr")
    run = club.sync()["run"]
    _undo(club, run)
    club.erp.change("1", status="former")
    club.sync()
    with pytest.raises(ActionRejected, match="no access because of the ERP"):
        club.add_by_hand("a@x.fr")
    assert club.inside() == set()


def test_r18_an_undone_addition_by_hand_is_added_again(club: Club) -> None:
    """R11: the ERP knows nothing of them, so it can keep them out of nothing; the customer keeps its id (R1)."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    hand = club.add_by_hand("hand@x.fr")
    run = max(row["run"] for row in club.changes())
    _undo(club, run)
    assert club.inside() == {"1"}
    assert club.add_by_hand("hand@x.fr") == hand
    club.sync()
    assert club.inside() == {"1", "hand@x.fr"}
    last = club.changes()[-1]
    assert (last["kind"], last["before"]["reason"]) == ("reactivation", "undone")


def test_r18_adding_somebody_again_leaves_an_undone_adoption_undone(club: Club) -> None:
    """A person said that the record is somebody else's; detached and added again, they still are two."""
    hand = club.add_by_hand("b@x.fr")
    club.erp.put("2", "b@x.fr")
    run = club.sync()["run"]
    _undo(club, run)
    club.detach("b@x.fr")
    assert club.add_by_hand("b@x.fr") == hand
    club.sync()
    assert club.customer(hand)["erp_id"] is None
    assert (club.inside(), club.findings()) == ({"b@x.fr"}, {"2": {"UNDONE"}})
