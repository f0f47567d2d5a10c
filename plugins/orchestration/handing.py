"""What goes through XCom: where the club ids or steps lie that a task hands on, and how many they are.

A task takes and returns a `Ref`, or a list of them to be mapped over: under 10 kB, however many clubs there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from plugins.orchestration import notes

if TYPE_CHECKING:
    from clubsync.model import Step
    from clubsync.store.database import Base

MOST_BYTES = 9_000
"""Of a list of references as JSON. A longer one goes without its labels."""

LONGEST_LABEL = 60
"""Characters of a reference's label; the row of a task that has run has a longer one."""


class Ref(TypedDict):
    """Where something lies that a task has handed on.

    :param handed_on: its number in the club base (`clubsync.store.handed_on`).
    :param clubs: how many clubs it is about.
    :param failed: how many of them have failed so far.
    :param place: the only step of it that is meant.
    :param label: what the row of a mapped task is called until it has run.
    """

    handed_on: int
    clubs: int
    failed: NotRequired[int]
    place: NotRequired[int]
    label: NotRequired[str]


Refs = Iterable[Ref | None] | Ref | None
"""What Airflow passes of a mapped task: a value each, or None; the value itself if there is only one; None if there is
none."""


def clubs(base: Base, ids: Sequence[str], names: Sequence[str]) -> Ref:
    """Hand on a batch of clubs."""
    from clubsync.store import handed_on

    return Ref(handed_on=handed_on.put(base, ids), clubs=len(ids), label=_label(names))


def steps(base: Base, made: Sequence[Step]) -> Ref:
    """Hand on the steps of a batch."""
    from clubsync.store import handed_on

    failed = sum(1 for step in made if step["error"])
    label = notes.shortened(notes.label(made), LONGEST_LABEL)
    return Ref(handed_on=handed_on.put(base, made), clubs=len(made), failed=failed, label=label)


def each(base: Base, made: Sequence[Step], labels: Sequence[Sequence[str]]) -> list[Ref]:
    """Hand on steps that are mapped over one by one.

    :param labels: of each the names of its clubs.
    """
    from clubsync.store import handed_on

    if not made:
        return []
    number = handed_on.put(base, made)
    return small(
        [
            Ref(handed_on=number, clubs=max(len(names), 1), place=place, label=_label(names))
            for place, names in enumerate(labels)
        ]
    )


def small(refs: Sequence[Ref]) -> list[Ref]:
    """The references, without labels if they were too large."""
    if len(json.dumps(refs)) <= MOST_BYTES:
        return list(refs)
    found = []
    for ref in refs:
        bare = ref.copy()
        bare.pop("label", None)
        found.append(bare)
    return found


def taken(base: Base, ref: Ref) -> list[Any]:
    """The club ids or steps.

    :raises clubsync.errors.HandedOnGone: they were deleted.
    """
    from clubsync.store import handed_on

    found = handed_on.take(base, ref["handed_on"])
    return [found[ref["place"]]] if "place" in ref else found


def all_taken(base: Base, refs: Refs) -> Iterator[Any]:
    """The club ids or steps of several references; of a task that was interrupted there is none."""
    several = [cast(Ref, refs)] if isinstance(refs, Mapping) else refs or []
    for ref in several:
        if ref:
            yield from taken(base, ref)


def label(ref: Ref) -> str:
    """What a row is called before its task has run."""
    return ref.get("label") or f"{ref['clubs']} club{'s' * (ref['clubs'] != 1)}"


def _label(names: Sequence[str]) -> str:
    return notes.shortened(notes.listed(names), LONGEST_LABEL)
