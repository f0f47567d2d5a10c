"""Which files are the parts of one export (setting `parts`), by their names and times.

An export that comes in parts names them by number (`clients-1.csv`, `clients_20261128_part2.csv`) or by words
(`clients A-M.csv`). Older exports may still be there, under names with another date, or, half overwritten, under the
same names: then the new one is not finished.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from connectors.sdk.errors import FileBroken
from connectors.sdk.words import word

#: Parts of one export are written within this time.
WITHIN = timedelta(minutes=15)

_HIGH = 20

_DATE = re.compile(r"(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)")
_TIME = re.compile(r"(?<=@)[t_\- ]?\d\d[-_.h:]?\d\d(?:[-_.m:]?\d\d)?(?!\d)|\d{6,}")
_NUMBER = re.compile(r"(\d{1,5})(?=[^\d/]*$)")


class Named(Protocol):
    """A file of the drop."""

    @property
    def name(self) -> str: ...

    @property
    def modified(self) -> datetime: ...


F = TypeVar("F", bound=Named)


@dataclass(frozen=True)
class _Name:
    """A file's name, taken apart: its dates, its times of day, the rest, and the number of the part (or None)."""

    dates: tuple[str, ...]
    times: tuple[str, ...]
    series: str
    number: int | None


def of_newest(found: Sequence[F]) -> list[F]:
    """The parts of the newest export, in order.

    :param found: the files that match, the newest first.
    :raises FileBroken: a part is missing, or of another time than the others: the export is not finished.
    """
    newest = _taken_apart(found[0].name)
    names = {f.name: _taken_apart(f.name) for f in found}
    parts = [f for f in found if names[f.name].dates == newest.dates]
    if newest.times:
        same = [f for f in parts if names[f.name].times == newest.times]
        # of names that say when each part was written, the time decides
        near = [f for f in parts if found[0].modified - f.modified <= WITHIN]
        parts = same if len(same) > 1 else near
    parts.sort(key=lambda f: (names[f.name].series, names[f.name].number or 0, f.name))
    for series in {names[f.name].series for f in parts}:
        _check_numbers([n.number for f in parts if (n := names[f.name]).series == series], parts)
    first, last = min(f.modified for f in parts), max(f.modified for f in parts)
    if last - first > WITHIN:
        raise FileBroken(
            f"The parts of the export up to {parts[-1].name} were written at different times: from "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC.",
            remedy="No action needed if it is still being written: the next run tries again. Parts of an older "
            "export that are left over have to be removed.",
        )
    return parts


def _check_numbers(numbers: Sequence[int | None], parts: Sequence[F]) -> None:
    """:raises FileBroken: a part is missing; parts are numbered from 0 or from 1."""
    there = {n for n in numbers if n is not None}
    last = max(there, default=0)
    missing = next((n for n in range(1, last) if n not in there), None)
    # one high number is none of a part, but of something else
    if missing is not None and (len(there) > 1 or last <= _HIGH):
        raise FileBroken(
            f"Part {missing} of the export is missing: there are {len(parts)} files up to {parts[-1].name}.",
            remedy="No action needed if it is still being written: the next run tries again.",
        )


def _taken_apart(name: str) -> _Name:
    text = word(name)
    dates = tuple(found[0] for found in _DATE.finditer(text))
    text = _DATE.sub("@", text)
    times = tuple(found[0] for found in _TIME.finditer(text))
    text = _TIME.sub("@", text)
    number = _NUMBER.search(text)
    return _Name(dates, times, _NUMBER.sub("#", text, count=1), int(number[1]) if number else None)
