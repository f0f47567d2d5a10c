"""Undoing a run (R18)."""

from __future__ import annotations

from pydantic import BaseModel, Field

from clubsync.errors import ActionRejected
from clubsync.manual import undo as manual
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub, base, engine
from plugins.web.registry import registry
from plugins.web.services import runs
from plugins.web.services.actions import Act, action


class LeftAlone(BaseModel):
    customer: int
    erp_id: str | None
    why: str


class Undo(BaseModel):
    """What undoing a run would do now."""

    run: int
    changes: dict[str, int]
    skipped: list[LeftAlone] = Field(description="customers who are skipped, with the reason")
    loses_access: list[int] = Field(
        description="customers who would lose access, where they are more than the automatic limit"
    )
    limit: int | None
    list_hash: str | None = Field(description="to be sent with the undo in that case")


def plan(club: OpenClub, run: int) -> Undo:
    """:raises ProblemError: 404: this club has no such run."""
    runs.one(club, run)
    made = manual.undo(base(), registry().config, run, dry_run=True)
    held = made["held"] or {}
    return Undo(
        run=run,
        changes=made["changes"],
        skipped=[LeftAlone(**row) for row in made["skipped"]],
        loses_access=held.get("customers", []),
        limit=held.get("limit"),
        list_hash=held.get("list"),
    )


def undo(club: Club, user: User, run: int, list_hash: str | None) -> Act:
    """Undo a run.

    :param list_hash: of the list of customers who would lose access, where they are more than the automatic
        limit.
    :raises ActionRejected: they are, and this is not that list; or there is nothing to undo.
    :raises ProblemError: 404: this club has no such run.
    """
    with club.transaction() as driver:
        runs.find(driver, club, run)
    config = engine().config
    with action(club, user, "undo", undone=run) as begun:
        made = manual.undo(base(), config, run, dry_run=True, list_hash=list_hash)
        if made["held"]:
            n = made["held"]["deactivations"]
            raise ActionRejected(
                f"{n} customer{'s' if n != 1 else ''} would lose access, which is more than the automatic "
                "limit, and the list has changed since it was shown.",
                remedy="Look at the plan again.",
            )
        if not made["changes"]:
            raise ActionRejected(
                f"Nothing of run {run} can be undone.", remedy="Look at the plan again."
            )
        made = manual.undo(base(), config, run, list_hash=list_hash, by=user.name)
        begun.detail |= {"run": made["run"], "changes": made["changes"]}
    return begun.recorded
