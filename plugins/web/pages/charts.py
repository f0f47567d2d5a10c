"""What charts are drawn from: plain numbers for the templates, which draw SVG without a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from plugins.web.services.clubs import Hour, HourOfChanges

IN, OUT, OTHER = "in", "out", "other"
_LAYER = {"addition": IN, "reactivation": IN, "adoption": IN, "deactivation": OUT}
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it says."""

    x: float
    y: float
    width: float
    height: float
    layer: str
    at: datetime
    counts: Mapping[str, int]


def spark(values: Sequence[int], height: float = 20.0) -> list[tuple[int, float]]:
    """Heights of the bars of a sparkline; what is not nothing can be seen."""
    top = max(values, default=0)
    return [(i, max(2.0, height * v / top)) for i, v in enumerate(values) if v and top]


def stacked(
    rows: Sequence[HourOfChanges], now: datetime, hours: int = 168, height: float = 100.0
) -> tuple[list[Bar], int]:
    """Changes by hour: added, removed and other changes, stacked; and the highest hour.

    :returns: bars in a box as wide as there are hours.
    """
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    start = end - hours * HOUR
    by_hour: dict[int, Counter[str]] = {}
    for row in rows:
        place = (row.hour - start) // HOUR
        if 0 <= place < hours:
            by_hour.setdefault(place, Counter())[row.kind] += row.changes
    top = max((sum(counts.values()) for counts in by_hour.values()), default=0)
    bars = []
    for place, counts in sorted(by_hour.items()):
        layers: Counter[str] = Counter()
        for kind, n in counts.items():
            layers[_LAYER.get(kind, OTHER)] += n
        base = height
        for layer in (IN, OUT, OTHER):
            tall = height * layers[layer] / top
            if not tall:
                continue
            base -= tall
            bars.append(Bar(place + 0.1, base, 0.8, tall, layer, start + place * HOUR, counts))
    return bars, top


@dataclass(frozen=True)
class Cell:
    """An hour of readings: `complete`, `partial` (some failed, or none was complete), `failed`, `none`,
    or `ahead` (it has not come yet)."""

    at: datetime
    quality: str
    row: Hour | None


def week(
    rows: Sequence[Hour], now: datetime, zone: ZoneInfo, days: int = 7
) -> list[tuple[datetime, list[Cell]]]:
    """Hours by the club's own days, today last. An hour stands in the place of its number on the clock."""
    by_hour = {row.hour: row for row in rows}
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for back in reversed(range(days)):
        day = today - timedelta(days=back)
        cells = []
        for hour in range(24):
            at = day.replace(hour=hour).astimezone(ZoneInfo("UTC"))
            whole = at.replace(minute=0)
            row = by_hour.get(whole)
            cells.append(Cell(at, "ahead" if at > now else _quality(row), row))
        found.append((day, cells))
    return found


def _quality(row: Hour | None) -> str:
    if row is None or not row.readings:
        return "none"
    if row.failed == row.readings:
        return "failed"
    return "complete" if row.complete and not row.failed else "partial"


def share_complete(rows: Sequence[Hour]) -> float | None:
    """Of the hours in which something was read, those with a complete reading; None: there were none."""
    read = [row for row in rows if row.readings]
    return sum(row.complete > 0 for row in read) / len(read) if read else None
