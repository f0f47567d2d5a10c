"""What more clubs need, from measured unit costs: `python -m benchmarks.growth` writes it into docs/growth.md.

The costs are those of `benchmarks.whole` (a cycle under a real Airflow) and `benchmarks.years` (the audit); what is
assumed is said in the tables' own text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = RESULTS.parents[1] / "docs" / "growth.md"
_BEGIN, _END = "<!-- begin: growth -->", "<!-- end: growth -->"
SIZES = (100, 1_000, 10_000, 100_000)

CADENCE, DAY = 300, 86_400
CYCLES = DAY // CADENCE
CUSTOMERS, CHANGED_A_DAY = 500, 0.01
BUSY = 0.6
"""The part of a core's time that is planned with: the rest is for a slow ERP, a retry, a vacuum."""

CORE, GIGABYTE = 12.0, 0.10
"""Euros a month for a core with 4 GB of memory, and for a GB of SSD: prices of larger European hosts, rounded up."""

READ, CHANGE, FINDING = 2_000, 397, 152
"""Bytes of a read that found nothing (its run and its snapshot), of a change in the audit, of a finding."""

KEPT_WHOLE, KEPT = 2, 30
YEARS = 5

_AIRFLOW = ("scheduler", "api-server", "dag-processor", "triggerer")
_NOT_OURS = ("simulated ERP", "this program")


@dataclass(frozen=True)
class Costs:
    """Unit costs.

    :param fixed: CPU seconds of Airflow's own processes in a cycle.
    :param quiet: CPU seconds of a club in which nothing has changed, all stages, Airflow's tasks and PostgreSQL in it.
    :param touched: CPU seconds that a club with changes costs more.
    :param wal_quiet, wal_touched: bytes of WAL of the same.
    :param base: bytes of a club in the database after its first sync.
    :param requests: of a club in a cycle.
    """

    fixed: float
    quiet: float
    touched: float
    wal_quiet: float
    wal_touched: float
    base: float
    requests: float


def costs(measured: dict[str, Any]) -> Costs:
    """Unit costs from a result of `benchmarks.whole`, whose last cycle had no changes."""
    *changed, quiet = measured["cycles"]
    clubs = measured["clubs"]

    def ours(cycle: dict[str, Any]) -> float:
        return float(cycle["cpu"]["all"] - sum(cycle["cpu"].get(name, 0) for name in _NOT_OURS))

    def fixed(cycle: dict[str, Any]) -> float:
        return float(sum(cycle["cpu"][name] for name in _AIRFLOW))

    touched = sum(cycle["touched"] for cycle in changed)
    more = sum(ours(cycle) - fixed(cycle) - (ours(quiet) - fixed(quiet)) for cycle in changed)
    wal = sum(cycle["wal MB"] - quiet["wal MB"] for cycle in changed)
    return Costs(
        fixed=fixed(quiet),
        quiet=(ours(quiet) - fixed(quiet)) / clubs,
        touched=more / touched,
        wal_quiet=quiet["wal MB"] * 1e6 / clubs,
        wal_touched=wal * 1e6 / touched,
        base=measured["database GB"] * 1e9 / clubs,
        requests=quiet["requests"] / clubs,
    )


@dataclass(frozen=True)
class Need:
    """What a number of clubs needs.

    :param cpu: seconds a cycle; cores: to plan with.
    :param base, history, audit: GB of the customers, of runs and snapshots, and of five years of audit and findings.
    :param wal: GB a day; requests: a second; euros: a month.
    """

    clubs: int
    cpu: float
    cores: int
    base: float
    history: float
    audit: float
    wal: float
    requests: float
    euros: float


def need(clubs: int, unit: Costs) -> Need:
    """What this many clubs need."""
    changes = CUSTOMERS * CHANGED_A_DAY
    touched = clubs * min(changes / CYCLES, 1.0)
    cpu = unit.fixed + clubs * unit.quiet + touched * unit.touched
    reads = KEPT_WHOLE * CYCLES + (KEPT - KEPT_WHOLE) * 24
    base, history = clubs * unit.base / 1e9, clubs * reads * READ / 1e9
    audit = clubs * YEARS * 365 * (changes * CHANGE + FINDING) / 1e9
    wal = CYCLES * (clubs * unit.wal_quiet + touched * unit.wal_touched) / 1e9
    cores = max(2, ceil(cpu / CADENCE / BUSY))
    return Need(
        clubs=clubs,
        cpu=cpu,
        cores=cores,
        base=base,
        history=history,
        audit=audit,
        wal=wal,
        requests=clubs * unit.requests / CADENCE,
        euros=cores * CORE + (base + history + audit + 2 * wal) * GIGABYTE,
    )


def tables(measured: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    unit = costs(measured)
    units = [
        (
            "a club without changes, all stages",
            f"{unit.quiet * 1000:.0f} ms CPU",
            f"{unit.wal_quiet / 1000:.1f} kB WAL",
        ),
        (
            "a club with changes, beyond that",
            f"{unit.touched * 1000:.0f} ms CPU",
            f"{unit.wal_touched / 1000:.1f} kB WAL",
        ),
        ("Airflow's own processes, a cycle", f"{unit.fixed:.0f} s CPU", ""),
        ("a club in the database", "", f"{unit.base / 1e6:.1f} MB"),
        ("a change in the audit; a finding", "", f"{CHANGE} bytes; {FINDING} bytes"),
    ]
    needs = [need(clubs, unit) for clubs in SIZES]
    rows: Iterable[tuple[str, ...]] = (
        ("CPU seconds a cycle", *(f"{one.cpu:,.0f}" for one in needs)),
        ("cores", *(f"{one.cores}" for one in needs)),
        ("customers and ERP records, GB", *(f"{one.base:,.1f}" for one in needs)),
        ("runs and snapshots of 30 days, GB", *(f"{one.history:,.1f}" for one in needs)),
        ("audit and findings of five years, GB", *(f"{one.audit:,.1f}" for one in needs)),
        ("WAL a day, GB", *(f"{one.wal:,.1f}" for one in needs)),
        ("ERP requests a second", *(f"{one.requests:,.1f}" for one in needs)),
        ("euros a month", *(f"{one.euros:,.0f}" for one in needs)),
    )
    return "\n\n".join(
        [
            _table(("unit", "CPU", "bytes"), units),
            _table(("clubs", *(f"{clubs:,}" for clubs in SIZES)), rows),
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(page: str, measured: dict[str, Any]) -> str:
    """The page with these tables between its marks.

    :raises ValueError: it has no marks.
    """
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError(f"The page has no {_BEGIN} and {_END}.")
    return f"{before}{_BEGIN}\n\n{tables(measured)}\n\n{_END}{after}"


def main() -> int:
    measured = json.loads((RESULTS / "whole.json").read_text())
    PAGE.write_text(written(PAGE.read_text(), measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
