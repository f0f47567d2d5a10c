"""`python -m benchmarks --quick`: every benchmark runs, whatever its figures; and the chart is drawn from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import chart

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", ["rules", "engine", "same"])
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


def test_the_chart_names_everybody_and_is_drawn_to_scale() -> None:
    figures = {"clubsync s": 1.0, "clubsync cpu": 9.0, "COPY & <other> s": 4.0}
    drawn = ET.fromstring(chart.draw({"figures": {"the same work: 10 of 100": figures}}))
    texts = ["".join(one.itertext()) for one in drawn.findall(".//{*}text")]
    assert "clubsync" in texts
    assert "COPY & <other>" in texts
    assert "4.00 (4 x)" in texts
    own, other = (float(one.attrib["width"]) for one in drawn.findall(".//{*}rect"))
    assert other == pytest.approx(4 * own, rel=0.01)
