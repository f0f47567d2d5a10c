"""R14: what may be believed."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.sdk.errors import FileBroken
from tests.support.club import Club


def test_r14_absence_in_a_partial_snapshot_says_nothing(club: Club) -> None:
    """ "deactivation by absence ... only from a certified one"; additions, changes and stated deactivations flow."""
    for i in "123":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    club.erp.change("2", status="archived")
    club.erp.change("3", email="new@x.fr")
    club.erp.put("4", "p4@x.fr")
    step = club.sync(lost=("1",))
    assert not step["certified"]
    assert club.inside() == {"1", "3", "4"}
    assert club.base()["3"]["email"] == "new@x.fr"
    club.erp.remove("1")
    club.sync(certified=False)
    assert "1" in club.inside()
    club.sync()
    assert club.inside() == {"3", "4"}


def test_r14_half_a_swap_waits(club: Club) -> None:
    """ "what a partial snapshot cannot settle (half of an email swap) waits, unchanged, for a certified one"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    before = club.base()
    club.erp.change("1", email="b@x.fr")
    club.erp.change("2", email="a@x.fr")
    club.sync(lost=("2",))
    assert club.base() == before
    assert club.findings() == {}
    club.sync(lost=("1",))
    assert club.base() == before
    club.sync()
    assert {k: r["email"] for k, r in club.base().items()} == {"1": "b@x.fr", "2": "a@x.fr"}


def test_r14_an_addition_on_a_lost_pages_email_waits_too(club: Club) -> None:
    """A new record with the email of one whose page did not come: nobody can say yet whose it is."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.put("2", "a@x.fr")
    club.sync(lost=("1",))
    assert set(club.base()) == {"1"}
    assert club.findings() == {}
    club.erp.change("1", email="b@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}


def test_r14_the_group_list_of_a_partial_snapshot_is_not_believed(club: Club) -> None:
    """ "group lists only from a certified one": a group missing, or off, on a broken reading empties nobody's club."""
    club.erp.group("gold")
    club.erp.put("1", "a@x.fr", groups=["gold"])
    club.sync()
    club.erp.group("gold", active=False)
    club.sync(certified=False)
    assert club.inside() == {"1"}
    del club.erp.groups["gold"]
    club.sync(certified=False)
    assert club.findings() == {}
    club.erp.group("new")
    club.erp.put("2", "b@x.fr", groups=["new"])
    club.sync(certified=False)
    assert club.base()["2"]["groups"] == ["new"]


def test_r14_a_merge_stated_in_a_partial_snapshot_is_settled_by_the_next_certified_one(
    club: Club,
) -> None:
    """The record itself does not change any more between the two: it is looked at again all the same."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    club.erp.change("1", replaced_by="2")
    club.sync(certified=False)
    assert club.inside() == {"1", "2"}
    club.sync()
    assert club.inside() == {"2"}
    assert club.base()["1"]["reason"] == "merged"


def test_r14_an_empty_answer_is_an_outage(club: Club) -> None:
    """ "An empty answer from a club that had customers is an outage, not a departure, until a person says the
    club is empty"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    before = club.base()
    club.erp.remove("1")
    for certified in (True, False):
        step = club.attempt(certified=certified)
        assert "returned no customers" in (step["error"] or "")
        assert (step["runbook"], step["transient"]) == ("empty-answer", True)
        assert club.base() == before
    with club.driver() as driver:
        driver.execute(
            "update sync.club_state set confirmed_empty = true where club = %s", [club.number]
        )
    club.sync()
    assert club.inside() == set()


def test_r14_a_new_club_may_be_empty(club: Club) -> None:
    """No customers yet: nothing to lose."""
    assert club.sync()["rows_written"] == 0


def test_r14_another_clubs_data_is_refused_whole(club: Club) -> None:
    """ "A snapshot of a club of 20 and more is taken for another club's ... when fewer than half of its records are
    known as the same people ...: refused whole until a person says it is right"."""
    for i in range(20):
        club.erp.put(str(i), f"p{i}@x.fr")
    club.sync()
    before = club.base()
    club.erp.remove(*[str(i) for i in range(11)])
    for i in range(50, 61):
        club.erp.put(str(i), f"p{i}@x.fr")
    step = club.attempt()
    assert "only 9 of the 20 customers read are known" in (step["error"] or "")
    assert (step["runbook"], club.base()) == ("other-club", before)
    club.erp.put("10", "p10@x.fr")
    club.erp.remove("50")
    assert club.sync()["read"] == 20
    assert "10" in club.inside()


def numbered(club: Club, *people: str) -> None:
    """People whose ids are the numbers of their rows."""
    club.erp.records = {}
    for row, person in enumerate(people, 1):
        first, last = f"First {person}", f"Last {person}"
        club.erp.put(str(row), f"{person}@x.fr", first_name=first, last_name=last)


def test_r14_known_ids_on_strangers_are_another_clubs_data(club: Club) -> None:
    """ "known *as the same people* (the id with the same email or name, R1)"."""
    numbered(club, *(f"ours{n}" for n in range(30)))
    club.sync()
    before = club.base()
    numbered(club, *(f"theirs{n}" for n in range(30)))
    step = club.attempt()
    assert "only 0 of the 30" in (step["error"] or "")
    assert club.base() == before


