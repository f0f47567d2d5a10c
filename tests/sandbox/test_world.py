"""The simulated world: the same for everybody who asks, and full of what happens in clubs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from email_validator import validate_email

from sandbox.world import ClubSpec, ClubState, Person, World

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
CLUBS = (ClubSpec("paris", "Boulder Paris", 300), ClubSpec("madrid", "Pádel Madrid", 200, "ES"))
ROOT = Path(__file__).parents[2]


def world(seed: int = 7, events_per_hour: float = 6.0) -> World:
    return World(seed, CLUBS, EPOCH, events_per_hour)


@pytest.fixture(scope="module")
def start() -> ClubState:
    return world().club("paris", EPOCH)


@pytest.fixture(scope="module")
def later() -> ClubState:
    """A month on."""
    return world().club("paris", EPOCH + timedelta(days=30))


def test_the_state_does_not_depend_on_the_way_there(later: ClubState) -> None:
    stepwise = world()
    for hours in (1, 1, 5, 100, 50, 500):
        stepwise.club("paris", EPOCH + timedelta(hours=hours))
        stepwise.club("madrid", EPOCH + timedelta(hours=hours))
    assert stepwise.club("paris", later.at) == later


def test_other_processes_see_the_same(later: ClubState) -> None:
    """Strings are hashed differently in each process: nothing may depend on that."""
    program = (
        "import hashlib\n"
        "from tests.sandbox.test_world import *\n"
        "state = world().club('paris', EPOCH + timedelta(days=30))\n"
        "print(hashlib.sha256(repr(state).encode()).hexdigest())"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == hashlib.sha256(repr(later).encode()).hexdigest()


def test_another_seed_is_another_world(start: ClubState) -> None:
    assert world(seed=8).club("paris", EPOCH).people != start.people


def test_clubs_do_not_depend_on_each_other(start: ClubState) -> None:
    alone = World(7, CLUBS[:1], EPOCH)
    assert alone.club("paris", EPOCH) == start


def test_numbers_are_stable_and_never_reused(start: ClubState, later: ClubState) -> None:
    assert [p.number for p in start.people] == list(range(1, CLUBS[0].customers + 1))
    assert [p.number for p in later.people] == list(range(1, len(later.people) + 1))
    created = {p.number: p.created_at for p in later.people}
    assert all(created[p.number] == p.created_at for p in start.people)
    assert later.person(17).number == 17


def test_nothing_happens_without_events_but_what_has_its_day(start: ClubState) -> None:
    quiet = world(events_per_hour=0).club("paris", EPOCH + timedelta(days=30))
    assert len(quiet.people) == len(start.people)
    changed = [(a, b) for a, b in zip(start.people, quiet.people, strict=True) if a != b]
    assert changed
    assert all(a.email == b.email for a, b in changed)


def test_what_changed_says_so(start: ClubState, later: ClubState) -> None:
    for before, after in zip(start.people, later.people[: len(start.people)], strict=True):
        if before != after:
            assert EPOCH < after.modified_at <= later.at
    assert all(EPOCH < p.created_at <= p.modified_at for p in later.people[len(start.people) :])


def emails(state: ClubState) -> Counter[str]:
    return Counter(p.email for p in state.people if p.email)


def test_emails_and_phones_are_nobodys(later: ClubState) -> None:
    for email in emails(later):
        assert email.lower().rpartition("@")[2] in {"example.com", "example.org", "example.net"}
        validate_email(email, check_deliverability=False)
    assert all(p.phone.startswith("+33") for p in later.people if p.phone)


def held(person: Person, state: ClubState) -> bool:
    day = state.at.date()
    return any(m.start <= day and (m.end is None or m.end >= day) for m in person.memberships)


def test_a_month_has_all_that_the_rules_speak_of(start: ClubState, later: ClubState) -> None:
    """Each of R4 to R10 has its examples."""
    pairs = list(zip(start.people, later.people[: len(start.people)], strict=True))
    assert any(p.status == "active" for p in later.people[len(start.people) :])
    assert any(a.status == "active" and b.status in ("former", "archived") for a, b in pairs)
    assert any(a.status in ("former", "archived") and b.status == "active" for a, b in pairs)
    assert any(a.email and b.email and a.email != b.email for a, b in pairs)
    assert any(
        a.memberships and b.memberships[: len(a.memberships)] != a.memberships for a, b in pairs
    )
    assert any(p.status == "paused" for p in later.people)
    assert any(p.status == "active" and p.memberships and not held(p, later) for p in later.people)
    assert any(p.email is None and p.guardian is None for p in later.people)
    merged = [p for p in later.people if p.replaced_by]
    assert merged
    assert all(p.status == "archived" and p.replaced_by != p.number for p in merged)


def test_families_share_the_owners_email_or_have_none(later: ClubState) -> None:
    children = [p for p in later.people if p.guardian]
    assert any(c.email is None for c in children)
    assert any(
        c.email and c.email == later.person(c.guardian).email for c in children if c.guardian
    )


def test_some_people_have_two_cards(start: ClubState) -> None:
    adults = [p for p in start.people if p.guardian is None]
    assert (
        max(Counter((p.first_name, p.last_name, p.birth_date, p.phone) for p in adults).values())
        > 1
    )


def test_two_people_swap_their_emails() -> None:
    """Among many events there is a swap: A has what B had, and B what A had."""
    lively = world(events_per_hour=60)
    before = lively.club("paris", EPOCH)
    had = {p.number: p.email for p in before.people}
    for hour in range(1, 72):
        now = lively.club("paris", EPOCH + timedelta(hours=hour))
        has = {p.number: p.email for p in now.people}
        taken = {
            n: e for n, e in has.items() if e and n in had and had[n] != e and e in had.values()
        }
        if any(
            had[a] == taken.get(b) and had[b] == taken[a] for a in taken for b in taken if a != b
        ):
            return
        had = has
    pytest.fail("nobody swapped")


def test_products_one_of_them_inactive(start: ClubState) -> None:
    assert Counter(p.active for p in start.products) == {True: 6, False: 1}
    known = {p.id for p in start.products}
    assert {m.product_id for p in start.people for m in p.memberships} <= known


def test_earlier_times_and_times_before_the_epoch() -> None:
    w = world()
    first = w.club("paris", EPOCH + timedelta(hours=3))
    w.club("paris", EPOCH + timedelta(days=3))
    assert w.club("paris", EPOCH + timedelta(hours=3)) == first
    assert w.club("paris", EPOCH - timedelta(days=9)).people == w.club("paris", EPOCH).people


def test_a_time_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        world().club("paris", datetime(2026, 11, 1))
    with pytest.raises(KeyError):
        world().club("lyon", EPOCH)
