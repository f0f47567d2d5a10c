"""`clubsync sync`: extract, validate, diff and load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import AsJson, ClubIds, open_pipeline, print_error, print_json, table

if TYPE_CHECKING:
    from clubsync.model import Step


def sync(
    club_ids: ClubIds,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Stop at the plan: show what would change or be held, and load nothing.",
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Read everything, even if the connector could read only changes."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sync clubs now.

    Exit code: 0 done, 1 a club failed, 3 deactivations are held.
    """
    with open_pipeline(quiet=as_json) as pipeline:
        ids = [c.id for c in pipeline.config.clubs] if club_ids == ["all"] else club_ids
        for club_id in ids:
            pipeline.config.club(club_id)
        steps = pipeline.sync(list(dict.fromkeys(ids)), "shell", full=full, dry_run=dry_run)
    report(steps, as_json, dry_run=dry_run)


def report(steps: list[Step], as_json: bool, *, dry_run: bool) -> None:
    """Print the result of a sync, and exit with its code.

    :raises typer.Exit: 1 if a club failed, else 3 if deactivations are held.
    """
    documents = [document(step) for step in steps]
    if as_json:
        print_json(documents)
    else:
        _show_sync(documents, dry_run)
    told: set[str] = set()
    for step in steps:
        clubs = step.get("together") or [step["club"]]
        if step["error"] and step["club"] not in told:
            # a chain whose one reading failed has one failure (R29)
            told.update(clubs)
            print_error(
                f"{', '.join(clubs)}: {step['error']}",
                f"{step['remedy']} (docs/runbooks/{step['runbook']}.md)",
            )
    if any(step["error"] for step in steps):
        raise typer.Exit(1)
    # a hold may have only merges left, which take no access
    if any(step["held"] or step["hold"] for step in steps):
        raise typer.Exit(3)


def document(step: Step) -> dict[str, Any]:
    """One club's document of `sync --json`."""
    found: dict[str, Any] = {
        "club": step["club"],
        "run": step["run"],
        "certified": step["certified"],
        "as_of": step["as_of"],
        "read": step["read"],
        "changes": step["counts"],
        "held": step["hold"],
        "findings": step["findings"],
        "rows_written": step["rows_written"],
        "suspected": step["suspected"],
        "used": step["used"] and not step["error"],
        "doubts": step["doubts"],
        "notes": step["notes"],
    }
    if step["error"]:
        found["error"] = f"{step['error']} {step['remedy']}"
    return found


_HEADINGS = {
    "club": "club",
    "result": "result",
    "read": "records",
    "complete": "complete",
    "changes": "changes",
    "held": "held",
    "suspected": "suspected",
    "findings": "findings",
    "rows_written": "rows written",
    "run": "run",
    "doubts": "doubts",
}


def _show_sync(documents: list[dict[str, Any]], dry_run: bool) -> None:
    rows = []
    for doc in documents:
        changes = [f"{n} {kind.replace('_', ' ')}" for kind, n in doc["changes"].items() if n]
        rows.append(
            {
                "club": doc["club"],
                "result": _result(doc, dry_run),
                "read": doc["read"],
                "complete": doc["certified"],
                "changes": ", ".join(changes) or "none",
                "held": "; ".join(doc["held"]["causes"]) if doc["held"] else "",
                "suspected": doc["suspected"],
                "findings": ", ".join(f"{n} {code}" for code, n in doc["findings"].items()),
                "rows_written": doc["rows_written"],
                "run": doc["run"],
                "doubts": " ".join(doc["doubts"]),
            }
        )
    table("Plan (dry run)" if dry_run else "Sync", rows, _HEADINGS)


def _result(doc: Mapping[str, Any], dry_run: bool) -> str:
    """One word for how a club's sync ended; what was not used is no success (R16)."""
    if "error" in doc:
        return "failed"
    if not doc["used"]:
        return "not used"
    if doc["held"]:
        return "held"
    return "dry run" if dry_run else "done"
