"""Reading a small ERP page by page while it is edited: what a connector's walk makes of it (tests only)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from connectors.sdk.http import HttpLimits
from connectors.sdk.model import Consistency
from connectors.sdk.paging import Order, Page, Walk, next_offset
from tests.support.memory import FORMER_GROUP
from tests.support.words import Record
from tests.support.world import World

SIZE = 2
#: What may be a row of a list, behind its id.
Of = TypeVar("Of")
#: A membership: of which record, which group, its last day.
Membership = tuple[str, str, date | None]


def _walk(
    rows: Callable[[], list[tuple[int, Of]]], by_id: bool, edit: Callable[[], None]
) -> Walk[tuple[int, Of], int]:
    """:param edit: called before each page but the first."""
    begun = False

    def there() -> list[tuple[int, Of]]:
        nonlocal begun
        if begun:
            edit()
        begun = True
        return rows()

    def by_position(offset: int) -> Page[tuple[int, Of], int]:
        now = there()
        page = now[offset : offset + SIZE]
        return Page(
            page, [row[0] for row in page], next_offset(offset, len(page), len(now)), len(now)
        )

    def behind(last: int) -> Page[tuple[int, Of], int]:
        page = sorted((row for row in there() if row[0] > last), key=lambda row: row[0])[:SIZE]
        keys = [row[0] for row in page]
        return Page(page, keys, keys[-1] if len(page) == SIZE else None, keys=keys)

    if by_id:
        return Walk(behind, 0, HttpLimits(), order=Order.KEY)
    return Walk(by_position, 0, HttpLimits(), order=Order.POSITION)


def _held(world: World) -> list[tuple[int, Membership]]:
    """The memberships as a list of their own."""
    rows: list[tuple[int, Membership]] = []
    for i, record in world.erp.items():
        groups: Sequence[tuple[str, date | None]] = [
            *record.groups.items(),
            *([(FORMER_GROUP, None)] if record.former else []),
        ]
        rows += [(int(i) * 1000 + sum(g.encode()) % 1000, (i, g, day)) for g, day in groups]
    return rows


def walked(
    world: World,
    consistency: Consistency,
    *,
    newest_first: bool,
    joined: bool,
    edit: Callable[[], None],
) -> tuple[dict[str, Record], bool]:
    """The world's records as a walk shows them, and whether it is certified.

    :param joined: memberships are a list of their own, read before the records.
    :param edit: called before each page but the first; nobody edits a reading of one moment.
    """
    if consistency is Consistency.MOMENT:
        return dict(world.erp), True
    by_id, whole = consistency is Consistency.BY_ID, True

    def ordered(rows: list[tuple[int, Of]]) -> list[tuple[int, Of]]:
        return rows[::-1] if newest_first else rows

    def read(rows: Callable[[], list[tuple[int, Of]]]) -> list[tuple[int, Of]]:
        nonlocal whole
        walk = _walk(lambda: ordered(rows()), by_id, edit)
        found = walk.all_rows()
        whole = whole and not walk.doubts and not walk.repeated and walk.total in (None, len(found))
        return found

    groups: dict[str, list[tuple[str, date | None]]] = {}
    for _, row in read(lambda: _held(world)) if joined else ():
        groups.setdefault(row[0], []).append(row[1:])
    if joined:
        edit()
    shown: dict[str, Record] = {}
    odd = set[str]()
    for number, there in read(lambda: [(int(i), record) for i, record in world.erp.items()]):
        i, record = str(number), there
        if joined:
            held = groups.get(i, [])
            record = replace(
                there,
                groups={g: day for g, day in held if g != FORMER_GROUP},
                former=any(g == FORMER_GROUP for g, _ in held),
            )
        if i in shown and shown[i] != record:
            odd.add(i)
        shown[i] = record
    return {i: record for i, record in shown.items() if i not in odd}, whole
