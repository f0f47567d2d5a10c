"""R14: a walk is not a moment. What it shows and does not prove waits for a second reading.

The club's ERP is read three records a page, in the order in which they stand, and is edited between the pages.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clubsync.model import Step
from clubsync.store.database import queries
from tests.support.club import Club


@pytest.fixture
def club(club: Club) -> Club:
    """Nine customers on three pages."""
    for n in range(1, 10):
        club.erp.put(str(n), f"p{n}@x.fr")
    club.erp.page_size = 3
    assert club.sync()["certified"]
    assert len(club.inside()) == 9
    return club


def edited(club: Club, *edits: Callable[[], object]) -> Step:
    """A reading between whose first pages these edits are made, all at once."""
    left = list(edits)

    def between() -> None:
        while left:
            left.pop(0)()

    club.erp.between = between
    step = club.sync()
    club.erp.between = lambda: None
    return step


def reorder(club: Club, *first: str) -> None:
    """Let these records come first."""
    there = club.erp.records
    club.erp.records = {i: there[i] for i in first} | there


# Absence -------------------------------------------------------------------------------------------


def test_r14_one_leaves_and_one_comes_and_a_third_is_hidden(club: Club) -> None:
    """Every total is right, no id comes twice, and customer 4 was there all along."""
    step = edited(club, lambda: club.erp.remove("1"), lambda: club.erp.put("10", "p10@x.fr"))
    assert step["certified"]
    assert step["suspected"] == 1
    assert club.inside() == {str(n) for n in range(1, 11)}
    answer = club.why("4")
    assert answer["verdict"] == "in"
    assert answer["situation"] == "suspected"
    assert "a second complete reading" in answer["sentence"]

    step = club.sync()  # it is there, and 1 is not
    assert step["suspected"] == 1
    assert club.inside() == {str(n) for n in range(1, 11)}
    assert club.why("4")["situation"] == "eligible"
    assert club.sync()["counts"]["deactivation"] == 1
    assert club.inside() == {str(n) for n in range(2, 11)}
    assert club.sync()["suspected"] == 0


def test_r14_a_departure_takes_a_second_reading_which_comes_at_once(club: Club) -> None:
    club.erp.remove("5")
    step = club.sync()
    assert (step["suspected"], step["counts"]["deactivation"]) == (1, 0)
    with club.driver() as driver:
        state = queries().club_state(driver, club=club.number)
        assert queries().first_pending_nudge(driver, club=club.number) is not None
    assert state["next_read_at"] == club.now
    step = club.sync()
    assert (step["suspected"], step["counts"]["deactivation"]) == (0, 1)
    assert "5" not in club.inside()
    assert club.sync()["rows_written"] == 0


def test_r14_the_same_snapshot_again_is_no_second_reading(club: Club) -> None:
    club.erp.remove("5")
    step = club.sync()
    again = club.pipeline().replay_snapshot(club.id, "replay", step["snapshot"] or 0)
    assert (again["error"], again["rows_written"]) == (None, 0)
    assert "5" in club.inside()


def test_r14_a_reading_that_is_not_certified_confirms_nothing(club: Club) -> None:
    club.erp.remove("5")
    club.sync()
    step = edited(club, lambda: club.erp.put("11", "p11@x.fr"))  # the total changes
    assert not step["certified"]
    assert "5" in club.inside()
    club.sync()
    assert "5" not in club.inside()


def test_r14_who_comes_back_between_two_readings_is_suspected_anew(club: Club) -> None:
    """Also where only a reading that is not certified has shown them."""
    record = club.erp.records["9"]
    club.erp.remove("9")
    club.sync()
    club.erp.records["9"] = record
    reorder(club, "9")
    step = edited(club, lambda: club.erp.put("11", "p11@x.fr"))
    assert not step["certified"]
    club.erp.remove("9")
    club.sync()
    assert "9" in club.inside()
    club.sync()
    assert "9" not in club.inside()


def test_r14_pages_by_ascending_id_hide_nobody(club: Club) -> None:
    club.erp.by_id = True
    step = edited(club, lambda: club.erp.remove("1"), lambda: club.erp.put("10", "p10@x.fr"))
    assert (step["certified"], step["suspected"]) == (True, 0)
    club.erp.remove("5")
    step = club.sync()
    assert step["counts"]["deactivation"] == 2
    assert {"1", "5"} & club.inside() == set()


def test_r14_a_single_page_is_a_moment(club: Club) -> None:
    club.erp.page_size = 100
    club.erp.remove("5")
    assert club.sync()["counts"]["deactivation"] == 1


def test_r14_what_a_record_says_of_itself_is_no_suspicion(club: Club) -> None:
    club.erp.change("2", status="archived")
    club.erp.change("3", email="other@x.fr")
    step = club.sync()
    assert step["suspected"] == 0
    assert step["counts"]["deactivation"] == 1
    assert step["counts"]["email_change"] == 1


# Emails --------------------------------------------------------------------------------------------


def swap(club: Club, one: str, two: str) -> None:
    first, second = club.erp.records[one]["email"], club.erp.records[two]["email"]
    club.erp.change(one, email=second)
    club.erp.change(two, email=first)


def customers(club: Club) -> dict[str, tuple[int, str]]:
    return {key: (row["id"], row["email"]) for key, row in club.base().items()}


@pytest.mark.parametrize("certified", [True, False])
def test_r14_half_a_swap_takes_nobody_s_access(club: Club, certified: bool) -> None:
    """Record 1 is read before the two change, record 7 after; both show the email of 1."""
    before = customers(club)
    edits = [lambda: swap(club, "1", "7")]
    if not certified:
        edits.append(lambda: club.erp.put("10", "p10@x.fr"))
    step = edited(club, *edits)
    assert step["certified"] is certified
    everybody = {str(n) for n in range(1, 10)}
    assert club.inside() >= everybody
    assert {i: customers(club)[i] for i in everybody} == before
    assert club.why("7")["situation"] in ("suspected", "unsettled")

    for _ in range(3):  # the whole swap: each of the two emails has to be shown twice
        club.sync()
        assert club.inside() >= everybody
    after = customers(club)
    assert after["1"] == (before["1"][0], "p7@x.fr")
    assert after["7"] == (before["7"][0], "p1@x.fr")
    assert "EMAIL_DUPLICATE" not in {code for codes in club.findings().values() for code in codes}


def test_r14_an_email_on_two_records_costs_access_after_a_second_reading(club: Club) -> None:
    """R7: who holds it keeps it; the other had it twice."""
    club.erp.change("7", email="p1@x.fr")
    assert club.sync()["suspected"] == 1
    assert "7" in club.inside()
    assert "1" not in club.findings()
    assert club.sync()["counts"]["deactivation"] == 1
    assert "7" not in club.inside()
    assert club.findings()["7"] == {"EMAIL_DUPLICATE"}


def test_r14_a_person_under_a_new_id_keeps_access_throughout(club: Club) -> None:
    """Deleted and entered again between two readings: R10, after the second one."""
    before = club.base()["3"]["id"]
    club.erp.remove("3")
    club.erp.put("12", "p3@x.fr")
    for _ in range(2):
        club.sync()
        assert any(r["id"] == before and r["in_customers_group"] for r in club.base().values())
    assert club.base()["12"]["id"] == before
    assert club.last is not None
    assert club.last["counts"]["merge"] == 1


def test_r14_who_signed_up_anew_is_let_in_at_once(club: Club) -> None:
    """R1: the old record itself says that it is over; nobody else has the email."""
    before = club.base()["3"]["id"]
    club.erp.change("3", status="former")
    club.erp.put("12", "p3@x.fr")
    step = club.sync()
    assert step["suspected"] == 0
    assert club.base()["12"]["id"] == before
    assert "12" in club.inside()


def test_r14_an_email_that_its_holder_s_own_record_has_left_is_free(club: Club) -> None:
    """R17: nor does the same snapshot, planned again, find something else."""
    club.erp.change("1", email="new@x.fr")
    club.erp.put("12", "p1@x.fr")
    step = club.sync()
    assert step["suspected"] == 0
    assert club.base()["1"]["email"] == "new@x.fr"
    assert "12" in club.inside()
    again = club.pipeline().replay_snapshot(club.id, "replay", step["snapshot"] or 0)
    assert (again["error"], again["rows_written"]) == (None, 0)


def test_r08_who_becomes_a_dependant_through_another_s_email(club: Club) -> None:
    club.erp.change("8", guardian_id="2")
    club.sync()
    club.erp.change("2", email="p8@x.fr")
    assert club.sync()["suspected"] == 2
    assert {"2", "8"} <= club.inside()
    for _ in range(2):
        club.sync()
        assert "2" in club.inside()
    assert "8" not in club.inside()


def test_r08_a_guardian_that_a_walk_hides_lets_no_child_in(club: Club) -> None:
    """Both are new; the guardian, who has the same email, moves over the boundary of a page."""
    reorder(club, "1", "2", "3", "4")
    club.erp.put("20", "family@x.fr")
    reorder(club, "1", "2", "3", "20")
    club.erp.put("21", "family@x.fr", guardian_id="20")
    step = edited(club, lambda: club.erp.remove("1"), lambda: club.erp.put("22", "p22@x.fr"))
    assert step["certified"]
    assert "21" not in club.inside()
    assert "22" in club.inside()
    club.sync()
    assert "20" in club.inside()
    assert "21" not in club.base()


# Memberships ---------------------------------------------------------------------------------------


@pytest.fixture
def gym(club: Club) -> Club:
    """Its memberships are a list of their own, and everybody needs one."""
    club.configure(group_required=True)
    club.erp.group("gold")
    club.erp.memberships = [(f"m{n}", str(n), "gold") for n in range(1, 10)]
    for _ in range(2):
        club.sync()
    assert len(club.inside()) == 9
    return club


def test_r14_one_missing_membership_is_only_suspected(gym: Club) -> None:
    """One ends and one begins between two pages: the membership of 4 is on neither."""
    assert gym.erp.memberships is not None
    held = gym.erp.memberships
    step = edited(gym, lambda: held.pop(0), lambda: held.append(("m10", "1", "gold")))
    assert step["certified"]
    assert step["suspected"] == 1
    assert len(gym.inside()) == 9
    assert gym.why("4")["situation"] == "suspected"
    assert gym.sync()["suspected"] == 0
    assert len(gym.inside()) == 9

    del held[4]
    who = "6"
    assert gym.sync()["suspected"] == 1
    assert who in gym.inside()
    assert gym.sync()["counts"]["deactivation"] == 1
    assert who not in gym.inside()


def test_r14_a_joined_list_in_no_fixed_order_takes_nobody_s_access(gym: Club) -> None:
    """Rows that come twice stand for others that did not come at all; its total is right."""
    held = gym.erp.memberships
    assert held is not None
    for _ in range(4):
        step = edited(gym, held.reverse)
        assert not step["certified"]
        assert len(gym.inside()) == 9


def test_r14_a_membership_that_is_not_seen_lets_nobody_in(gym: Club) -> None:
    """A new record without any, where none is needed: the one of former members may be hidden."""
    gym.configure(group_required=False, former_groups=("gone",))
    gym.erp.group("gone")
    gym.sync()
    assert gym.erp.memberships is not None
    held = gym.erp.memberships
    gym.erp.put("30", "p30@x.fr")
    held.insert(3, ("m30", "30", "gone"))
    edited(gym, lambda: held.pop(0), lambda: held.append(("m31", "1", "gold")))
    assert "30" not in gym.inside()
    gym.sync()
    gym.sync()
    assert "30" not in gym.base()


@pytest.mark.parametrize("by_id", [False, True])
def test_r14_who_comes_after_the_memberships_were_read_is_not_let_in(
    gym: Club, by_id: bool
) -> None:
    """Somebody comes back as a former member: the record is seen, and the membership is not."""
    gym.configure(group_required=False, former_groups=("gone",))
    gym.erp.by_id = by_id
    gym.erp.group("gone")
    held = [(str(n), str(n), "gold") for n in range(1, 10)]
    gym.erp.memberships = held
    record = {**gym.erp.records["9"], "groups": []}
    gym.erp.remove("9")
    del held[8]
    for _ in range(2):
        gym.sync()
    assert "9" not in gym.inside()
    pages = iter(range(100))

    def between() -> None:
        if next(pages) == 2:  # behind the last page of the memberships
            gym.erp.records["9"] = record
            held.append(("40", "9", "gone"))

    gym.erp.between = between
    gym.sync()
    gym.erp.between = lambda: None
    assert "9" not in gym.inside()
    for _ in range(2):
        gym.sync()
        assert "9" not in gym.inside()


# A new source (R1), a hold (R15), an erasure (R20) ---------------------------------------------------


@pytest.mark.parametrize("certified", [True, False])
def test_r14_absence_in_a_new_source_has_to_be_proved(club: Club, certified: bool) -> None:
    """`clubs move`: people are found by email alone; whose email is missing is not gone yet."""
    from clubsync.manual import lifecycle

    lifecycle.move(club._base, club.config, by="somebody")
    club.erp.records = {}
    for n in range(1, 9):
        club.erp.put(f"n{n}", f"p{n}@x.fr")
    club.sync(certified=certified) if certified else edited(
        club, lambda: club.erp.put("n20", "p20@x.fr")
    )
    assert {f"n{n}" for n in range(1, 9)} <= club.inside()
    assert club.base()["@1:9"]["in_customers_group"]
    if not certified:
        assert not club.last or not club.last["certified"]
        club.sync()
        assert club.base()["@1:9"]["in_customers_group"]
    club.sync()
    assert not club.base()["@1:9"]["in_customers_group"]


def test_r15_whom_the_second_reading_confirms_counts_for_the_guard(club: Club) -> None:
    from clubsync.config import Guard

    club.configure(guard=Guard(share=0, at_least=2, at_most=2))
    club.erp.remove("1", "2", "3")
    step = club.sync()
    assert (step["suspected"], step["held"]) == (3, 0)
    step = club.sync()
    assert (step["suspected"], step["held"]) == (0, 3)
    assert len(club.inside()) == 9


def test_r20_an_erasure_takes_what_was_suspected(club: Club) -> None:
    from clubsync.manual.erasure import erase
    from clubsync.store.snapshots import Store

    club.erp.change("7", email="p1@x.fr")
    club.sync()
    count = "select count(*) from sync.suspicion where club = %s"
    assert club.rows(count, club.number) == [(1,)]
    erase(club._base, Store(str(club._store), base=club._base), club.config, "1")
    assert club.rows(count, club.number) == [(0,)]
