"""`clubsync holds`, `approve`, `reject`: deactivations that await approval (R15)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clubsync.cli.common import (
    AsJson,
    open_base,
    open_pipeline,
    out,
    print_error,
    print_json,
    table,
)

Hold = Annotated[
    int, typer.Argument(metavar="HOLD", help="The hold's number; `clubsync holds` shows it.")
]
ListHash = Annotated[
    str | None,
    typer.Option(
        "--list",
        metavar="HASH",
        help="The hash of the list that you saw; default: the current list.",
    ),
]
Comment = Annotated[
    str | None, typer.Option("--comment", help="Reason (stored with the decision).")
]
By = Annotated[
    str | None, typer.Option("--by", help="Who decides; default: the user you are logged in as.")
]


def holds(
    club_id: Annotated[
        str | None,
        typer.Argument(metavar="CLUB", help="The club's id in clubs.yaml; default: all clubs."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Include decided and empty holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List deactivations that await approval: causes, customers, and the hash of the list."""
    from clubsync.config import load_config
    from clubsync.store.database import queries

    config = load_config()
    wanted = [config.club(club_id)] if club_id else list(config.clubs)
    sql = queries()
    rows: list[dict[str, Any]] = []
    with open_base() as base, base.reader() as driver:
        numbers = {row["club_id"]: row["club"] for row in sql.club_numbers(driver)}
        for club in wanted:
            if club.id not in numbers:
                continue
            for hold in sql.holds(driver, club=numbers[club.id]):
                if not everything and hold["state"] != "open":
                    continue
                members = sql.current_members(driver, club=numbers[club.id], hold=hold["hold"])
                rows.append({"club": club.id, **hold, "customers": list(members)})
    if as_json:
        print_json(rows)
        return
    table(
        "Holds",
        rows,
        ["hold", "club", "state", "deactivations", "causes", "opened_at", "list_hash"],
    )
    if club_id:
        for row in rows:
            listed = row["customers"]
            table(
                f"Hold {row['hold']}: customers who would lose access",
                listed[:50],
                ["customer", "erp_id", "kind", "cause"],
            )
            if len(listed) > 50:
                out.say(f"{len(listed) - 50} more; --json lists all.")
    if any(row["state"] == "open" for row in rows):
        out.say("Decide with `clubsync approve HOLD` or `clubsync reject HOLD`.")


def approve(
    hold: Hold,
    list_hash: ListHash = None,
    comment: Comment = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Deactivate the customers on the list who are still not eligible in the latest sync."""
    from clubsync.manual.action import shell_user

    with open_pipeline(quiet=as_json) as pipeline:
        step = pipeline.approve(hold, by or shell_user(), list_hash, comment)
    if step["error"]:
        print_error(step["error"], step["remedy"])
        raise typer.Exit(1)
    made = {
        "hold": hold,
        "club": step["club"],
        "state": "approved",
        "by": by or shell_user(),
        "run": step["run"],
        "deactivated": step["counts"]["deactivation"],
        "merged": step["counts"]["merge"],
        "still_held": step["held"],
    }
    sentence = f"{made['deactivated']} deactivated, {made['merged']} merged, {made['still_held']} still held."
    _print_result(made, as_json, sentence)


def reject(
    hold: Hold,
    list_hash: ListHash = None,
    comment: Comment = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Keep the customers on the list, for 30 days or until their ERP record changes."""
    from clubsync.manual.action import shell_user

    with open_pipeline(quiet=as_json) as pipeline:
        made = pipeline.reject(hold, by or shell_user(), list_hash, comment)
    _print_result(
        made, as_json, f"{made['kept']} keep their access, {made['still_held']} still held."
    )


def _print_result(made: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(made)
    else:
        out.say(f"Hold {made['hold']} {made['state']} by {made['by']}: {sentence}")
