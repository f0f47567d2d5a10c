"""`python -m benchmarks`: measure the gates, print and store the results; exit code 1 if a bound is exceeded."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import cycle, engine, latency, memory, rules, same_work
from benchmarks.gates import Book, GateResult, Measured
from benchmarks.server import server

RESULTS = Path(__file__).parent / "results"
PARTS = ("rules", "latency", "engine", "memory", "same", "cycle")
#: Customers of the comparison with others: some take minutes for a million.
SAME = 100_000


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
        "--quick",
        action="store_true",
        help="small sizes, one round, no bounds, results not stored: shows that everything runs",
    )
    parser.add_argument(
        "--only",
        choices=PARTS,
        action="append",
        help="only these parts, whose results are not stored but for those of `same`",
    )
    parser.add_argument("--rows", type=int, help="customers in the large club")
    parser.add_argument("--rounds", type=int, help="rounds per gate")
    given = parser.parse_args()
    rows = given.rows or (5_000 if given.quick else 1_000_000)
    rounds = given.rounds or (1 if given.quick else 5)
    parts = given.only or PARTS
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    book, console = Book(), Console()
    with server() as running:
        if "rules" in parts:
            console.log(f"suites and email validation, {rows:,} records")
            rules.measure(book, rows, rounds)
        if "latency" in parts:
            console.log("pages from an ERP that takes 50 ms to answer")
            latency.measure(book, rounds)
        if "memory" in parts:
            console.log(f"memory, {rows:,} customers in one club")
            memory.measure(book, running, rows)
        if "engine" in parts:
            console.log(f"diff, load and audit of {rows:,} customers in one club, {rounds} rounds")
            engine.measure(book, running, rows, rounds)
        if "same" in parts:
            size = min(rows, SAME)
            console.log(f"the same work by others, {size:,} customers, {rounds} rounds")
            same_work.measure(book, running, size, rounds)
        if "cycle" in parts:
            console.log("cycles over many clubs of a simulated ERP")
            many = (4, 100, 1) if given.quick else (200, 500, 3)
            cycle.measure(book, running, *many)
    _print(console, book)
    result = _result(book, rows, rounds)
    RESULTS.mkdir(exist_ok=True)
    if "same" in parts and not given.quick:
        same = {**result, "rows": min(rows, SAME), "gates": _of_same(result["gates"])}
        same["figures"] = {
            k: v for k, v in result["figures"].items() if k.startswith(same_work.NAME)
        }
        (RESULTS / "same-work.json").write_text(json.dumps(same, indent=1) + "\n")
    if not given.quick and not given.only:
        (RESULTS / f"{result['name']}.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / "latest.md").write_text(_markdown(result))
    return 1 if book.broken() and not given.quick else 0


def _of_same(gates: list[GateResult]) -> list[GateResult]:
    return [gate for gate in gates if gate["name"].startswith(same_work.NAME)]


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
    for group, values in book.medians().items():
        if group.startswith(same_work.NAME):
            console.print(_others(group, values))
    figures = Table(title="Figures (medians)")
    figures.add_column("measurement")
    figures.add_column("figures")
    for group, values in book.medians().items():
        if group.startswith(same_work.NAME):
            continue
        figures.add_row(group, ", ".join(f"{k} {v:g}" for k, v in values.items()))
    console.print(figures)


def _others(group: str, values: Mapping[str, float]) -> Table:
    """The same work by clubsync and by others, the fastest first."""
    table = Table(title=f"{group[:1].upper()}{group[1:]} (medians)")
    for name in ("by", "seconds", "CPU", "times clubsync"):
        table.add_column(name, justify="left" if name == "by" else "right")
    seconds = {name.removesuffix(" s"): v for name, v in values.items() if name.endswith(" s")}
    for who, value in sorted(seconds.items(), key=lambda one: one[1]):
        times = value / seconds["clubsync"]
        table.add_row(who, f"{value:.2f}", f"{values[f'{who} cpu']:.2f}", f"{times:.2f}")
    return table


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
        "what it used after importing everything and syncing a club of a hundred customers. The same work: a table "
        "of customers is brought to the state of a new reading; COPY, ORM upsert, dlt and ON CONFLICT write all rows, "
        "and datacompy only compares. clubsync alone evaluates the records, asks a guard, writes audit and findings, "
        "and takes access from those who are gone. The CPU of dlt is without the database's. The gates are those of "
        "1 % changed. The cycle runs each stage in a process of its own, as Airflow does; its CPU is without the "
        "database's, and without Airflow's own.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
