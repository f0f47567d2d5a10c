"""R14: nobody who is active throughout ever loses access, and nobody who never was ever gets it, whatever people
do to the ERP between the pages of a reading, in every kind of paging."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, product

import pytest

from tests.promise.lives import DISTURBANCES, Engine, OnPostgres, Told, believing, live
from tests.support.paged_lists import PAGING
from tests.support.rules import NewClub

#: Lives of each disturbance and paging where tests marked long run: 49 x 41 are two thousand.
LONG = 41


def broken(told: Told) -> tuple[int, int, int]:
    return told.lost, told.gained, told.unsettled


@pytest.mark.parametrize(
    ("paging", "disturbance"), zip(PAGING, cycle(reversed(DISTURBANCES)), strict=False)
)
def test_r14_the_promise_holds(paging: str, disturbance: str) -> None:
    """Each paging once, and each disturbance; on PostgreSQL most are paired otherwise."""
    by_memberships = len(disturbance + paging) % 2 == 1
    told = live(disturbance, paging, 0, readings=6, by_memberships=by_memberships)
    assert broken(told) == (0, 0, 0), told.stories


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("paging", list(PAGING))
@pytest.mark.parametrize("disturbance", list(DISTURBANCES))
def test_r14_the_promise_holds_in_two_thousand_lives(disturbance: str, paging: str) -> None:
    told = Told()
    for seed in range(1, 1 + LONG):
        told.add(live(disturbance, paging, seed, by_memberships=seed % 2 == 1))
    assert broken(told) == (0, 0, 0), told.stories[:3]


@pytest.mark.parametrize("by_memberships", [False, True])
def test_r14_the_promise_holds_on_postgresql(new_club: NewClub, by_memberships: bool) -> None:
    """The same through the whole engine: what is stored, looked at again and nudged. The clubs are synced in batches,
    each read in another way and edited by other people."""
    disturbances = list(DISTURBANCES) if by_memberships else ["everything at once"] * len(PAGING)
    kinds = list(zip(PAGING, cycle(disturbances), strict=False))
    engine = OnPostgres([new_club(group_required=by_memberships, timezone="UTC") for _ in kinds])

    def life(seed: int, paging: str, disturbance: str) -> Callable[[Engine], Told]:
        return lambda following: live(
            disturbance, paging, seed, readings=5, by_memberships=by_memberships, engine=following
        )

    told = engine.live([life(n, paging, how) for n, (paging, how) in enumerate(kinds)])
    assert told.readings == len(kinds) * 9
    assert broken(told) == (0, 0, 0), told.stories


def test_r14_without_a_second_reading_it_would_not_hold() -> None:
    """The same lives, read as if a walk were a moment: these tests can fail."""
    told, disturbances = Told(), ("one leaves, one comes", "two swap their emails")
    for seed, disturbance in product(range(4), disturbances):
        told.add(live(disturbance, "offset", seed, seen_as=believing))
        if told.lost > 3:
            return
    pytest.fail(f"only {told.lost} of those who were active lost access")
