"""R14: what pages that overlap by a row prove, found by reading lists that people edit between the pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from pydantic import ValidationError

from connectors.rest.settings import Offset
from connectors.sdk.http import HttpLimits
from connectors.sdk.model import Consistency
from connectors.sdk.paging import Order, Overlap, Page, Walk
from tests.support.living_erp import PAGE, LivingErp, read_by

SIZE = 4


@dataclass
class Club:
    """A list of ids, in the order of the ERP; `throughout`: who has been there since the walk began."""

    dice: Random
    order: str
    rows: list[int] = field(default_factory=lambda: list(range(1, 20)))
    last: int = 19

    def __post_init__(self) -> None:
        if self.order == "newest first":
            self.rows.reverse()
        self.throughout = set(self.rows)

    def edit(self) -> None:
        for _ in range(self.dice.randint(0, 2)):
            if self.dice.random() < 0.5:
                gone = self.rows.pop(self.dice.randrange(len(self.rows)))
                self.throughout.discard(gone)
            if self.dice.random() < 0.5:
                self.last += 1
                self.rows.insert(0 if self.order == "newest first" else len(self.rows), self.last)
            if self.order == "last changed first" and self.dice.random() < 0.5:
                self.rows.insert(0, self.rows.pop(self.dice.randrange(len(self.rows))))


def read(club: Club, overlap: int, *, by_id: bool, total: bool) -> tuple[set[int], Walk[int, int]]:
    """The ids that a walk shows, as `rest` walks by offset; edited before each page but the first."""
    told = Overlap[int](overlap, lambda row: row, str if by_id else None) if overlap else None
    read: list[int] = []

    def fetch(offset: int) -> Page[int, int]:
        if read:
            club.edit()
        rows, doubt = list(club.rows[offset : offset + SIZE]), None
        if told is not None:
            rows, doubt = told.take(rows)
        read.extend(rows)
        more = bool(rows) and not (total and len(read) >= len(club.rows))
        following = told.next_start(len(read)) if told else len(read)
        counted = len(club.rows) if total else None
        return Page(
            rows,
            rows,
            following if more else None,
            counted,
            end_stated=told is not None,
            doubt=doubt,
        )

    walk = Walk(fetch, 0, HttpLimits(), order=Order.POSITION, overlap=told)
    return set(walk.all_rows()), walk


def certified(walk: Walk[int, int]) -> bool:
    return not walk.doubts and not walk.repeated and walk.total in (None, walk.rows)


def missed(
    order: str, *, overlap: int = 1, by_id: bool = True, total: bool, seeds: int = 1500
) -> tuple[int, int]:
    """In how many certified walks that say so much of absence somebody was missed who was there all along, of how
    many."""
    bad = all_of_them = 0
    for seed in range(seeds):
        club = Club(Random(seed), order)
        there, walk = read(club, overlap, by_id=by_id, total=total)
        proves = walk.consistency != Consistency.BY_POSITION or not overlap
        if certified(walk) and proves:
            all_of_them += 1
            bad += bool(club.throughout - there)
    return bad, all_of_them


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_r14_a_list_in_order_of_ids_hides_nobody_behind_an_overlap(order: str, total: bool) -> None:
    """However many come and go, before the boundary and behind it, with a total and without."""
    bad, proved = missed(order, total=total)
    assert bad == 0
    assert proved > 30


def test_r14_without_an_overlap_right_totals_hide_people() -> None:
    """The same lists and edits: these tests can fail."""
    bad, _ = missed("oldest first", overlap=0, total=True)
    assert bad > 10


def test_r14_an_order_that_changes_proves_no_absence() -> None:
    """A row that jumps over the boundary while another leaves hides itself; who does not say that the list is sorted
    by id gets no proof of absence, and somebody is hidden indeed."""
    hidden = 0
    for seed in range(1500):
        club = Club(Random(seed), "last changed first")
        there, walk = read(club, 1, by_id=False, total=True)
        assert walk.pages < 2 or walk.consistency == Consistency.BY_POSITION
        hidden += certified(walk) and bool(club.throughout - there)
    assert hidden > 0


def test_r14_ids_in_no_order_prove_no_absence() -> None:
    """Also where the settings say that the list is sorted by id: what was read shows that it is not."""
    club = Club(Random(0), "oldest first")
    club.rows = [3, 1, 2, *range(4, 20)]
    club.edit = lambda: None  # type: ignore[method-assign]  # nobody edits
    there, walk = read(club, 1, by_id=True, total=True)
    assert certified(walk)
    assert len(there) == 19
    assert walk.consistency == Consistency.BY_POSITION


def test_r14_the_end_of_a_list_without_a_total_is_seen() -> None:
    """Its last page has nothing but the row at the boundary: the list ends there."""
    for rows in (1, SIZE, SIZE + 1, 2 * SIZE - 1, 19):
        club = Club(Random(0), "oldest first")
        club.rows = list(range(1, rows + 1))
        club.edit = lambda: None  # type: ignore[method-assign]  # nobody edits
        there, walk = read(club, 1, by_id=False, total=False)
        assert (len(there), walk.doubts) == (rows, [])


def test_r14_a_row_that_left_before_the_boundary_is_noticed() -> None:
    """Without a total nothing else would tell."""
    club = Club(Random(0), "oldest first")
    gone = iter([1])

    def edit() -> None:
        for row in gone:
            club.rows.remove(row)

    club.edit = edit  # type: ignore[method-assign]  # one edit
    _, walk = read(club, 1, by_id=True, total=False)
    assert walk.doubts
    assert walk.consistency == Consistency.BY_POSITION


@pytest.mark.parametrize(
    ("paging", "consistency"),
    [
        ("offset, pages overlap", Consistency.BY_POSITION),
        ("offset by id, pages overlap", Consistency.BY_ID),
        ("Range header, pages overlap", Consistency.BY_ID),
    ],
)
def test_r14_rest_reads_pages_that_overlap(paging: str, consistency: Consistency) -> None:
    """Each customer once, on as many pages as it takes, over HTTP."""
    erp = LivingErp(Random(0), newest_first=True)
    for _ in range(3 * PAGE):
        erp.come()
    with read_by(erp, paging) as read_now:
        reading = read_now()
    assert reading.certificate.complete, reading.certificate.doubts
    assert reading.certificate.pages == 4
    assert reading.customers.height == 3 * PAGE
    assert reading.consistency == consistency


@pytest.mark.parametrize(
    ("paging", "says"),
    [
        ({"size": 5, "size_param": "n", "overlap": 5}, "smaller than size"),
        ({"by_id": True}, "without overlap"),
    ],
)
def test_settings_that_cannot_overlap_are_refused(paging: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Offset.model_validate({"kind": "offset", **paging})
