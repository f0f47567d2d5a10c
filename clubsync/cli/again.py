"""`clubsync undo`, `redo`, `replay`: back, forth and again (R16, R18)."""

from __future__ import annotations

from typing import Annotated

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
    from clubsync.undo import undo as undo_run

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
    from clubsync.acts import actor

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
