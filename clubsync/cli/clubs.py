"""`clubsync clubs`: the configured clubs, their status and their lifecycle."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clubsync.cli.common import (
    AsJson,
    ClubId,
    cell,
    open_base,
    open_pipeline,
    out,
    print_error,
    print_json,
    table,
    warn_of_login,
)
from clubsync.errors import SyncError
from connectors.sdk.visible import visible

if TYPE_CHECKING:
    from clubsync.pipeline.engine import Pipeline

clubs_app = typer.Typer(
    help="List configured clubs and their sync status; pause, move, confirm or remove a club.",
    invoke_without_command=True,
)


_HEADINGS = {
    "club": "club",
    "name": "name",
    "erp": "ERP",
    "every": "every",
    "state": "status",
    "read": "last read",
    "certified": "complete as of",
    "customers": "customers",
    "findings": "findings",
    "held": "held",
    "error": "error, or why the last sync is incomplete",
}
#: The Clubs pages' words where those of the JSON differ.
_STATUS = {"ok": "fresh"}


@clubs_app.callback()
def clubs(context: typer.Context, as_json: AsJson = False) -> None:
    """List configured clubs and their sync status."""
    if context.invoked_subcommand:
        return
    from clubsync.config import load_config
    from clubsync.operate import freshness
    from clubsync.store.database import queries

    config = load_config()
    with open_base() as base:
        fresh = {one.club.id: one for one in freshness.of_all(base, config)}
        with base.reader() as driver:
            states = {row["club_id"]: row for row in queries().club_overview(driver)}
            plans = {row["club_id"]: row for row in queries().first_sync_plans(driver)}
    rows = []
    for club in config.clubs:
        state: Mapping[str, Any] = states.get(club.id, {})
        broken = [
            kind for kind in freshness.KINDS if club.id in fresh and kind in fresh[club.id].broken
        ]
        rows.append(
            {
                "club": club.id,
                "name": club.name,
                "erp": club.erp,
                "every": f"{int(club.every.total_seconds() // 60)}m",
                "state": _state(state, broken),
                "read": state.get("last_success_at"),
                "certified": state.get("certified_as_of"),
                "customers": state.get("customers", 0),
                "findings": state.get("findings", 0),
                "held": state.get("held", 0),
                "first_sync": _first_sync(plans.get(club.id)),
                "error": state.get("last_error"),
                "doubts": list(state.get("doubts") or ()),
            }
        )
    if as_json:
        print_json(rows)
    else:
        shown = [
            {
                **row,
                "state": _STATUS.get(row["state"], row["state"]),
                "error": row["error"]
                or " ".join(("incomplete:", *row["doubts"])) * bool(row["doubts"]),
            }
            for row in rows
        ]
        table(str(config.path), shown, _HEADINGS)
        for row in rows:
            if waits := row["first_sync"]:
                out.say(
                    f"{row['club']}: the first sync awaits approval: {waits['additions']} additions; "
                    f"`clubsync clubs approve-first-sync {row['club']} --list {waits['list_hash']}`"
                )


def _first_sync(plan: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The plan of a first sync that awaits approval."""
    if plan is None:
        return None
    counts = plan["counts"]
    return {
        "run": plan["run"],
        "list_hash": plan["list_hash"],
        "additions": counts.get("addition", 0),
    }


def _state(state: Mapping[str, Any], broken: list[str]) -> str:
    """The club's status, the most urgent one if several apply.

    :param broken: the broken promises of freshness.
    """
    if not state:
        return "never read"
    if state["paused"]:
        return "paused"
    if state["quarantined_until"]:
        return f"quarantined until {state['quarantined_until']:%H:%M} UTC"
    if state["failing_since"]:
        return "failing"
    if state["held"] or state["first_sync_waits"]:
        return "held"
    if state["last_success_at"] is None:
        return "never read"
    return broken[0] if broken else "ok"


