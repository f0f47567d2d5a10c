"""`python -m benchmarks.chart`: draw `results/same-work.json` as SVG, for light and dark pages alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment

RESULTS = Path(__file__).parent / "results"
SOURCE, CHART = RESULTS / "same-work.json", RESULTS / "same-work.svg"

#: Pixels: of a row, a heading, the names to the left of the bars, the longest bar, and the whole width.
_ROW, _HEAD, _LEFT, _LONGEST, _WIDTH = 26, 40, 270, 360, 800

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" role="img" aria-labelledby="t d">
<title id="t">The same work by clubsync and by others</title>
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


def draw(result: Mapping[str, object]) -> str:
    """The chart of a result, as SVG.

    :param result: what `make bench` has stored of the same work.
    """
    groups = result["figures"]
    assert isinstance(groups, dict)
    texts: list[dict[str, object]] = []
    bars: list[dict[str, object]] = []
    told, y = list[str](), 0
    for group, figures in groups.items():
        y += _HEAD
        title = f"{group[:1].upper()}{group[1:]}, seconds"
        texts.append({"x": 0, "y": y - 12, "text": title, "kind": "head"})
        seconds = {n.removesuffix(" s"): v for n, v in figures.items() if n.endswith(" s")}
        top = max(seconds.values())
        for who, value in sorted(seconds.items(), key=lambda one: one[1]):
            own = who == "clubsync"
            width = round(max(2.0, _LONGEST * value / top), 1)
            texts.append({"x": _LEFT - 10, "y": y + 13, "text": who, "kind": "name", "end": True})
            bars.append({"x": _LEFT, "y": y, "width": width, "kind": "own" if own else "other"})
            ratio = "" if own else f" ({value / seconds['clubsync']:.2g} x)"
            label = f"{value:.2f}{ratio}"
            texts.append({"x": _LEFT + width + 8, "y": y + 13, "text": label, "kind": "quiet"})
            told.append(f"{who} {value:.2f} s")
            y += _ROW
    environment = Environment(autoescape=True, keep_trailing_newline=True, trim_blocks=True)
    return environment.from_string(_SVG).render(
        width=_WIDTH, height=y + 8, texts=texts, bars=bars, told="; ".join(told)
    )


def main() -> int:
    if not SOURCE.exists():
        sys.stderr.write("There are no results yet: run `make bench`.\n")
        return 1
    CHART.write_text(draw(json.loads(SOURCE.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
