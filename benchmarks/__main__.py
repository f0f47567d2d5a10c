"""`python -m benchmarks`: measure the gates, print and store the results; exit code 1 if a bound is exceeded."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import cycle, engine, memory, rules
from benchmarks.gates import Book, GateResult, Measured
from benchmarks.server import server

RESULTS = Path(__file__).parent / "results"
PARTS = ("rules", "engine", "memory", "cycle")


class Result(TypedDict):
    """What one run of the benchmarks measured, as stored in `results/`."""

    name: str
    at: str
    python: str
    load_average: list[float]
    rows: int
    rounds: int
    gates: list[GateResult]
    figures: dict[str, dict[str, float]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, two rounds, results not stored"
    )
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="only these parts, results not stored"
    )
    parser.add_argument("--rows", type=int, help="customers in the large club")
    parser.add_argument("--rounds", type=int, help="rounds per gate")
    given = parser.parse_args()
    rows = given.rows or (100_000 if given.quick else 1_000_000)
    rounds = given.rounds or (2 if given.quick else 5)
    parts = given.only or PARTS
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    book, console = Book(), Console()
    with server() as running:
        if "rules" in parts:
            console.log(f"suites and email validation, {rows:,} records")
            rules.measure(book, rows, rounds)
        if "memory" in parts:
            console.log(f"memory, {rows:,} customers in one club")
            memory.measure(book, running, rows)
        if "engine" in parts:
            console.log(f"diff, load and audit of {rows:,} customers in one club, {rounds} rounds")
            engine.measure(book, running, rows, rounds)
        if "cycle" in parts:
            console.log("cycles over many clubs of a simulated ERP")
            size = (25, 300, 1) if given.quick else (200, 1000, 3)
            cycle.measure(book, running, *size)
    _print(console, book)
    result = _result(book, rows, rounds)
    if not given.quick and not given.only:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{result['name']}.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / "latest.md").write_text(_markdown(result))
    return 1 if book.broken() else 0


def _result(book: Book, rows: int, rounds: int) -> Result:
    cores = psutil.cpu_count() or 1
    gb = round(psutil.virtual_memory().total / 2**30)
    now = datetime.now(UTC)
    return {
        "name": f"{now:%Y-%m-%d}-{platform.system().lower()}-{platform.machine()}-{cores}cores-{gb}gb",
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()),
        "rows": rows,
        "rounds": rounds,
        "gates": [m.as_json() for m in book.measured.values()],
        "figures": book.medians(),
    }


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value and value < 0.5:
        return f"{value:.3f}"
    return f"{value:.2f}".removesuffix(".00")


def _print(console: Console, book: Book) -> None:
    table = Table(title="Gates (medians; lower is better)")
    for name in ("gate", "bound", "stretch", "measured", "CPU", "verdict"):
        table.add_column(name, justify="left" if name in ("gate", "verdict") else "right")
    colours = {"broken": "red", "kept": "yellow", "stretch": "green"}

    def row(measured: Measured) -> None:
        entry = measured.as_json()
        colour = colours[measured.verdict]
        table.add_row(
            measured.gate.name,
            _number(measured.gate.bound),
            _number(measured.gate.stretch),
            f"[{colour}]{_number(measured.value)}[/]",
            _number(entry["measured_cpu"]),
            f"[{colour}]{measured.verdict}[/]",
        )

    for measured in book.measured.values():
        row(measured)
    console.print(table)
    figures = Table(title="Figures (medians)")
    figures.add_column("measurement")
    figures.add_column("figures")
    for group, values in book.medians().items():
        figures.add_row(group, ", ".join(f"{k} {v:g}" for k, v in values.items()))
    console.print(figures)


def _markdown(result: Result) -> str:
    """The result as a Markdown page."""
    lines = [
        "# Performance: latest results",
        "",
        f"{result['at']}, {result['name']}, Python {result['python']}, final load average "
        f"{result['load_average'][0]:.1f}; {result['rows']:,} customers in one club, medians of "
        f"{result['rounds']} interleaved rounds. Generated by `make bench`.",
        "",
        "| gate | bound | stretch | measured | CPU seconds | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for gate in result["gates"]:
        numbers = (gate["bound"], gate["stretch"], gate["measured"], gate["measured_cpu"])
        cells = " | ".join(_number(n) for n in numbers)
        lines.append(f"| {gate['name']} | {cells} | {gate['verdict']} |")
    lines += ["", "| measurement | figures |", "|---|---|"]
    for group, values in result["figures"].items():
        lines.append(f"| {group} | {', '.join(f'{k} {v:g}' for k, v in values.items())} |")
    lines += [
        "",
        "Raw COPY: the club's customers, in the columns of `base.customer`, copied from text prepared in advance "
        "into a plain logged table with a primary key. The engine's share of a sync (diff, load, audit) is "
        "measured from the stored snapshot to the commit, without Great Expectations, which is listed separately; "
        "that of a rerun, from the reading in memory. SQLAlchemy's executemany makes the same changes in a copy of "
        "the database as it was before them. The first load is into an empty base, with exclusive use of its "
        "tables. The cost of one run of the suites per club is extrapolated from a sample of clubs, and the "
        "library's cost per address from a sample of addresses. Memory is the peak of a separate process, minus "
        "what it used after importing everything and syncing a club of a hundred customers.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
