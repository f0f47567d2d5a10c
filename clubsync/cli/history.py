"""`clubsync undo`, `redo`, `replay`, `backfill`: back, forth and again (R16, R18, R26)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from clubsync.cli.common import (
    AsJson,
    ClubId,
    moment,
    open_base,
    open_pipeline,
    out,
    print_json,
    table,
)
from clubsync.cli.sync import report

Run = Annotated[
    int, typer.Argument(metavar="RUN", help="A run's number, as `clubsync changes` shows.")
]


def undo(
    run: Run,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be undone, and stop.")
    ] = False,
    list_hash: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="HASH", help="Approve that the people of this list lose access."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Undo a run from its audit; who changed since is left alone and named.

    What was undone does not come back until the ERP's record changes, or somebody says redo.
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
        told = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in made["changes"].items())
        out.print(
            f"Run {run} of {made['club']}{' (dry run)' if dry_run else ''}: {told or 'nothing to undo'}."
        )
        if made["skipped"]:
            table("Left alone", made["skipped"], ["customer", "erp_id", "why"])
        if held:
            out.print(
                f"Held: {held['deactivations']} would lose access, more than the {held['limit']} that pass "
                f"in a day. Approve with `clubsync undo {run} --list {held['list']}`."
            )
    if held:
        raise typer.Exit(3)


def redo(run: Run, as_json: AsJson = False) -> None:
    """Let what was undone of a run come back, from the newest snapshot."""
    from clubsync.manual.customers import actor

    with open_pipeline(quiet=as_json) as pipeline:
        step = pipeline.redo(run, actor())
    report([step], as_json, dry_run=False)


def replay(
    club_id: ClubId,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="ISO 8601.")] = None,
    as_json: AsJson = False,
) -> None:
    """Load a club's stored snapshots again: older ones than the newest only fill the history."""
    with open_pipeline(quiet=as_json) as pipeline:
        pipeline.config.club(club_id)
        steps = pipeline.replay(
            club_id, moment(start) if start else None, moment(until) if until else None
        )
    report(steps, as_json, dry_run=False)


def backfill(
    club_ids: Annotated[
        list[str], typer.Argument(metavar="CLUB...", help="Ids, as in clubs.yaml; or `all`.")
    ],
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="ISO 8601.")],
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="ISO 8601; without it, now.")
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every", min=1, metavar="MIN", help="Intervals; without it, each club's pace."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what each interval would bring, and stop.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the past, interval by interval, as Airflow's backfill does: from stored snapshots, from what the
    ERP has kept, or by one reading now for all that was missed. Newest wins: harmless in any order."""
    from clubsync import clock

    begin, end = moment(start), moment(until) if until else clock.now()
    if begin >= end:
        raise typer.BadParameter("--from must be before --to")
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
    """One line for each club and kind of filling; what went wrong line by line."""
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
            "last_word": theirs[-1].get("error") or " ".join(theirs[-1]["notes"]),
        }
        for (club, filled), theirs in grouped.items()
    ]
    table("Backfill (dry run)" if dry_run else "Backfill", shown, list(shown[0]) if shown else [])
