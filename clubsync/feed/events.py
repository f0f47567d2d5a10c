"""Reading the feed: audit rows as events, in one order that nothing joins later (R30).

| | order |
|---|---|
| in one club | as the audit was written: the club's lock admits one writer at a time |
| across clubs | by position, which an entry is given after its transaction has committed |

So whoever has read up to a position has everything below it, also from transactions that commit late. Erasure takes a
person's rows, and their values in the rows of others, out of the audit (R20), and so out of the feed; the event
`erasure` stays. The audit is kept; only removing a club deletes its rows (R28).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clubsync.errors import CursorGone
from clubsync.feed.cursor import LATEST, Cursor
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import FeedChangesRow, FeedEntriesOfClubRow, FeedEntriesRow

    Entry = FeedEntriesRow | FeedEntriesOfClubRow

#: Events of a page at most.
MOST = 1000
#: What to do about a cursor that is not continued.
RESTART = message(
    "Compare what you keep with the customers of the club base, then resume from `latest`."
)
#: Entries whose rows are queried together; each of them may fill the page by itself.
_TOGETHER = 50


@dataclass(frozen=True)
class Event:
    """One audit row, as the feed has it.

    :param cursor: its id.
    :param club_no: base.club.club; club: its id.
    :param access: whether the customer has access now, where the change is about that.
    :param before, after: a person's values; None unless they were asked for.
    """

    cursor: Cursor
    club_no: int
    club: str
    at: datetime
    kind: str
    customer: int
    erp_id: str | None
    run: int
    reason: str | None
    access: bool | None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """Permanent: also the cursor after this event."""
        return str(self.cursor)

    def document(self, *, values: bool) -> dict[str, Any]:
        """As JSON has it.

        :param values: with what was and what is.
        """
        found: dict[str, Any] = {
            "id": self.id,
            "club": self.club,
            "at": self.at,
            "kind": self.kind,
            "customer": self.customer,
            "erp_id": self.erp_id,
            "run": self.run,
            "reason": self.reason,
            "access": self.access,
        }
        return found | {"before": self.before, "after": self.after} if values else found


@dataclass(frozen=True)
class Page:
    """Events in order.

    :param next: the cursor after them, and after whatever else was looked at.
    :param more: whether more may follow at once.
    """

    events: tuple[Event, ...]
    next: Cursor
    more: bool


def number(base: Base) -> int:
    """Give positions to what has committed. Cheap where there is nothing new.

    :returns: the last position.
    """
    with base.transaction() as driver:
        return queries().number_feed(driver)


def moved(base: Base, since: int) -> tuple[int, set[int]]:
    """The last position, and the clubs that have entries after an earlier one."""
    position = number(base)
    if position == since:
        return position, set()
    with base.reader() as driver:
        return position, {row["club"] for row in queries().clubs_in_feed(driver, position=since)}


def page(
    base: Base,
    after: str,
    *,
    club: int | None = None,
    clubs: Collection[int] | None = None,
    kinds: Sequence[str] | None = None,
    values: bool = False,
    limit: int = 100,
) -> Page:
    """A page of the feed.

    :param after: a cursor, or `latest`: nothing of what there is.
    :param club: base.club.club: of this club, as somebody who sees no other (R21).
    :param clubs: of all clubs only these.
    :param kinds: only these kinds of change; None: all.
    :param limit: from 1 to `MOST`.
    :raises CursorInvalid, CursorGone: the feed does not continue this cursor.
    """
    number(base)
    with base.reader() as driver:
        if after == LATEST:
            return Page((), latest(driver), more=False)
        cursor = Cursor.of(after)
        _check(driver, cursor, club)
        if club is None:
            return read(driver, cursor, clubs=clubs, kinds=kinds, values=values, limit=limit)
    with base.club(club) as driver:
        return read(driver, cursor, club=club, kinds=kinds, values=values, limit=limit)


def read(
    driver: Driver,
    after: Cursor,
    *,
    club: int | None = None,
    clubs: Collection[int] | None = None,
    kinds: Sequence[str] | None = None,
    values: bool = False,
    limit: int = 100,
) -> Page:
    """`page` of what has been numbered, after a cursor that is taken on trust.

    :param driver: of `Base.club`, if `club` is given; else of `Base.reader`.
    """
    entries = _entries(driver, after, club, limit + 1)
    wanted = [entry for entry in entries if clubs is None or entry["club"] in clubs]
    found: list[Event] = []
    for start in range(0, len(wanted), _TOGETHER):
        part = wanted[start : start + _TOGETHER]
        found += _events(driver, part, after, kinds, values, limit + 1 - len(found))
        if len(found) > limit:
            return Page(tuple(found[:limit]), found[limit - 1].cursor, more=True)
    reached = _end(driver, entries, after) if entries else after
    return Page(tuple(found), reached, more=len(entries) > limit)


def resume(base: Base, after: str) -> Cursor:
    """The cursor of a text: of `latest` the one after the last event that there is.

    :raises CursorInvalid, CursorGone: the feed does not continue it.
    """
    number(base)
    with base.reader() as driver:
        if after == LATEST:
            return latest(driver)
        cursor = Cursor.of(after)
        _check(driver, cursor, None)
        return cursor


def latest(driver: Driver) -> Cursor:
    """The cursor after the last event that has been numbered.

    :param driver: of `Base.reader`: across clubs.
    """
    sql = queries()
    row = sql.last_feed_entry(driver, position=sql.feed_head(driver))
    if row is None:
        return Cursor()
    change = sql.last_change(driver, club=row["club"], run=row["run"])
    return Cursor(row["position"], change, row["mark"])


def _check(driver: Driver, after: Cursor, club: int | None) -> None:
    """:raises CursorGone: see `page`."""
    if not after.position:
        return
    sql = queries()
    mark = sql.feed_mark(driver, position=after.position)
    if after.position > sql.feed_head(driver) or mark not in (after.mark, None):
        raise CursorGone(
            "The change feed does not continue this cursor: the database was restored or replaced.",
            remedy=RESTART,
        )
    if mark is None and club is not None:
        raise CursorGone(
            "The change feed does not continue this cursor: its club's data were deleted.",
            remedy=RESTART,
        )


def _entries(driver: Driver, after: Cursor, club: int | None, most: int) -> Sequence[Entry]:
    sql = queries()
    if club is None:
        return list(sql.feed_entries(driver, position=after.position, max_rows=most))
    return list(sql.feed_entries_of_club(driver, club=club, position=after.position, max_rows=most))


def _events(
    driver: Driver,
    entries: Sequence[Entry],
    after: Cursor,
    kinds: Sequence[str] | None,
    values: bool,
    most: int,
) -> Iterator[Event]:
    rows = queries().feed_changes(
        driver,
        clubs=[entry["club"] for entry in entries],
        runs=[entry["run"] for entry in entries],
        positions=[entry["position"] for entry in entries],
        changes=[after.change if e["position"] == after.position else 0 for e in entries],
        kinds=None if kinds is None else list(kinds),
        with_values=values,
        max_rows=most,
    )
    by_position = {entry["position"]: entry for entry in entries}
    for row in rows:
        yield _event(row, by_position[row["position"]])


def _event(row: FeedChangesRow, entry: Entry) -> Event:
    return Event(
        cursor=Cursor(row["position"], row["change"], entry["mark"]),
        club_no=row["club"],
        club=entry["club_id"],
        at=row["at"],
        kind=row["kind"],
        customer=row["customer"],
        erp_id=row["erp_id"],
        run=row["run"],
        reason=row["reason"],
        access=row["access"],
        before=row["before"],
        after=row["after"],
    )


def _end(driver: Driver, entries: Sequence[Entry], after: Cursor) -> Cursor:
    """The cursor after all rows of the last entry: also where none of them was wanted, or is left."""
    last = entries[-1]
    change = queries().last_change(driver, club=last["club"], run=last["run"])
    return max(after, Cursor(last["position"], change, last["mark"]))
