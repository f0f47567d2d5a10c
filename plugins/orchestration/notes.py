"""What the grid shows of clubs: labels of mapped rows and notes of runs. It names clubs, and no person.

Imported by every process of Airflow: nothing heavy here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

KEY = "note"
"""The XCom of a task that has the note of its run; the scheduler writes it there (``listener``)."""

LABEL = "clubs_label"
"""What a task puts into its context when it knows how its clubs fared; else the label is made from its argument."""

LONGEST_LABEL, LONGEST_NOTE = 250, 1000
"""Characters that Airflow's columns take."""

FILLED_FROM: Mapping[str, str] = {
    "stored": "the snapshot stored then",
    "from the ERP": "what the ERP had written by then",
    "covered": "a later reading, which covers it",
    "read now": "one reading made now, for all that was missed",
}
"""What an interval of a backfill was filled from (R26), by `Step["past"]`."""


def listed(names: Sequence[str], most: int = 3) -> str:
    """The names if they are few, otherwise the first and the number of others."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 2])} and {len(names) - most + 2} more"


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def label(steps: Sequence[Mapping[str, Any]]) -> str:
    """The label of a row about these clubs: a club that failed never stands there as if it had succeeded."""
    failed = [str(step["name"]) for step in steps if step["error"]]
    if not failed:
        return shortened(listed([str(step["name"]) for step in steps]), LONGEST_LABEL)
    of = f"{len(failed)} of {len(steps)} clubs failed" if len(steps) > 1 else "failed"
    return shortened(f"{of}: {listed(failed)}", LONGEST_LABEL)


def of_run(steps: Iterable[Mapping[str, Any]]) -> str:
    """The note of a run: who was not synced, and of a backfill what its interval was filled from."""
    told = list(steps)
    failed = sorted(str(step["name"]) for step in told if step["error"])
    lines = []
    if failed:
        lines.append(f"Not synced: {listed(failed, 10)}.")
    lines += _filled([step for step in told if not step["error"] and step.get("past")])
    return shortened("\n".join(lines), LONGEST_NOTE)


def of_club(step: Mapping[str, Any]) -> str:
    """The note of a run of one club: its name, and what came of it."""
    if step["error"]:
        return shortened(f"Not synced: {step['name']}.", LONGEST_NOTE)
    changes: Counter[str] = Counter({kind: n for kind, n in step["counts"].items() if n})
    done = ", ".join(f"{kind} {n}" for kind, n in sorted(changes.items())) or "no changes"
    return shortened(f"{step['name']}: {done}.", LONGEST_NOTE)


def filled_from(step: Mapping[str, Any]) -> str | None:
    """What a club's interval of a backfill was filled from; None: it is no backfill."""
    if not step.get("past"):
        return None
    words = FILLED_FROM.get(step["past"], str(step["past"]))
    if step["past"] == "covered" or not step["as_of"]:
        return words
    return f"{words} (as of {datetime.fromisoformat(step['as_of']):%-d %b %Y, %H:%M} UTC)"


def _filled(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each source, with its clubs."""
    by_source: dict[str, list[str]] = {}
    for step in steps:
        by_source.setdefault(filled_from(step) or "", []).append(str(step["name"]))
    return [f"{listed(names, 10)}: filled from {source}." for source, names in by_source.items()]
