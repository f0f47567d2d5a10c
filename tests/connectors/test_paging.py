"""What a walk through pages proves by itself, whatever the ERP (R14)."""

from __future__ import annotations

import pytest

from connectors.sdk.errors import ContractChanged, ErpUnreachable
from connectors.sdk.http import HttpLimits
from connectors.sdk.paging import Page, Walk, next_offset, walk, walk_by_id

Asked = list[int | None]


def through(*pages: Page[str, int] | Exception, most: int = 100) -> tuple[Walk[str], Asked]:
    """A walk over these answers in turn, and what they were asked for with."""
    asked: Asked = []

    def ask(at: int | None) -> Page[str, int]:
        asked.append(at)
        answer = pages[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return walk(ask, HttpLimits(max_pages=most)), asked


def page(rows: str, then: int | None, total: int | None = None) -> Page[str, int]:
    return Page(list(rows), set(rows), then, total)


def test_to_the_last_page() -> None:
    walked, asked = through(page("ab", 2), page("cd", 4), page("e", None))
    assert (walked.rows, walked.pages, walked.doubts) == (list("abcde"), 3, [])
    assert asked == [None, 2, 4]


def test_nothing_at_all_is_a_whole_answer() -> None:
    walked, _ = through(page("", None, 0))
    assert (walked.rows, walked.pages, walked.total, walked.doubts) == ([], 1, 0, [])


def test_a_page_that_comes_twice_is_left_out_and_ends_the_walk() -> None:
    walked, asked = through(page("ab", 2), page("ba", 4), page("cd", None))
    assert walked.rows == ["a", "b"]
    assert len(asked) == 2
    assert "twice" in walked.doubts[0]


def test_a_next_page_that_was_read_before_ends_the_walk() -> None:
    walked, asked = through(page("a", 2), page("b", 4), page("c", 2), page("d", None))
    assert walked.rows == ["a", "b", "c"]
    assert asked == [None, 2, 4]
    assert "circle" in walked.doubts[0]


def test_a_total_that_moves_is_a_doubt_and_no_end() -> None:
    walked, _ = through(page("ab", 2, 4), page("c", None, 3))
    assert walked.rows == ["a", "b", "c"]
    assert walked.total == 3
    assert walked.doubts == ["The ERP's number of customers went from 4 to 3 while they were read."]


def test_what_came_before_a_failure_is_kept() -> None:
    walked, _ = through(page("ab", 2), ErpUnreachable("It is away."))
    assert walked.rows == ["a", "b"]
    assert walked.doubts == ["Page 2 could not be read: It is away."]


def test_a_failure_at_once_is_a_failure() -> None:
    with pytest.raises(ErpUnreachable):
        through(ErpUnreachable("It is away."))


def test_pages_are_capped() -> None:
    walked, asked = through(*(page(chr(97 + i), i + 1) for i in range(9)), most=3)
    assert len(asked) == 3
    assert walked.doubts == ["Reading was ended after 3 pages."]


def test_empty_pages_without_end_are_capped_too() -> None:
    walked, _ = through(*(page("", i + 1) for i in range(9)), most=4)
    assert (walked.pages, len(walked.doubts)) == (4, 1)


@pytest.mark.parametrize(
    ("offset", "rows", "total", "then"),
    [(0, 3, 7, 3), (3, 2, 7, 5), (5, 2, 7, None), (0, 0, 0, None), (3, 0, 7, None)],
)
def test_next_offset_follows_what_came(offset: int, rows: int, total: int, then: int) -> None:
    assert next_offset(offset, rows, total) == then


def by_id(*pages: list[int], last: int, total: int) -> tuple[Walk[str], list[int]]:
    """A walk by id over these answers in turn, and the ids that were asked from."""
    asked: list[int] = []

    def ask(after: int) -> tuple[list[str], list[int]]:
        asked.append(after)
        ids = pages[len(asked) - 1]
        return [f"r{i}" for i in ids], ids

    return walk_by_id(ask, last, total, HttpLimits()), asked


def test_by_id_up_to_the_highest() -> None:
    walked, asked = by_id([1, 4], [6, 9], last=9, total=4)
    assert (walked.rows, asked, walked.doubts) == (["r1", "r4", "r6", "r9"], [0, 4], [])
    assert walked.total == 4


def test_by_id_when_the_highest_is_gone_meanwhile() -> None:
    """An empty page ends the walk; the total says that somebody is missing."""
    walked, asked = by_id([1, 4], [], last=9, total=3)
    assert (walked.rows, asked, walked.total) == (["r1", "r4"], [0, 4], 3)


def test_by_id_of_nothing_asks_nothing() -> None:
    walked, asked = by_id(last=0, total=0)
    assert (walked.rows, walked.pages, walked.total, asked) == ([], 0, 0, [])


@pytest.mark.parametrize("ids", [[4, 5], [7, 6], [6, 10]])
def test_by_id_with_a_page_that_was_not_asked_for(ids: list[int]) -> None:
    walked, _ = by_id([1, 4], ids, last=9, total=4)
    assert walked.rows == ["r1", "r4"]
    assert walked.doubts == ["Page 2 could not be read: It is not the page that was asked for."]
    with pytest.raises(ContractChanged):
        by_id([2, 1], last=9, total=4)
