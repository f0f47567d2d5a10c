"""`python -m benchmarks --quick`: every benchmark runs, whatever its figures; and the chart is drawn from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import chart, growth

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", ["rules", "latency", "engine", "same"])
def test_the_benchmarks_run(part: str) -> None:
    """Without bounds: a slow machine fails nothing here. The parts that start a dozen processes are left to
    `make bench`.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", part],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Figures (medians)" in done.stdout


def _drawn(one: chart.Chart) -> tuple[list[str], list[float]]:
    """The texts of a chart, and the widths of its bars."""
    root = ET.fromstring(chart.draw(one))
    texts = ["".join(found.itertext()) for found in root.findall(".//{*}text")]
    return texts, [float(found.attrib["width"]) for found in root.findall(".//{*}rect")]


def test_the_chart_names_everybody_and_is_drawn_to_scale() -> None:
    figures = {"clubsync s": 1.0, "clubsync cpu": 9.0, "COPY & <other> s": 4.0}
    texts, widths = _drawn(chart.same_work({"figures": {"the same work: 10 of 100": figures}}))
    assert "clubsync" in texts
    assert "COPY & <other>" in texts
    assert "4.00 (4 x)" in texts
    own, other = widths
    assert other == pytest.approx(4 * own, rel=0.01)


def test_freshness_is_drawn_with_departures_apart() -> None:
    measured = {
        "changes": {"p50": 30.0, "p95": 60.0, "p99": 61.5, "seconds": [30.0]},
        "departures": {"p50": 90.0, "p95": 120.0, "p99": 121.0, "seconds": [90.0]},
    }
    texts, widths = _drawn(
        chart.freshness({"clubs": 200, "cores": 2, "polled every minute": measured, "wrong": 0})
    )
    assert "Polled every minute: somebody leaves, seconds" in texts
    assert {"30.0", "61.5", "121.0"} <= set(texts)
    assert len(widths) == 6


def test_cycles_are_drawn_with_what_their_cpu_was_used_by() -> None:
    cycle = {
        "touched": 4_000,
        "seconds": 250.0,
        "cpu": {"all": 400.0, "tasks": 300.0, "PostgreSQL": 100.0},
        "memory": {"all": 6.0},
    }
    quiet = {**cycle, "touched": 0, "seconds": 125.0}
    texts, widths = _drawn(chart.whole({"clubs": 10_000, "cores": 2, "cycles": [cycle, quiet]}))
    assert "Seconds of a cycle: 10,000 clubs, 2 cores" in texts
    assert "300 (75%)" in texts
    assert widths[0] == pytest.approx(2 * widths[1])


def test_the_page_on_growth_has_what_follows_from_the_newest_measurement() -> None:
    """`make chart` writes it."""
    page = growth.PAGE.read_text(encoding="utf-8")
    measured = json.loads((growth.RESULTS / "whole.json").read_text(encoding="utf-8"))
    assert growth.written(page, measured) == page
    assert growth.need(200, growth.costs(measured)).base == pytest.approx(
        2 * growth.need(100, growth.costs(measured)).base
    )


def test_a_page_without_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="begin: growth"):
        growth.written("# Growth", {})
