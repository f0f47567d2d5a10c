"""`clubsync reused`: ERP ids that show another person (R1)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from clubsync.cli.common import (
    AsJson,
    ClubId,
    cell,
    open_pipeline,
    out,
    print_error,
    print_json,
    table,
)


def reused(
    club_id: ClubId,
    decision: Annotated[
        Literal["keep", "replace"] | None,
        typer.Argument(
            metavar="[keep|replace]",
            help="keep: the same person, take the new values. replace: another person, who gets a "
            "customer of their own; the customer there was loses access.",
        ),
    ] = None,
    erp_id: Annotated[
        str | None, typer.Argument(metavar="[ERP_ID]", help="The ERP id to decide about.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who decides; default: the user you are logged in as."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List ERP ids that now show another person, or decide about one.

    An id with another email and another first and last name belongs to another person, unless the phone
    or the birth date agrees: finding ID_REUSED, and nothing changes until somebody decides, or until
    the old values come back in the ERP.
    """
    if decision is None:
        _list(club_id, as_json=as_json)
        return
    if erp_id is None:
        raise typer.BadParameter("Name the ERP id to decide about.", param_hint="ERP_ID")
    from clubsync.manual.action import shell_user

    with open_pipeline(quiet=as_json) as pipeline:
        step = pipeline.decide_identity(club_id, erp_id, decision, by or shell_user())
    if step["error"]:
        print_error(step["error"], step["remedy"])
        raise typer.Exit(1)
    made = {"erp_id": erp_id, "decision": decision, "club": club_id, "run": step["run"]}
    if as_json:
        print_json(made | {"changes": step["counts"]})
    else:
        out.say(f"Done: ERP id {erp_id}: {decision} (run {step['run']}).")


def _list(club_id: str, *, as_json: bool) -> None:
    from clubsync.manual import identity

    with open_pipeline(quiet=True) as pipeline:
        club = pipeline.config.club(club_id)
        club_no = pipeline.club_no(club)
        with pipeline.base.club(club_no) as driver:
            found = identity.awaiting(driver, club_no, club.id, pipeline.store)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        {"erp_id": one.erp_id, "since": one.since, **_compared(one.was, one.now)} for one in found
    ]
    table("Reused ERP ids", rows, ["erp_id", "since", *identity.COMPARED])
    if found:
        out.say(f"Decide with `clubsync reused {club_id} keep|replace ERP_ID`.")


def _compared(was: dict[str, object], now: dict[str, object] | None) -> dict[str, str]:
    """Each field as it was and as it is now."""
    return {
        name: f"{cell(value)} → {cell(now[name]) if now else '?'}" for name, value in was.items()
    }
