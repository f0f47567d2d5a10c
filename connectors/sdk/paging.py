"""Reading a list page by page: one walk for every connector, and what it proves or leaves in doubt (R14).

How a page is requested, and which request its response leads to, is the connector's own: a function from a
position to a `Page`. The rules are the same for all:

- **page twice**: a page whose rows were all on earlier pages is dropped, and ends the walk.
- **next page twice**: a page that names a next page which was already requested ends the walk.
- **wrong page**: a page of a walk by id whose ids do not rise, or do not lie behind those of the page before, is a page
  that could not be read.
- **failing page**: a page that could not be read, or that says that there is more and not where, ends the walk;
  what came before is kept. Before the first complete page it is an error.
- **empty page**: in the middle of a list it is not the end; `MAX_EMPTY_PAGES` in a row end the walk.
- **limit**: `http.max_pages` pages, or `http.max_records` records, end the walk.
- **total**: it has to stay the same on all pages that state one, the first of them at least, and to equal the rows
  (`Walk.joined`, `model.assemble`). A page behind the last row that it counts may fail, or state none: the list has
  ended.
- **no total**: pages by position (page number, offset, Range) then have to state the last one, by a flag or by the
  number of pages.
- **walk**: pages by position, or by a cursor that may hide one, are no moment, whatever the total says: one row
  that leaves moves another across a boundary that was already passed (`Walk.consistency`). What such a list lacks is
  only suspected until a second reading lacks it too.
- **overlap**: pages by offset may be asked for so that each begins with the last row of the one before (`Overlap`). If
  it does not, rows moved. If it does, as many rows stood before that row as when it was first read; so the end of the
  list is seen, and, where rows never change their order, nobody who was there all along was missed.
- **end**: without a total, a page that names no next one is the last one if the response states that, if an
  earlier page named a next one, or if a request for a single row (`probe`) shows that the ERP names one when
  there is more.
- **single response**: a round number of rows looks like a limit.
- **id twice**: rows moved (`Walk.joined`, `model.assemble`).

Every walk that ends early, and every rule that is broken, is a doubt; a reading with a doubt is not certified.
Whether a list without paging has a limit, and whether a total counts the rows of the list, is what a connector
knows of its ERP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import polars as pl

from connectors.sdk.errors import ConnectorError, ContractChanged, ErpUnreachable
from connectors.sdk.http import HttpLimits
from connectors.sdk.messages import message
from connectors.sdk.model import Consistency, Memberships, Reading, assemble

T = TypeVar("T")
At = TypeVar("At", bound=Hashable)

Progress = Callable[[int, int | None], None]

#: that many pages without a row, one after the other, are treated as a circle.
MAX_EMPTY_PAGES = 20
#: numbers of rows at which ERPs tend to truncate a list without saying so.
ROUND_NUMBERS = frozenset(
    {10, 15, 20, 25, 30, 50, 100, 150, 200, 250, 300, 500, 1000, 2000, 2500, 5000}
)


class Order(StrEnum):
    """How the pages of a list follow one another."""

    #: there is one response.
    SINGLE = "single"
    #: by page number, offset or Range.
    POSITION = "position"
    #: by a cursor or address of the ERP's, which may hide a position.
    CURSOR = "cursor"
    #: behind the last row's key.
    KEY = "key"


@dataclass(frozen=True)
class Page(Generic[T, At]):
    """One page.

    :param rows: in the ERP's order.
    :param ids: of the rows, by which a repeated page is recognised; None: a row without one. In a list, an id that
        occurs twice counts as repeated; in a set, only one that was on an earlier page.
    :param next: what the next page is requested with; None after the last one.
    :param total: how many rows the ERP says that the list has, if it does.
    :param keys: the ids in order, if the next page lies behind the last one.
    :param end_stated: whether a page without a next one states that it is the last; False: it merely names none.
    :param dead_end: why the next page cannot be requested although there may be one.
    :param doubt: what the page shows to have gone wrong before it.
    """

    rows: Sequence[T]
    ids: Collection[Hashable]
    next: At | None
    total: int | None = None
    keys: Sequence[int] | None = None
    end_stated: bool = True
    dead_end: ConnectorError | None = None
    doubt: str | None = None


class Overlap(Generic[T]):
    """Pages by offset, each of which is asked for from the last rows of the one before on (R14).

    Where those stand at their old positions, as many rows stand before them as when they were first read. What that
    proves depends on the order of the list:

    - Rows that never change their order, as in a list that is sorted by id: whoever was there all along stood behind
      the boundary then and stands behind it now, or was read before it. Nobody of them is missed, however many came
      and went: as good as a walk by id.
    - Any other order: a row may jump from behind the boundary to before it while another leaves from before it.
      Nothing is proved of who is missing.

    Neither proves that the rows are of one moment: half of a swap looks like any other two rows.

    :param rows: how many rows overlap.
    :param identity: of a row, by which it is found again.
    :param key: of a row, by which the ERP is said to sort; None: nobody says by what.
    """

    def __init__(
        self,
        rows: int,
        identity: Callable[[T], Hashable],
        key: Callable[[T], str | None] | None = None,
    ) -> None:
        self._rows, self._identity, self._key = rows, identity, key
        self._tail: list[Hashable] = []
        self._begun = False
        self._ordered = key is not None
        self._last: str | None = None
        self._rises: bool | None = None

    def next_start(self, rows: int) -> int:
        """The position from which the next page is asked for.

        :param rows: that came so far; where they are no more than overlap, there is nothing to begin with.
        """
        if rows <= len(self._tail):
            self._tail = []
        return rows - len(self._tail)

    @property
    def proves_absence(self) -> bool:
        """Whether all keys that were read rise, or all of them fall, as those of a list that is sorted by them do."""
        return self._ordered

    def take(self, page: Sequence[T]) -> tuple[list[T], str | None]:
        """The rows of a page that were not on the one before, and what it shows to have gone wrong."""
        identities = [self._identity(row) for row in page]
        doubt, rows = None, list(page)
        if not self._tail:
            self._ordered = self._ordered and not (self._begun and rows)
        elif identities[: len(self._tail)] == self._tail:
            rows = rows[len(self._tail) :]
        else:
            doubt = "Rows moved while they were read: a page did not begin with the last row of the page before."
            self._ordered = False
        self._begun = True
        for row in rows:
            self._check_order(row)
        self._tail = [*self._tail, *identities[len(page) - len(rows) :]][-self._rows :]
        return rows, doubt

    def _check_order(self, row: T) -> None:
        if self._key is None or not self._ordered:
            return
        key = self._key(row)
        if self._last is not None and key is not None:
            rises = _rises(self._last, key)
            self._ordered = rises is not None and self._rises in (None, rises)
            self._rises = rises
        self._last = key
        self._ordered = self._ordered and key is not None


def _rises(one: str, other: str) -> bool | None:
    """Whether the second of two keys is the higher; None: they are equal, or cannot be compared."""
    if one.isdecimal() != other.isdecimal() or one == other:
        return None
    return int(one) < int(other) if one.isdecimal() else one < other


class Walk(Generic[T, At]):
    """A list, page by page: iterate over it once, for the rows of each page, or take `all_rows` or `whole`.

    :param fetch: requests a page.
    :param first: what the first page is requested with; None: there is nothing to request.
    :param progress: called after each page with (rows so far, total if known).
    :param probe: whether a page of a single row, of several, names a next one; None: there is no such request.
    :param overlap: of the pages, if they do.

    :raises ConnectorError: while iterating, before the first complete page.
    """

    def __init__(
        self,
        fetch: Callable[[At], Page[T, At]],
        first: At | None,
        limits: HttpLimits,
        *,
        order: Order,
        progress: Progress = lambda rows, total: None,
        probe: Callable[[], bool] | None = None,
        overlap: Overlap[T] | None = None,
    ) -> None:
        self._fetch = fetch
        self._first = first
        self._limits = limits
        self._order = order
        self._progress = progress
        self._probe = probe
        self._overlap = overlap
        self._known: set[Hashable] = set()
        self._requested: set[At] = set()
        self._last_key: int | None = (
            first if order is Order.KEY and isinstance(first, int) else None
        )
        self._by_id = order is Order.KEY
        self._responses = 0
        self._empty = 0
        self._without_total = False
        self._alone: int | None = None
        #: pages with rows, or the first one.
        self.pages = 0
        self.rows = 0
        #: ids that came more than once.
        self.repeated = 0
        #: what the ERP last said that the list has.
        self.total: int | None = None
        #: why the list may be incomplete, in sentences; empty: it is complete.
        self.doubts: list[str] = []

    @property
    def consistency(self) -> Consistency:
        """What the rows that were read have in common; of this list, not of what was requested in between."""
        if self.pages <= 1 and self._alone is None:
            return Consistency.MOMENT
        overlaps = self._overlap is not None and self._overlap.proves_absence
        proved = self._by_id or overlaps or self._alone is not None
        return Consistency.BY_ID if proved else Consistency.BY_POSITION

    def asked_for_missing(self, found: int) -> None:
        """All known customers whom the walk had missed were asked for alone (R14): who is missing now is gone.

        :param found: how many of them there are; they count beyond the list's total.
        """
        self._alone = found

    def __iter__(self) -> Iterator[Sequence[T]]:
        at = self._first
        while at is not None:
            page = self._page(at)
            if page is None:
                return
            yield page.rows
            self._progress(self.rows, self.total)
            if self._stops_after(page):
                return
            at = page.next
            if at is None:
                self._check_end(page)

    def all_rows(self) -> list[T]:
        """The rows of all pages that could be read."""
        return [row for rows in self for row in rows]

    def whole(self, path: str, *, remedy: str | None = None) -> list[T]:
        """The rows of a list that has to be complete, such as that of the groups.

        :param path: where the ERP has the list, for the message.
        :raises ErpUnreachable: it cannot be proved to be complete.
        """
        rows, found = self.joined(path)
        if found.doubts:
            raise ErpUnreachable(found.doubts[0], remedy=remedy)
        return rows

    def joined(self, path: str) -> tuple[list[T], Memberships]:
        """The rows of a list that customers are joined with, and what it proves.

        What is on it is true; of what is missing from it only a complete list that shows one moment, or was read
        by id, says anything (R14).

        :param path: where the ERP has the list, for the message.
        :raises ConnectorError: its first page could not be read.
        """
        rows = self.all_rows()
        doubts = list(self.doubts)
        if self.total is not None and self.total != len(rows):
            doubts.append(
                f"The ERP states a total of {self.total}, but the number of rows received is {len(rows)}."
            )
        if self.repeated:
            doubts.append(f"Rows moved while they were read: {self.repeated} came more than once.")
        told = (
            message(f"The list at {path} could not be read completely: {doubt}") for doubt in doubts
        )
        return rows, Memberships(self.consistency, tuple(told))

    def reading(
        self,
        customers: pl.DataFrame,
        groups: pl.DataFrame,
        *,
        as_of: datetime,
        column_of: Mapping[str, str],
        columns: Sequence[str] = (),
        decided_by: Sequence[str] = (),
        since: datetime | None = None,
        memberships: Memberships | None = None,
    ) -> Reading:
        """The reading of a list of customers.

        :param customers: `CUSTOMER_SCHEMA`, all rows, in order.
        :param column_of: canonical field -> the ERP's own name, in the ERP's order.
        :param columns: more of the ERP's own names, before those.
        :param since: of a walk through changes only.
        :param memberships: the list of their own that groups were read from.
        :raises ContractChanged: no customer has an id that can be read.
        """
        # of what changed, a single odd record may be all
        some = customers.height > (0 if since is None else 1)
        if some and customers["erp_id"].null_count() == customers.height:
            raise ContractChanged("None of the ERP's records has an id that can be read.")
        return assemble(
            customers,
            groups,
            as_of=as_of,
            paged=True,
            pages=self.pages,
            total=None if self.total is None else self.total + (self._alone or 0),
            doubts=self.doubts,
            columns=tuple(dict.fromkeys((*columns, *column_of.values()))),
            column_of=column_of,
            decided_by=decided_by,
            since=since,
            consistency=self.consistency,
            memberships=memberships,
        )

    # the rules

    def _page(self, at: At) -> Page[T, At] | None:
        """The page; None: it ends the walk, and a doubt says why."""
        self._requested.add(at)
        try:
            page = self._fetch(at)
            self._check_keys(page)
        except ConnectorError as error:
            if not self._responses:
                raise
            if self.rows == self.total:
                return None
            self.doubts.append(f"Page {self._responses + 1} could not be read: {error.what}")
            return None
        self._responses += 1
        if page.doubt and page.doubt not in self.doubts:
            self.doubts.append(page.doubt)
        self.pages += bool(page.rows) or self._responses == 1
        # of records without an id nothing says that two of them are one
        ids = [one for one in page.ids if one is not None]
        distinct = set(ids)
        if distinct and distinct <= self._known:
            self.doubts.append("The ERP returned a page twice; reading stopped there.")
            return None
        self.repeated += len(ids) - len(distinct - self._known)
        self._known |= distinct
        self.rows += len(page.rows)
        self._empty = 0 if page.rows else self._empty + 1
        self._note_total(page)
        return page

    def _check_keys(self, page: Page[T, At]) -> None:
        """:raises ContractChanged: a page of a walk by id is not the one that was requested."""
        if not page.rows:
            return
        if page.keys is None:
            self._by_id = False
            if self._last_key is None:
                return
        keys = list(page.keys or ())
        behind = keys and (self._last_key is None or self._last_key < keys[0])
        if not behind or keys != sorted(keys):
            raise _not_requested()
        self._last_key = keys[-1]

    def _note_total(self, page: Page[T, At]) -> None:
        total = page.total
        if total is None:
            if page.rows or self.total is None:
                self._without_total = True
            return
        if self.total is not None and total != self.total:
            self.doubts.append(
                f"The ERP's total changed from {self.total} to {total} while its pages were read."
            )
        self.total = total

    def _stops_after(self, page: Page[T, At]) -> bool:
        """Whether the walk ends here although the list may not; a doubt says why."""
        if page.dead_end is not None:
            if self._responses == 1:
                raise page.dead_end
            self.doubts.append(
                f"Reading stopped after page {self._responses}: {page.dead_end.what}"
            )
        elif page.next is None:
            return False
        elif page.next in self._requested:
            self.doubts.append(
                "The ERP named a next page that had already been read; reading stopped there."
            )
        elif self._empty >= MAX_EMPTY_PAGES:
            self.doubts.append(f"Reading stopped after {self._empty} empty pages in a row.")
        elif self._responses >= self._limits.max_pages:
            self.doubts.append(f"Reading stopped at the limit of {self._responses} pages.")
        elif self.rows >= self._limits.max_records:
            self.doubts.append(
                f"Reading stopped at the limit of {self._limits.max_records} records (http.max_records)."
            )
        else:
            return False
        return True

    def _check_end(self, page: Page[T, At]) -> None:
        """What the last page proves; whether the total equals the rows is checked with the rows."""
        if not self._without_total or self.rows == self.total:
            return
        if page.end_stated:
            return
        if self._order is Order.POSITION:
            if self.pages > 1:
                self.doubts.append(
                    "The ERP states neither a total nor which page is the last, so pages may be missing."
                )
        elif self._order is Order.SINGLE:
            if len(page.rows) in ROUND_NUMBERS:
                self.doubts.append(
                    f"The ERP returned exactly {len(page.rows)} rows, which looks like a limit."
                )
        elif self._responses == 1 and len(page.rows) > 1 and not self._names_next():
            self.doubts.append(
                "A page of several rows named no next page, and nothing shows that the ERP would have named one."
            )

    def _names_next(self) -> bool:
        try:
            return self._probe is not None and self._probe()
        except ConnectorError:
            return False


def _not_requested() -> ContractChanged:
    return ContractChanged("The ERP did not return the page that was requested.")


def next_offset(offset: int, rows: int, total: int) -> int | None:
    """The offset of the next page of a list whose total counts the rows of the list; None: there is none.

    It follows the rows that came, not those that were requested: an ERP may return fewer per page.
    """
    return offset + rows if rows and offset + rows < total else None


def walk_by_id(
    fetch: Callable[[int], tuple[Sequence[T], Sequence[int]]],
    last: int,
    total: int,
    limits: HttpLimits,
    progress: Progress = lambda rows, total: None,
) -> Walk[T, int]:
    """A walk behind the last id seen, up to the highest id at its start: rows that come or go meanwhile move
    nothing, and those that come later are not part of it.

    :param fetch: from an id, the rows of the page behind it, none above `last`, and their ascending ids.
    :param last: the highest id; 0: there are no rows.
    :param total: how many records the ERP says that there are up to it.
    """

    def page(after: int) -> Page[T, int]:
        rows, ids = fetch(after)
        if ids and ids[-1] > last:
            raise _not_requested()
        more = bool(ids) and ids[-1] < last
        return Page(rows, ids, ids[-1] if more else None, total, keys=ids)

    walk = Walk(page, 0 if last else None, limits, order=Order.KEY, progress=progress)
    walk.total = total
    return walk