@clubs_app.command("check")
def clubs_check(
    club_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="CLUB...", help="Ids of clubs in clubs.yaml; default: all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate clubs.yaml, test the clubs' connections, and look for the groups that it names. Stores nothing.

    Exits with 1 if a connection does not work, or an ERP does not have a group that clubs.yaml names.
    """
    from clubsync import connections
    from clubsync.config import load_config
    from clubsync.operate import group_check
    from clubsync.operate.connection_check import check_all

    config = load_config()
    wanted = [config.club(c) for c in club_ids] if club_ids else list(config.clubs)
    rows: list[dict[str, Any]] = [
        {
            "club": one.club.id,
            "erp": one.club.erp,
            "connection": one.club.connection,
            "ok": one.ok,
            "found": one.found,
            "remedy": one.remedy,
            "missing_groups": {},
        }
        for one in check_all(wanted, connections.resolve)
    ]
    for club, row in zip(wanted, rows, strict=True):
        missing = group_check.check(club, connections.resolve, open_base) if row["ok"] else None
        if missing is not None:
            row |= {"ok": False, "missing_groups": missing.groups, "remedy": missing.remedy}
            row["found"] = f"{row['found']} {missing.found}"
    if os.environ.get("CLUBSYNC_DATABASE"):  # the embedded server's login is confined
        with suppress(SyncError), open_base() as base:
            warn_of_login(base)
    if as_json:
        print_json(rows)
    else:
        table(
            f"{config.path}: {len(rows)} clubs",
            rows,
            ["club", "erp", "connection", "ok", "found", "remedy"],
        )
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _run(club_id: str, action: str, sentence: str, as_json: bool, **options: Any) -> None:
    """Carry out a lifecycle action.

    :param action: a function of `clubsync.manual.lifecycle`.
    :param sentence: what to print, with the keys of its result in braces.
    """
    from clubsync.config import load_config
    from clubsync.manual import lifecycle

    club = load_config().club(club_id)
    with open_base() as base:
        result = getattr(lifecycle, action)(base, club, **options)
    if as_json:
        print_json(result)
    else:
        text = sentence.format_map({key: cell(value) for key, value in result.items()})
        out.say(f"{club.name}: {text}")


@clubs_app.command("pause")
def clubs_pause(club_id: ClubId, as_json: AsJson = False) -> None:
    """Stop reading a club until it is resumed. Kept in the database, not in clubs.yaml."""
    _run(club_id, "pause", "paused.", as_json, paused=True)


@clubs_app.command("resume")
def clubs_resume(club_id: ClubId, as_json: AsJson = False) -> None:
    """Resume reading a club; ends its quarantine too."""
    _run(club_id, "pause", "resumed.", as_json, paused=False)


@clubs_app.command("empty", hidden=True)
@clubs_app.command("confirm-empty")
def clubs_confirm_empty(club_id: ClubId, as_json: AsJson = False) -> None:
    """Confirm that the club has no customers any more: its next empty response is accepted, once.

    If more customers would lose access than the club's limit allows, they are held for approval.
    """
    sentence = "confirmed as empty; the next empty response is accepted, once."
    _run(club_id, "confirm_empty", sentence, as_json)


@clubs_app.command("trust", hidden=True)
@clubs_app.command("confirm-source")
def clubs_confirm_source(club_id: ClubId, as_json: AsJson = False) -> None:
    """Confirm that the club's data is its own, although few customers are known: accepted once."""
    _run(
        club_id, "confirm_source", "source confirmed; the next snapshot is accepted, once.", as_json
    )


@clubs_app.command("go", hidden=True)
@clubs_app.command("approve-first-sync")
def clubs_approve_first_sync(
    club_id: ClubId,
    list_hash: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="HASH",
            help="Hash of the plan that you saw; default, at a terminal only: the newest plan, once you confirm it.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who decides; default: the user you are logged in as."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Approve the plan of the first sync of a club with `first_sync: review`: that plan loads, and no other.

    `clubsync clubs` shows the plan's hash, as the result of its sync and the club's page do.
    """
    from clubsync.manual.action import shell_user

    with open_pipeline(quiet=as_json) as pipeline:
        if list_hash is None:
            list_hash = _seen_plan(pipeline, club_id, as_json)
        step = pipeline.approve_first_sync(club_id, by or shell_user(), list_hash)
    if step["error"]:
        print_error(step["error"], step["remedy"])
        raise typer.Exit(1)
    if as_json:
        made = {"club": club_id, "confirmed": "first sync", "list_hash": list_hash}
        print_json({**made, "run": step["run"], "changes": step["counts"], "held": step["hold"]})
    elif step["hold"]:
        out.say("; ".join(step["hold"]["causes"]))
    else:
        out.say(f"First sync approved: {step['counts']['addition']} customers added.")
    if step["hold"]:
        raise typer.Exit(3)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _seen_plan(pipeline: Pipeline, club_id: str, as_json: bool) -> str:
    """The hash of the newest plan, once whoever sits at the terminal has confirmed it."""
    from clubsync.store.database import queries

    club = pipeline.config.club(club_id)
    with pipeline.base.club(pipeline.club_no(club)) as driver:
        waits = queries().first_sync_plan(driver, club=pipeline.club_no(club))
    if waits is None:
        return ""  # the approval says so
    if as_json or not _at_a_terminal():
        raise typer.BadParameter(
            "Name the plan that you reviewed; `clubsync clubs` shows its hash.", param_hint="--list"
        )
    counts = ", ".join(f"{n} {kind}" for kind, n in waits["counts"].items() if n)
    question = (
        f"{club.name}: plan {waits['list_hash']} of run {waits['run']}: {counts}. Approve it?"
    )
    typer.confirm(visible(question), abort=True)
    return waits["list_hash"]


@clubs_app.command("move")
def clubs_move(club_id: ClubId, as_json: AsJson = False) -> None:
    """Move a club to another tenant of its ERP: its customers are then matched by email alone.

    If the club changes to another ERP, change `erp:` in clubs.yaml instead.
    """
    sentence = "moved; the next sync matches its customers by email (epoch {epoch})."
    _run(club_id, "move", sentence, as_json)


@clubs_app.command("remove")
def clubs_remove(
    club_id: ClubId,
    days: Annotated[
        int,
        typer.Option("--after-days", min=0, help="When to delete all its data, in days from now."),
    ] = 30,
    keep: Annotated[bool, typer.Option("--keep", help="Cancel the removal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop reading a club, and delete all its data after some days (`clubsync upkeep` does it)."""
    sentence = "removal cancelled." if keep else "its data will be deleted on {removed_at}."
    _run(club_id, "remove", sentence, as_json, after=None if keep else timedelta(days=days))


@clubs_app.command("schema")
def clubs_schema() -> None:
    """Print the JSON Schema of clubs.yaml, for editors."""
    from clubsync.config import json_schema

    print_json(json_schema())
