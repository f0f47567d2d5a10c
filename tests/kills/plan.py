"""Which tries are made: all of them, or a sample that is spread over everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from tests.kills.actions import ACTIONS

#: fault -> the points at which it is of interest: words that their names hold.
FAULTS: dict[str, tuple[str, ...]] = {
    "kill": ("",),
    "cut": (" sql ", "commit", "rollback"),
    "unanswered": ("after commit",),
    "crash": (" sql ", "commit", "write "),
    "clock back": (" sql ",),
    "clock ahead": (" sql ",),
    "full": ("before open ", "write ", "before mkdir "),
    "read-only": (
        "before open ",
        "before mkdir ",
        "before unlink ",
        "before remove ",
        "before rename ",
        "before rmtree ",
    ),
}


def of_interest(points: Sequence[str], fault: str) -> list[str]:
    """The points at which the fault is of interest."""
    return [p for p in points if any(word in p for word in FAULTS[fault])]


def sample(points: Sequence[str], count: int, seed: object) -> list[str]:
    """That many points, one out of each stretch of them, so that the whole way is covered."""
    if count >= len(points):
        return list(points)
    dice, size = Random(f"{seed}"), len(points) / count
    return [points[int(at * size + dice.random() * size)] for at in range(count)]


def shares(count: int) -> Iterator[tuple[str, int]]:
    """So many tries, split over the actions."""
    each, over = divmod(count, len(ACTIONS))
    for at, name in enumerate(ACTIONS):
        yield name, each + (at < over)
