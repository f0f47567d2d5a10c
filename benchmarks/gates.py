"""The gates, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Literal, TypedDict

Verdict = Literal["broken", "kept", "stretch"]


@dataclass(frozen=True)
class Gate:
    """A limit on a ratio; lower is better.

    :param bound: above it, the benchmark fails.
    :param stretch: the goal.
    """

    name: str
    bound: float
    stretch: float


GATES = {
    gate.name: gate
    for gate in (
        Gate("diff, load and audit of 1 % changed : raw COPY", 0.8, 0.4),
        Gate("rerun of an unchanged club : raw COPY", 0.4, 0.1),
        Gate("rerun of an unchanged club: rows written", 0, 0),
        Gate("first load with audit : raw COPY", 4.0, 2.5),
        Gate("load of 1 % changes : SQLAlchemy executemany", 1 / 4, 1 / 6),
        Gate("suites over all clubs at once : a run per club, CPU", 1 / 20, 1 / 50),
        Gate("e-mail check : email-validator alone, CPU", 1 / 25, 1 / 50),
        Gate("e-mail check: disagreements with email-validator", 0, 0),
        Gate("a page by 16 connections : by one, at 50 ms", 1 / 12, 1 / 15),
        Gate("peak memory of a first load, GB per 1,000,000 rows", 1.0, 0.6),
        Gate("peak memory of 1 % changed, GB per 1,000,000 rows", 1.0, 0.6),
        Gate("the same work : by dlt merge", 1.0, 0.2),
        Gate("the same work : by SQLAlchemy ORM upsert", 1.0, 0.2),
        Gate("the same work : by COPY + ON CONFLICT", 1.0, 0.2),
        Gate("touched club beyond a quiet one : reading a quiet club, CPU", 0.6, 0.3),
        Gate("quiet club, all stages : reading it, CPU", 1.2, 1.1),
        Gate("load in a process of its own : in one process with the other stages, CPU", 1.2, 1.05),
    )
}


class GateResult(TypedDict):
    """A gate and its measurements, as stored."""

    name: str
    bound: float
    stretch: float
    measured: float
    measured_cpu: float | None
    verdict: Verdict
    rounds: list[float]
    rounds_cpu: list[float]


@dataclass
class Measured:
    """All rounds of one gate.

    :param cpu: the same ratio in CPU seconds of both sides, database included, if measured: it depends less on
        other work on the machine.
    """

    gate: Gate
    rounds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        return median(self.rounds)

    @property
    def verdict(self) -> Verdict:
        if self.value > self.gate.bound:
            return "broken"
        return "stretch" if self.value <= self.gate.stretch else "kept"

    def as_json(self) -> GateResult:
        return {
            "name": self.gate.name,
            "bound": self.gate.bound,
            "stretch": self.gate.stretch,
            "measured": self.value,
            "measured_cpu": median(self.cpu) if self.cpu else None,
            "verdict": self.verdict,
            "rounds": self.rounds,
            "rounds_cpu": self.cpu,
        }


class Book:
    """Everything measured in one run: the rounds of each gate, and further figures by group."""

    def __init__(self) -> None:
        self.measured: dict[str, Measured] = {}
        self.figures: dict[str, dict[str, list[float]]] = {}

    def add(self, gate: str, value: float, cpu: float | None = None) -> None:
        entry = self.measured.setdefault(gate, Measured(GATES[gate]))
        entry.rounds.append(value)
        if cpu is not None:
            entry.cpu.append(cpu)

    def note(self, group: str, **values: float) -> None:
        """Add figures; several rounds of one figure are reduced to their median."""
        kept = self.figures.setdefault(group, {})
        for name, value in values.items():
            kept.setdefault(name, []).append(value)

    def broken(self) -> list[Measured]:
        return [m for m in self.measured.values() if m.verdict == "broken"]

    def medians(self) -> dict[str, dict[str, float]]:
        """The figures by group, each the median of its rounds."""
        return {
            group: {name: round(median(values), 4) for name, values in kept.items()}
            for group, kept in self.figures.items()
        }
