"""R14, R16, R18, R20: killed anywhere and done again, everything is as if nothing had happened.

Each action runs in a process of its own, which is killed (SIGKILL) before or after a statement, in the middle of a
file, or between two files. At that moment everybody is as they were or as they will be. Then a person or upkeep does
it again, and base, mirror, audit, findings, holds and stored files are those of a twin that nobody disturbed.
"""

from __future__ import annotations

from itertools import product

import pytest

from tests.kills.actions import ACTIONS
from tests.kills.lab import Lab, Told
from tests.kills.plan import FAULTS, of_interest, sample

#: Another one each time it is worth it: what is tried is then another sample.
SEED = 2026


#: Left to the long tests: they write by the same code as a sync, a load, an acceptance, an addition by hand.
LIKE_OTHERS = ("sync, a page is missing", "load, club retried", "refuse", "add after an undo")


@pytest.mark.parametrize("action", [name for name in ACTIONS if name not in LIKE_OTHERS])
def test_killed_and_done_again(lab: Lab, action: str) -> None:
    told = Told()
    for point in sample(lab.prepared(action).points, 1, f"{action} {SEED}"):
        told.add(lab.kill(action, point))
    assert told.faults == []


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_every_point(lab: Lab, action: str) -> None:
    told = Told()
    for point in lab.prepared(action).points:
        told.add(lab.kill(action, point))
    assert told.tries > 30
    assert told.faults == []


DISTURBED = ("sync", "load", "approve", "undo", "retention")


@pytest.mark.parametrize(
    ("action", "fault"), list(product(DISTURBED, ("cut", "unanswered", "read-only")))[::4]
)
def test_disturbed_and_done_again(lab: Lab, action: str, fault: str) -> None:
    """Connections that are cut, also when a commit is not answered; a store that cannot be written to."""
    told = Told()
    points = of_interest(lab.prepared(action).points, fault)
    for point in sample(points, 1, SEED):
        told.add(lab.disturb(action, point, fault))
    assert told.faults == []


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"kill"}))
@pytest.mark.parametrize("action", ACTIONS)
def test_disturbed_anywhere(request: pytest.FixtureRequest, action: str, fault: str) -> None:
    lab: Lab = request.getfixturevalue("own_lab" if fault == "crash" else "lab")
    told = Told()
    for point in sample(of_interest(lab.prepared(action).points, fault), 25, SEED):
        told.add(lab.disturb(action, point, fault))
    assert told.faults == []
