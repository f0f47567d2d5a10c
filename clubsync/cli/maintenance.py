"""`clubsync guard` and `clubsync upkeep`: try other limits, and apply retention."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from clubsync import permissions
from clubsync.cli.common import AsJson, ClubId, err, open_base, open_club, out, print_json, table
from clubsync.cli.erasures import print_state

guard_app = typer.Typer(help="Try other limits for deactivations (R15).", no_args_is_help=True)


@guard_app.command("replay")
def guard_replay(
    club_id: ClubId,
    share: Annotated[
        str | None, typer.Option("--share", help="Share of the Customers group, such as 8%.")
    ] = None,
    at_least: Annotated[
        int | None, typer.Option("--at-least", min=0, help="Lower bound of the limit.")
    ] = None,
    at_most: Annotated[
        int | None, typer.Option("--at-most", min=0, help="Upper bound of the limit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which stored plans another limit would have held.

    Options that are not given keep the club's own value.
    """
    from pydantic import ValidationError

    from clubsync.config import Guard
    from clubsync.explain.guard_replay import replay
    from clubsync.store.snapshots import Store

    with open_club(club_id) as (driver, club_no, club):
        given = {"share": share, "at_least": at_least, "at_most": at_most}
        other = {name: value for name, value in given.items() if value is not None}
        try:
            guard = Guard.model_validate({**club.guard.model_dump(), **other})
        except ValidationError as error:
            raise typer.BadParameter(
                error.errors()[0]["msg"].removeprefix("Value error, ")
            ) from None
        rows = replay(driver, Store(), club_no, guard)
    if as_json:
        print_json(rows)
        return
    table(
        f"{club.name}: with share {guard.share:.1%}, at least {guard.at_least}, at most {guard.at_most}",
        rows,
        ["run", "at", "deactivations", "last_24_hours", "customers", "limit", "held", "was_held"],
    )
    out.say(f"{sum(row['held'] for row in rows)} of {len(rows)} plans would have been held.")


def upkeep(
    keep_days: Annotated[
        int,
        typer.Option(
            "--keep-days",
            min=1,
            help="How many days to keep snapshots, plans, idle runs and closed findings.",
        ),
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Delete old snapshots, plans, idle runs and closed findings, and clubs due for removal.

    Also finishes erasures, and removes what nothing in the database refers to from the snapshot store.
    """
    from clubsync.config import load_config
    from clubsync.operate.retention import upkeep as run_upkeep
    from clubsync.pipeline import interrupted
    from clubsync.store.snapshots import Store

    for sentence in permissions.check(everything=True):
        err.say((sentence, "yellow"))
    with open_base() as base:
        interrupted.close_all(base)
        done = run_upkeep(base, Store(base=base), load_config(), timedelta(days=keep_days))
    if as_json:
        print_json(done)
    else:
        clubs = f", all data of {', '.join(done['clubs'])}" if done["clubs"] else ""
        out.say(
            f"Deleted: {done['snapshots']} snapshots, {done['plans']} plans, {done['runs']} runs, "
            f"{done['findings']} findings, {done['folders']} unused folders{clubs}. "
            f"Records compared for similarity: {done['compared']}."
        )
        if done["erasures"]["completed"]:
            out.say(f"Erasures completed: {done['erasures']['completed']}.")
        for state in done["erasures"]["left"]:
            print_state(state)
