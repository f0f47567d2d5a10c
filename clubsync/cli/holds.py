"""`clubsync holds`, `approve`, `reject`: deactivations that wait for a person (R15)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clubsync.cli.common import AsJson, err, open_base, open_pipeline, out, print_json, table

Hold = Annotated[
    int, typer.Argument(metavar="HOLD", help="A hold's number, as `clubsync holds` shows.")
]
ListHash = Annotated[
    str | None,
    typer.Option(
        "--list", metavar="HASH", help="The list you decide on; without it, the list as it is now."
    ),
]
Comment = Annotated[str | None, typer.Option("--comment", help="Why; kept with the decision.")]
By = Annotated[
    str | None, typer.Option("--by", help="Who decides; without it, who you are logged in as.")
]


def holds(
    club_id: Annotated[str | None, typer.Argument(metavar="[CLUB]")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Decided and emptied ones too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Deactivations that wait for a person: causes, whom they concern, and the list's hash."""
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
                f"Hold {row['hold']}: who would lose access",
                listed[:50],
                ["customer", "erp_id", "cause"],
            )
            if len(listed) > 50:
                out.print(f"… and {len(listed) - 50} more (--json lists all).")
    if any(row["state"] == "open" for row in rows):
        out.print("Decide with `clubsync approve HOLD` or `clubsync reject HOLD`.")


def approve(
    hold: Hold,
    list_hash: ListHash = None,
    comment: Comment = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Deactivate those of the list whom the newest snapshot still calls for; nobody else."""
    from clubsync.manual.customers import actor

    with open_pipeline(quiet=as_json) as pipeline:
        step = pipeline.approve(hold, by or actor(), list_hash, comment)
    if step["error"]:
        err.print(f"[red]{step['error']}[/red] {step['remedy']}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    made = {
        "hold": hold,
        "club": step["club"],
        "state": "approved",
        "by": by or actor(),
        "run": step["run"],
        "deactivated": step["counts"]["deactivation"],
        "still_held": step["held"],
    }
    _tell(made, as_json, f"{made['deactivated']} deactivated, {made['still_held']} still held.")


def reject(
    hold: Hold,
    list_hash: ListHash = None,
    comment: Comment = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Keep the people of the list; they are not asked about for 30 days, or until their ERP record changes."""
    from clubsync.manual.customers import actor

    with open_pipeline(quiet=as_json) as pipeline:
        made = pipeline.reject(hold, by or actor(), list_hash, comment)
    _tell(made, as_json, f"{made['kept']} keep their access, {made['still_held']} still held.")


def _tell(made: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(made)
    else:
        out.print(
            f"Hold {made['hold']} {made['state']} by {made['by']}: {sentence}", highlight=False
        )
