"""Where the time of a run went, and of all runs of an ERP's cycle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from clubsync.errors import ActionRejected
from clubsync.store.database import Base, queries
from clubsync.store.profile import (
    PARTS,
    STAGES,
    of_stage,
    parts,
    parts_of_stage,
    total_place,
)

#: Shares of the runs below which the figures of a cycle lie.
_MEDIAN, _MOST = 0.5, 0.95


def of_run(base: Base, run: int | None, club_id: str | None = None) -> dict[str, Any]:
    """Where a run's time went; or of a club's newest run, if none is named.

    :raises ActionRejected: there is no such run, or nothing is known of it.
    """
    with base.reader() as driver:
        row = queries().profiled_run(driver, run=run, club_id=None if run else club_id)
    if row is None and run is None:
        raise ActionRejected(
            f"No run of {club_id} has a profile.",
            remedy="Sync the club; `clubsync clubs` lists all.",
        )
    if row is None:
        raise ActionRejected(
            f"There is no run {run}.", remedy="`clubsync changes CLUB` shows runs."
        )
    if row["profile"] is None:
        raise ActionRejected(
            f"Run {run} has no profile: it is under way, was interrupted, or is older than profiles are.",
            remedy="Look at another run of the club, or wait until this one has ended.",
        )
    named = {name: value for name, value in row.items() if name not in ("profile", "erp")}
    return {**named, **document(row["profile"])}


def document(profile: Sequence[float]) -> dict[str, Any]:
    """A stored profile by name: seconds, requests and bytes."""
    stages = []
    for stage in STAGES:
        told = of_stage(profile, stage)
        if not told["wall"]:
            continue
        stages.append(
            {
                "stage": stage,
                "seconds": round(told["wall"], 4),
                "cpu": round(told["cpu"], 4),
                "clubs": max(1, round(told["clubs"])),
                "parts": _rounded(parts_of_stage(profile, stage)),
            }
        )
    return {
        "elapsed": round(profile[total_place("elapsed")], 4),
        "work": round(sum(of_stage(profile, stage)["wall"] for stage in STAGES), 4),
        "cpu": round(sum(of_stage(profile, stage)["cpu"] for stage in STAGES), 4),
        "requests": round(profile[total_place("requests")]),
        "received": round(profile[total_place("received")]),
        "parts": _rounded(parts(profile)),
        "stages": stages,
    }


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items()}


def of_cycle(base: Base, erp: str, since: datetime, *, slowest: int = 10) -> dict[str, Any]:
    """Where the time of an ERP's runs went that have started since then.

    :param slowest: how many clubs to name.
    """
    with base.reader() as driver:
        rows = list(queries().profiled_runs(driver, erp=erp, since=since))
    profiles = [row["profile"] or [] for row in rows]
    ranked = sorted(rows, key=lambda row: _work(row["profile"] or []), reverse=True)
    elapsed = [profile[total_place("elapsed")] for profile in profiles]
    return {
        "erp": erp,
        "since": since,
        "runs": len(rows),
        "clubs": len({row["club"] for row in rows}),
        "requests": round(sum(profile[total_place("requests")] for profile in profiles)),
        "received": round(sum(profile[total_place("received")] for profile in profiles)),
        "elapsed": _spread(elapsed),
        "stages": [found for stage in STAGES if (found := _stage_of(profiles, stage))],
        "parts": {
            part: _spread([one[part] for one in map(parts, profiles)]) for part in PARTS if profiles
        },
        "slowest": [_named(row) for row in ranked[:slowest]],
        "cycles": _cycles(rows),
    }


def _work(profile: Sequence[float]) -> float:
    return sum(of_stage(profile, stage)["wall"] for stage in STAGES)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A slow club: its run, and the part of its own that took longest."""
    told = document(row["profile"])
    own = {part: value for part, value in told["parts"].items() if part != "others"}
    return {
        **{name: row[name] for name in ("club", "name", "run", "state")},
        **{name: told[name] for name in ("elapsed", "work", "cpu", "requests", "received")},
        "longest": max(own, key=lambda part: own[part]),
        "parts": told["parts"],
    }


def _stage_of(profiles: Sequence[Sequence[float]], stage: str) -> dict[str, Any] | None:
    """A stage over all runs that went through it; None: none did."""
    told = [of_stage(profile, stage) for profile in profiles]
    through = [one for one in told if one["wall"]]
    if not through:
        return None
    by_part = [
        parts_of_stage(profile, stage)
        for profile, one in zip(profiles, told, strict=True)
        if one["wall"]
    ]
    return {
        "stage": stage,
        "runs": len(through),
        "seconds": _spread([one["wall"] for one in through]),
        "cpu": _spread([one["cpu"] for one in through]),
        "parts": {part: _spread([one[part] for one in by_part]) for part in by_part[0]},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Sum, median, 95th percentile and largest."""
    ordered = sorted(values)
    if not ordered:
        return {"sum": 0.0, "p50": 0.0, "p95": 0.0, "max": 0.0}

    def below(share: float) -> float:
        return ordered[ceil(share * len(ordered)) - 1]

    return _rounded(
        {
            "sum": sum(ordered),
            "p50": below(_MEDIAN),
            "p95": below(_MOST),
            "max": ordered[-1],
        }
    )


def _cycles(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The runs of each run of Airflow, oldest first: how long it took from its start to the end of its last club."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["airflow_run"] is not None:
            found[row["airflow_run"]].append(row)
    return [_cycle(name, runs) for name, runs in found.items()]


def _cycle(name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    told = [document(run["profile"]) for run in runs]
    return {
        "airflow_run": name,
        "clubs": len({run["club"] for run in runs}),
        "started_at": min(run["started_at"] for run in runs),
        "finished_at": max(run["finished_at"] for run in runs),
        # the slowest club waits for its batch: it is what the cycle took
        "seconds": max(one["elapsed"] for one in told),
        "cpu": round(sum(one["cpu"] for one in told), 4),
        "requests": sum(one["requests"] for one in told),
    }
