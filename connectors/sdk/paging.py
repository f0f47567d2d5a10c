"""Walking an ERP's pages, and what the walk by itself proves or leaves in doubt (R14).

How a page is asked for, and what in its answer leads to the next one, is each connector's own; that no page
comes twice, that a walk ends, that a total stays what it was, and what becomes of a walk that breaks off is the
same for all, and stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import polars as pl

from connectors.sdk.errors import ConnectorError, ContractChanged
from connectors.sdk.http import HttpLimits
from connectors.sdk.model import Reading, assemble

T = TypeVar("T")
At = TypeVar("At", bound=Hashable)


@dataclass(frozen=True)
class Page(Generic[T, At]):
    """One answer.

    :param rows: what it says, in the ERP's order.
    :param ids: of its records, by which a page that comes twice is known.
    :param next: what the next page is asked for with; None after the last one.
    :param total: how many records the ERP says there are, where it says.
    """

    rows: Sequence[T]
    ids: Collection[str]
    next: At | None
    total: int | None = None


@dataclass
class Walk(Generic[T]):
    """All pages that came: `doubts` as `connectors.sdk.model.assemble` takes them."""

    rows: list[T] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    pages: int = 0
    total: int | None = None

    def reading(
        self,
        customers: pl.DataFrame,
        groups: pl.DataFrame,
        *,
        as_of: datetime,
        column_of: Mapping[str, str],
        since: datetime | None = None,
    ) -> Reading:
        """The reading that came of it.

        :param customers: `CUSTOMER_SCHEMA`, all of `rows`, in their order.
        :param column_of: canonical field -> the ERP's own name, in the ERP's order.
        :param since: of a walk through changes only.
        """
        return assemble(
            customers,
            groups,
            as_of=as_of,
            paged=True,
            pages=self.pages,
            total=self.total,
            doubts=self.doubts,
            columns=tuple(dict.fromkeys(column_of.values())),
            column_of=column_of,
            since=since,
        )


def walk(
    ask: Callable[[At | None], Page[T, At]],
    limits: HttpLimits,
    progress: Callable[[int, int | None], None] = lambda rows, total: None,
) -> Walk[T]:
    """Ask for page after page, the first one with None.

    A page that cannot be read ends the walk with a doubt; what came before it is kept.

    :raises ConnectorError: the first page could not be read.
    """
    done: Walk[T] = Walk()
    known: set[str] = set()
    asked: set[At] = set()
    at: At | None = None
    while True:
        try:
            page = ask(at)
        except ConnectorError as error:
            if not done.pages:
                raise
            done.doubts.append(f"Page {done.pages + 1} could not be read: {error.what}")
            break
        done.pages += 1
        if page.ids and known.issuperset(page.ids):
            done.doubts.append("A page came twice: the walk went in a circle and was ended.")
            break
        known.update(page.ids)
        done.rows += page.rows
        if page.total is not None:
            if done.total is not None and page.total != done.total:
                done.doubts.append(
                    f"The ERP's number of customers went from {done.total} to {page.total} "
                    "while they were read."
                )
            done.total = page.total
        progress(len(done.rows), done.total)
        at = page.next
        if at is None:
            break
        if at in asked:
            done.doubts.append("The ERP named a next page that was read before: a circle, ended.")
            break
        asked.add(at)
        if done.pages >= limits.max_pages:
            done.doubts.append(f"Reading was ended after {done.pages} pages.")
            break
    return done


def next_offset(offset: int, rows: int, total: int) -> int | None:
    """Where the next page begins of a list that is asked for by offset and says its total.

    It follows the rows that came, not those that were asked for: an ERP may give fewer to a page.
    """
    return offset + rows if rows and offset + rows < total else None


def walk_by_id(
    ask: Callable[[int], tuple[Sequence[T], Sequence[int]]],
    last: int,
    total: int,
    limits: HttpLimits,
    progress: Callable[[int, int | None], None] = lambda rows, total: None,
) -> Walk[T]:
    """Ask for what lies behind the last id seen, up to the highest there was at the beginning: rows that come
    or go meanwhile move nothing.

    :param ask: given an id, the rows of a page behind it, none above `last`, and their ids, rising.
    :param last: the highest id; 0: there is nothing.
    :param total: how many records the ERP says there are up to it.
    """
    if not last:
        return Walk(total=total)

    def page(after: int | None) -> Page[T, int]:
        rows, ids = ask(after or 0)
        if ids and (list(ids) != sorted(ids) or ids[0] <= (after or 0) or ids[-1] > last):
            raise ContractChanged("It is not the page that was asked for.")
        more = ids and ids[-1] < last
        return Page(rows, {str(i) for i in ids}, ids[-1] if more else None, total)

    return walk(page, limits, progress)
