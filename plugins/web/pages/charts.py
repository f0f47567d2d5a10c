"""Data of the charts, as plain numbers: the templates draw SVG from them, without JavaScript."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from plugins.web.services.clubs import Hour, HourOfChanges
from plugins.web.services.runs import Profile

IN, OUT, OTHER = "in", "out", "other"
_LAYER = {"addition": IN, "reactivation": IN, "adoption": IN, "deactivation": OUT}
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, and the counts that its tooltip shows."""

    x: float
    y: float
    width: float
    height: float
    layer: str
    at: datetime
    counts: Mapping[str, int]


def spark(values: Sequence[int], height: float = 20.0) -> list[tuple[int, float]]:
    """Places and heights of the bars of a sparkline; even the smallest value is visible."""
    top = max(values, default=0)
    return [(i, max(2.0, height * v / top)) for i, v in enumerate(values) if v and top]


def stacked(
    rows: Sequence[HourOfChanges], now: datetime, hours: int = 168, height: float = 100.0
) -> tuple[list[Bar], int]:
    """Changes by hour: added, removed and other changes, stacked.

    :returns: the bars, one unit of width per hour; and the number of changes in the busiest hour.
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
            bar_height = height * layers[layer] / top
            if not bar_height:
                continue
            base -= bar_height
            bars.append(
                Bar(place + 0.1, base, 0.8, bar_height, layer, start + place * HOUR, counts)
            )
    return bars, top


@dataclass(frozen=True)
class Cell:
    """The quality of an hour's readings: `complete`, `partial` (some failed, or none was complete), `failed`, `none`,
    `ahead` (in the future), or `skipped` (the clock went forward over it)."""

    at: datetime
    quality: str
    row: Hour | None


def week(
    rows: Sequence[Hour], now: datetime, zone: ZoneInfo, days: int = 7
) -> list[tuple[datetime, list[Cell]]]:
    """The last days in the club's time zone, today last: each with a cell per hour of the clock, from 0 to 23.

    An hour that the clock shows twice, because it goes back, is one cell with the readings of both.
    """
    by_hour = {row.hour: row for row in rows}
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for back in reversed(range(days)):
        day = today - timedelta(days=back)
        cells = []
        for hour in range(24):
            local = day.replace(hour=hour)
            times = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
            if times[0].astimezone(zone).hour != hour:
                cells.append(Cell(local, "skipped", None))
                continue
            hours = dict.fromkeys(at.replace(minute=0) for at in times)
            row = _together([by_hour[at] for at in hours if at in by_hour])
            quality = "ahead" if times[0] > now else _quality(row)
            cells.append(Cell(times[0], quality, row))
        found.append((day, cells))
    return found


def _together(rows: Sequence[Hour]) -> Hour | None:
    """The readings of one or two hours as those of the first; None: of none."""
    if not rows:
        return None
    return Hour(
        hour=rows[0].hour,
        readings=sum(row.readings for row in rows),
        failed=sum(row.failed for row in rows),
        complete=sum(row.complete for row in rows),
    )


def _quality(row: Hour | None) -> str:
    if row is None or not row.readings:
        return "none"
    if row.failed == row.readings:
        return "failed"
    return "complete" if row.complete and not row.failed else "partial"


@dataclass(frozen=True)
class Failures:
    """How many syncs there were and how many of them failed; and of these, in the last hour."""

    readings: int
    failed: int
    last_hour: int


def failures(rows: Sequence[Hour], last_hour: int) -> Failures:
    return Failures(sum(row.readings for row in rows), sum(row.failed for row in rows), last_hour)


def share_complete(rows: Sequence[Hour]) -> float | None:
    """The share of hours with a complete reading, among those with any reading; None: there were none."""
    read = [row for row in rows if row.readings]
    return sum(row.complete > 0 for row in read) / len(read) if read else None


@dataclass(frozen=True)
class Segment:
    """A part of a bar: where it begins and how wide it is, of `WIDTH`."""

    part: str
    x: float
    width: float
    seconds: float


@dataclass(frozen=True)
class Spent:
    """A row of the chart of a run's time.

    :param stage: None: the whole run.
    """

    stage: str | None
    seconds: float
    cpu: float
    segments: list[Segment]


WIDTH = 600.0
#: Of a bar's part that took any time at all.
_NARROWEST = 2.0


def spent(profile: Profile) -> list[Spent]:
    """The bars of a run's time: the whole run; then its stages without what they waited for Airflow, on a scale of
    their own, because waiting may take a hundred times as long as the work."""
    whole = max(profile.elapsed, sum(profile.parts.values()))
    rows = [Spent(None, profile.elapsed, profile.cpu, _segments(profile.parts, whole))]
    longest = max((stage.seconds for stage in profile.stages), default=0.0)
    for stage in profile.stages:
        own = {part: seconds for part, seconds in stage.parts.items() if part != "airflow"}
        rows.append(Spent(stage.stage, stage.seconds, stage.cpu, _segments(own, longest)))
    return rows


def _segments(parts: Mapping[str, float], scale: float) -> list[Segment]:
    found, x = list[Segment](), 0.0
    for part, seconds in parts.items():
        if not seconds or not scale:
            continue
        width = max(_NARROWEST, WIDTH * seconds / scale)
        # the narrowest parts may have taken the room of the last ones
        width = min(width, max(_NARROWEST, WIDTH - x))
        found.append(Segment(part, min(x, WIDTH - width), width, seconds))
        x += width
    return found
