"""`python -m benchmarks.chart`: draw what was measured as SVG, for light and dark pages alike.

One chart for each of `results/same-work.json` (`make bench`), `results/freshness.json` (`benchmarks.freshness`) and
`results/whole.json` (`benchmarks.whole`) that is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from jinja2 import Environment

RESULTS = Path(__file__).parent / "results"

#: Pixels: of a row, a heading, the names to the left of the bars, the longest bar, and the whole width.
_ROW, _HEAD, _LEFT, _LONGEST, _WIDTH = 26, 40, 270, 360, 800

#: What of a cycle's CPU is clubsync's own work.
_OURS = ("tasks", "PostgreSQL")

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" role="img" aria-labelledby="t d">
<title id="t">{{ title }}</title>
<desc id="d">{{ told }}</desc>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.head { font-weight: 600; }
.quiet { fill: #59636e; }
.own { fill: #0969da; }
.other { fill: #9198a1; }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .own { fill: #4493f8; } }
</style>
{% for t in texts %}
<text x="{{ t.x }}" y="{{ t.y }}" class="{{ t.kind }}"{% if t.end %} text-anchor="end"{% endif %}>{{ t.text }}</text>
{% endfor %}
{% for b in bars %}
<rect x="{{ b.x }}" y="{{ b.y }}" width="{{ b.width }}" height="16" rx="2" class="{{ b.kind }}"/>
{% endfor %}
</svg>
"""


@dataclass(frozen=True)
class Bar:
    """A bar.

    :param label: what stands beside it.
    :param own: it is clubsync's, and blue.
    """

    name: str
    value: float
    label: str
    own: bool = True


@dataclass(frozen=True)
class Group:
    """Bars of one scale, under a heading that says the unit."""

    title: str
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """Groups of bars. :param title: for readers who do not see it."""

    title: str
    groups: list[Group]


def same_work(result: Mapping[str, Any]) -> Chart:
    """Seconds for the same work by clubsync and by others."""
    groups = []
    for group, figures in result["figures"].items():
        seconds = {n.removesuffix(" s"): v for n, v in figures.items() if n.endswith(" s")}
        bars = []
        for who, value in sorted(seconds.items(), key=lambda one: one[1]):
            own = who == "clubsync"
            ratio = "" if own else f" ({value / seconds['clubsync']:.2g} x)"
            bars.append(Bar(who, value, f"{value:.2f}{ratio}", own))
        groups.append(Group(f"{group[:1].upper()}{group[1:]}, seconds", bars))
    return Chart("The same work by clubsync and by others", groups)


def freshness(result: Mapping[str, Any]) -> Chart:
    """Seconds from a change in the ERP to the change in the base."""
    kinds = {"changes": "somebody joins or changes", "departures": "somebody leaves"}
    groups = [
        Group(
            f"{how[:1].upper()}{how[1:]}: {name}, seconds",
            [Bar(p, figures[kind][p], f"{figures[kind][p]:.1f}") for p in ("p50", "p95", "p99")],
        )
        for how, figures in result.items()
        if isinstance(figures, dict)
        for kind, name in kinds.items()
    ]
    clubs = f"{result['clubs']:,} clubs, {result['cores']} cores"
    return Chart(f"From a change in the ERP to the change in the club base: {clubs}", groups)


def whole(result: Mapping[str, Any]) -> Chart:
    """Seconds and memory of each cycle, and what the CPU was used by."""
    cycles, size = result["cycles"], f"{result['clubs']:,} clubs, {result['cores']} cores"

    def of_each(title: str, value: Callable[[Mapping[str, Any]], float], form: str) -> Group:
        bars = [
            Bar(f"{one['touched']:,} clubs changed", value(one), format(value(one), form))
            for one in cycles
        ]
        return Group(f"{title}: {size}", bars)

    used = {kind: mean(one["cpu"][kind] for one in cycles) for kind in cycles[0]["cpu"]}
    every = used.pop("all")
    parts = [
        Bar(kind, seconds, f"{seconds:.0f} ({seconds / every:.0%})", kind in _OURS)
        for kind, seconds in sorted(used.items(), key=lambda one: -one[1])
    ]
    return Chart(
        f"A cycle under Airflow: {size}",
        [
            of_each("Seconds of a cycle", lambda one: one["seconds"], ".0f"),
            Group("CPU seconds of a cycle, on average", parts),
            of_each("Memory at most, GB", lambda one: one["memory"]["all"], ".1f"),
        ],
    )


CHARTS: dict[str, Callable[[Mapping[str, Any]], Chart]] = {
    "same-work": same_work,
    "freshness": freshness,
    "whole": whole,
}


def draw(chart: Chart) -> str:
    """The chart, as SVG."""
    texts: list[dict[str, object]] = []
    bars: list[dict[str, object]] = []
    told, y = list[str](), 0
    for group in chart.groups:
        y += _HEAD
        texts.append({"x": 0, "y": y - 12, "text": group.title, "kind": "head"})
        top = max(bar.value for bar in group.bars)
        for bar in group.bars:
            width = round(max(2.0, _LONGEST * bar.value / top), 1) if top else 2.0
            name, label = {"text": bar.name, "kind": "name"}, {"text": bar.label, "kind": "quiet"}
            texts.append({"x": _LEFT - 10, "y": y + 13, "end": True, **name})
            bars.append({"x": _LEFT, "y": y, "width": width, "kind": _kind(bar)})
            texts.append({"x": _LEFT + width + 8, "y": y + 13, **label})
            y += _ROW
        told.append(f"{group.title}: {', '.join(f'{b.name} {b.label}' for b in group.bars)}")
    environment = Environment(autoescape=True, keep_trailing_newline=True, trim_blocks=True)
    return environment.from_string(_SVG).render(
        width=_WIDTH,
        height=y + 8,
        title=chart.title,
        texts=texts,
        bars=bars,
        told="; ".join(told),
    )


def _kind(bar: Bar) -> str:
    return "own" if bar.own else "other"


def main() -> int:
    found = [name for name in CHARTS if (RESULTS / f"{name}.json").exists()]
    if not found:
        sys.stderr.write("There are no results yet: run `make bench`.\n")
        return 1
    for name in found:
        result = json.loads((RESULTS / f"{name}.json").read_text())
        (RESULTS / f"{name}.svg").write_text(draw(CHARTS[name](result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
