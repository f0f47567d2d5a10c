"""Where a run's time went, as sync.run stores it: one short array of numbers a run.

| stage | what it does besides waiting |
|---|---|
| extract | parse |
| validate | evaluate |
| diff | plan |
| load | load |

A list holds `FIELDS` of each of `STAGES`, then `TOTALS`. Numbers are only ever added at its end, so that older rows
stay readable; a shorter list lacks what came later.
"""

from __future__ import annotations

from collections.abc import Sequence

STAGES = ("extract", "validate", "diff", "load")
#: Seconds of a stage: in all, of CPU, waiting for the ERP, for PostgreSQL, for the snapshot store; then those that
#: Airflow took to start it; then among how many clubs it divided what they shared.
FIELDS = ("wall", "cpu", "erp", "database", "store", "airflow", "clubs")
#: Requests that the ERP answered, or files; their bytes; seconds from when the run was due to start to its end.
TOTALS = ("requests", "received", "elapsed")
#: What the rest of a stage's time is spent on.
WORK = {"extract": "parse", "validate": "evaluate", "diff": "plan", "load": "load"}
#: What a run's time is divided into, in the order of the work. `turn`: while it was read, the process was parsing
#: other clubs, or another process was parsing its workbook; `others`: the other clubs of the batch.
PARTS = (
    *("airflow", "erp", "parse", "evaluate", "plan", "load", "database", "store"),
    *("turn", "others"),
)

_LENGTH = len(STAGES) * len(FIELDS) + len(TOTALS)

Profile = list[float]


def empty() -> Profile:
    """Of a run that has spent nothing yet."""
    return [0.0] * _LENGTH


def place(stage: str, field: str) -> int:
    """Where a number of a stage stands."""
    return STAGES.index(stage) * len(FIELDS) + FIELDS.index(field)


def total_place(total: str) -> int:
    """Where one of `TOTALS` stands."""
    return len(STAGES) * len(FIELDS) + TOTALS.index(total)


def of_stage(profile: Sequence[float], stage: str) -> dict[str, float]:
    """A stage's numbers by `FIELDS`."""
    start = place(stage, FIELDS[0])
    return dict(zip(FIELDS, profile[start : start + len(FIELDS)], strict=True))


def parts_of_stage(profile: Sequence[float], stage: str) -> dict[str, float]:
    """Seconds of a stage by part; its sum is the stage's wall time and what Airflow took before it."""
    told = of_stage(profile, stage)
    waited = {name: told[name] for name in ("erp", "database", "store")}
    rest = max(0.0, told["wall"] - sum(waited.values()))
    work = min(rest, told["cpu"]) if stage == "extract" else rest
    return {"airflow": told["airflow"], **waited, WORK[stage]: work, "turn": rest - work}


def parts(profile: Sequence[float]) -> dict[str, float]:
    """Seconds of a run by `PARTS`, all stages together."""
    found = dict.fromkeys(PARTS, 0.0)
    for stage in STAGES:
        for name, seconds in parts_of_stage(profile, stage).items():
            found[name] += seconds
    found["others"] = max(0.0, profile[total_place("elapsed")] - sum(found.values()))
    return found


def stored(profile: Sequence[float]) -> Profile:
    """As sync.run takes it: tenths of a millisecond are enough."""
    return [round(float(value), 4) for value in profile]