def test_r14_row_numbers_are_no_ids(club: Club) -> None:
    """One newcomer on top moves everybody to the next number."""
    everybody = [f"p{n}" for n in range(30)]
    numbered(club, *everybody)
    club.sync()
    before = club.base()
    numbered(club, "new", *everybody)
    step = club.attempt()
    assert "row numbers" in (step["remedy"] or "")
    assert club.base() == before


def test_r14_a_club_is_itself_again_after_a_bad_half_reading(club: Club) -> None:
    """ "counted against all ids that the club's records ever had in this epoch"."""
    for i in range(60):
        club.erp.put(str(i), f"p{i}@x.fr")
    club.sync()
    everybody = dict(club.erp.records)
    club.erp.records = {i: r for i, r in everybody.items() if int(i) < 25}
    club.sync()
    club.erp.records = everybody
    assert club.sync()["error"] is None
    assert len(club.inside()) == 60


def test_r14_new_emails_for_everybody_are_no_other_club(club: Club) -> None:
    """The names are the same."""
    numbered(club, *(f"p{n}" for n in range(30)))
    club.sync()
    for n in range(1, 31):
        club.erp.change(str(n), email=f"p{n}@new.example.fr")
    assert club.sync()["counts"]["email_change"] == 30


def test_r14_a_small_club_may_change_altogether(club: Club) -> None:
    """Below 20 the share of ids proves nothing."""
    for i in range(19):
        club.erp.put(str(i), f"p{i}@x.fr")
    club.sync()
    club.erp.remove(*list(club.erp.records))
    club.erp.put("77", "p77@x.fr")
    club.sync()
    assert club.inside() == {"77"}


def test_r14_an_id_that_contradicts_itself_is_unknown_this_time(club: Club) -> None:
    """ "where they differ the record is unknown this time, finding ID_DUPLICATE, and nothing is certified"."""
    for i in "12":
        club.erp.put(i, f"p{i}@x.fr")
    club.sync()
    before = club.base()
    club.erp.remove("2")
    step = club.sync(conflicting=("1", "9"))
    assert not step["certified"]
    assert club.base() == before
    assert club.findings() == {"1": {"ID_DUPLICATE"}, "9": {"ID_DUPLICATE"}}
    club.sync()
    assert club.inside() == {"1"}
    assert club.findings() == {}


@pytest.mark.parametrize("dry_run", [False, True])
def test_r14_a_broken_file_is_refused_whole(club: Club, dry_run: bool) -> None:
    """ "nothing flows from it, the club fails with a sentence, the base stays"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    before = club.base()
    club.erp.fault = FileBroken("customers.csv is cut.")
    step = club.attempt(dry_run=dry_run)
    assert step["error"] == "customers.csv is cut."
    assert (step["runbook"], step["remedy"]) == ("file-broken", FileBroken.default_remedy)
    assert club.base() == before
    club.erp.fault = None
    club.erp.put("2", "b@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}


@pytest.mark.parametrize(
    "name",
    [
        "A\x00B",
        "A\x1fB",
        'A"B',
        "A\\.",
        "\\.",
        "A\nB",
        "A\r\nB",
        " A, B ",
        "{A}",
        "\\NA",
        "=1+1",
        "🦊",
    ],
)
def test_r14_any_name_an_erp_may_have_is_loaded(club: Club, name: str) -> None:
    """One odd name does not keep a club from being read; it comes out as it went in, without blanks around
    it."""
    club.erp.put("1", "a@x.fr", first_name=name, last_name=name, phone=name)
    club.erp.group("g", name=name)
    club.erp.put("2", "b@x.fr", groups=["g"])
    club.sync()
    row = club.base()["1"]
    kept = name.strip().replace("\x00", "")
    assert (row["first_name"], row["last_name"], row["phone"]) == (kept, kept, kept)
    assert club.base()["2"]["groups"] == [kept]
    assert club.changes()[0]["kind"] == "addition"
    assert club.sync()["rows_written"] == 0


def test_r14_an_id_that_no_data_base_takes_is_cleaned_at_the_door(club: Club) -> None:
    """A NUL inside the id of a record or of a group: taken out wherever it stands, so that the two still meet."""
    club.erp.group("go\x00ld", name="Gold")
    club.erp.put("1\x00", "a@x.fr", groups=["go\x00ld"])
    club.erp.put("2", "b@x.fr", groups=[("gold\x00", date(2026, 3, 31))])
    club.sync()
    assert {key: row["groups"] for key, row in club.base().items()} == {
        "1": ["Gold"],
        "2": ["Gold"],
    }
    assert club.sync()["rows_written"] == 0


def test_r14_what_was_released_while_a_page_was_lost_is_not_forgotten(club: Club) -> None:
    """Two records shared an email; the one mends it, on the page that came; the other, on the page that did
    not, is loaded by the next complete reading, though nothing of it has changed (R7)."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert club.inside() == {"1"}
    club.erp.change("1", email="b@x.fr")
    club.sync(lost=("2",))
    assert club.inside() == {"1"}
    club.sync()
    assert club.inside() == {"1", "2"}
