"""`clubsync undo`, `redo`, `replay`, `backfill`: change or repeat the past (R16, R18, R26)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from clubsync.cli.common import (
    AsJson,
    ClubId,
    ClubIds,
    moment,
    open_base,
    open_pipeline,
    out,
    print_json,
    table,
)
from clubsync.cli.sync import report

Run = Annotated[
    int, typer.Argument(metavar="RUN", help="The run's number; `clubsync changes` shows it.")
]


def undo(
    run: Run,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be undone, and write nothing.")
    ] = False,
    list_hash: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="HASH", help="Approve that the customers on this list lose access."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Undo a run. Customers that have changed since are skipped and listed.

    What was undone does not come back until the ERP record changes, or until you run `clubsync redo`.
    """
    from clubsync.config import load_config
    from clubsync.manual.undo import undo as undo_run

    config = load_config()
    with open_base() as base:
        made = undo_run(base, config, run, dry_run=dry_run, list_hash=list_hash)
    held = made["held"]
    if as_json:
        print_json(made)
    else:
        counts = [f"{n} {kind.replace('_', ' ')}" for kind, n in made["changes"].items()]
        done = "would undo" if dry_run else "undone"
        out.say(f"Run {run} of {made['club']}, {done}: {', '.join(counts) or 'nothing'}.")
        if made["skipped"]:
            table("Skipped", made["skipped"], ["customer", "erp_id", "why"])
        if held:
            out.say(
                f"Held: {held['deactivations']} would lose access; the limit is {held['limit']} "
                f"per 24 hours. To approve, run `clubsync undo {run} --list {held['list']}`."
            )
    if held:
        raise typer.Exit(3)


def redo(run: Run, as_json: AsJson = False) -> None:
    """Bring back what was undone of a run, from the newest snapshot."""
    from clubsync.manual.action import shell_user

    with open_pipeline(quiet=as_json) as pipeline:
        step = pipeline.redo(run, shell_user())
    report([step], as_json, dry_run=False)


def replay(
    club_id: ClubId,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601; default: the oldest.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="ISO 8601; default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load a club's stored snapshots again. Those older than the newest only fill the history."""
    with open_pipeline(quiet=as_json) as pipeline:
        pipeline.config.club(club_id)
        steps = pipeline.replay(
            club_id, moment(start) if start else None, moment(until) if until else None
        )
    report(steps, as_json, dry_run=False)


def backfill(
    club_ids: ClubIds,
    start: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="ISO 8601 time; UTC unless it has an offset."),
    ],
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="ISO 8601; default, and at most: now."),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every",
            min=1,
            metavar="MINUTES",
            help="Length of an interval; default: each club's own cadence.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what each interval would change, and write nothing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill past intervals, as Airflow's backfill does. Safe in any order: the newest snapshot wins.

    Each interval is filled from the snapshot stored in it, from the ERP if it keeps its past, or from a
    later complete read; one new read covers all remaining intervals.
    """
    from clubsync import clock

    # each interval that is still to come would be a read of its own
    now = clock.now()
    begin, end = moment(start), min(moment(until), now) if until else now
    if begin >= end:
        raise typer.BadParameter("--from must be earlier than --to, and in the past.")
    rows = []
    with open_pipeline(quiet=as_json) as pipeline:
        ids = [c.id for c in pipeline.config.clubs] if club_ids == ["all"] else club_ids
        for club in [pipeline.config.club(club_id) for club_id in dict.fromkeys(ids)]:
            pace = timedelta(minutes=every) if every else club.every
            at = begin
            while at < end:
                to = min(at + pace, end)
                (step,) = pipeline.backfill([club.id], at, to, dry_run=dry_run)
                rows.append(
                    {
                        "club": club.id,
                        "from": at,
                        "to": to,
                        "filled": step.get("past"),
                        "run": step["run"],
                        "as_of": step["as_of"],
                        "changes": step["counts"],
                        "held": step["hold"],
                        "rows_written": step["rows_written"],
                        "notes": step["notes"],
                        **({"error": f"{step['error']} {step['remedy']}"} if step["error"] else {}),
                    }
                )
                pipeline.progress(club.id, f"backfill {to:%d %b %H:%M}", len(rows), None)
                at = to
    if as_json:
        print_json(rows)
    else:
        _show_backfill(rows, dry_run)
    if any("error" in row for row in rows):
        raise typer.Exit(1)
    if any(row["held"] for row in rows):
        raise typer.Exit(3)


def _show_backfill(rows: list[dict[str, Any]], dry_run: bool) -> None:
    """One row per club and source."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["club"], "failed" if "error" in row else row["filled"]), []).append(
            row
        )
    shown = [
        {
            "club": club,
            "filled": filled,
            "intervals": len(theirs),
            "from": theirs[0]["from"],
            "to": theirs[-1]["to"],
            "rows_written": sum(row["rows_written"] for row in theirs),
            "notes": theirs[-1].get("error") or " ".join(theirs[-1]["notes"]),
        }
        for (club, filled), theirs in grouped.items()
    ]
    table(
        "Backfill (dry run)" if dry_run else "Backfill",
        shown,
        {
            "club": "club",
            "filled": "source",
            "intervals": "intervals",
            "from": "from",
            "to": "to",
            "rows_written": "rows written",
            "notes": "last note",
        },
    )
