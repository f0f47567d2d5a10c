"""What a person does on the pages: written into the audit with their name before it is carried out, and what
came of it after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.errors import ActionRejected, SyncError
from clubsync.manual import customers, lifecycle, requests
from clubsync.operate import connection_check
from clubsync.store.database import Driver, queries
from plugins.connections import resolver
from plugins.web import nudging
from plugins.web.auth import Person
from plugins.web.context import Club, base, engine
from plugins.web.errors import Refused

if TYPE_CHECKING:
    from clubsync.store.queries import FindHoldRow

PATIENCE = 20.0
"""Seconds for which a person waits for a test of a connection."""


class Act(BaseModel):
    """An act of a person, as the audit has it."""

    act: int
    at: datetime
    actor: str
    kind: str
    detail: dict[str, Any] = Field(description="ids and counts; `run`: the run that carried it out")
    people: list[str] = Field(description="whom it was about: ERP ids, or #number of a customer")
    outcome: Literal["asked", "done", "refused"]
    told: str | None = Field(description="what came of it, in a sentence")


@dataclass
class Asked:
    """An act that is being carried out; what came of it is put here."""

    number: int
    told: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@contextmanager
def acting(
    club: Club, person: Person, kind: str, people: Sequence[str] = (), **detail: Any
) -> Iterator[Asked]:
    """An act on a club; it is in the audit whatever comes of it."""
    with club.driver() as driver:
        asked = Asked(write(driver, club.number, person, kind, people, **detail))
    outcome = "refused"
    try:
        yield asked
        outcome = "done"
    except (SyncError, Refused) as error:
        asked.told = str(error)
        raise
    finally:
        with club.driver() as driver:
            queries().end_action(
                driver,
                club=club.number,
                act=asked.number,
                outcome=outcome,
                told=asked.told,
                detail=json.dumps(asked.detail),
            )


def write(
    driver: Driver,
    club: int,
    person: Person,
    kind: str,
    people: Sequence[str] = (),
    **detail: Any,
) -> int:
    """:param driver: inside a transaction of the club."""
    return queries().add_action(
        driver,
        club=club,
        at=clock.now(),
        actor=person.name,
        kind=kind,
        detail=json.dumps(detail),
        people=list(people),
    )


def show(club: Club, person: Person, what: str, people: Sequence[str], **detail: Any) -> None:
    """Personal data are about to be shown to this person: written down, or they are not shown."""
    with acting(club, person, "show", people, what=what, n=len(people), **detail):
        pass


def found(club: Club, act: int) -> Act:
    """:raises Refused: 404: this club has no such act."""
    with club.driver() as driver:
        row = queries().find_action(driver, club=club.number, act=act)
    if row is None:
        raise Refused(404, "No such act", f"{club.config.name} has no act {act}.")
    return Act(**row)


def recent(club: Club, how_many: int = 20) -> list[Act]:
    """The newest first."""
    with club.driver() as driver:
        return [
            Act(**row)
            for row in queries().recent_actions(driver, club=club.number, how_many=how_many)
        ]


# --- a club -----------------------------------------------------------------------------------


def sync(club: Club, person: Person) -> Act:
    """Read the club now: a run of `sync_one` is started, or one that waits is named."""
    with acting(club, person, "sync") as asked:
        asked.detail["airflow_run"] = nudging.by_person(club.id, person.name)
    return found(club, asked.number)


def dry_run(club: Club, person: Person) -> Act:
    """Read the club now and plan, and write nothing: a run of `sync_one`."""
    with acting(club, person, "dry_run") as asked:
        run = f"{club.id}-dry-run-{asked.number}"
        nudging.start(run, club.id, dry_run=True)
        asked.detail["airflow_run"] = run
    return found(club, asked.number)


def pause(club: Club, person: Person, paused: bool) -> Act:
    """R28: stop reading the club, or go on; either way a quarantine ends."""
    with acting(club, person, "pause" if paused else "resume"):
        lifecycle.pause(base(), club.config, paused, by=person.name)
    return recent(club, 1)[0]


def go(club: Club, person: Person) -> Act:
    """R28: the plan of the first sync was seen: the next one loads."""
    with acting(club, person, "go"):
        lifecycle.approve_first_sync(base(), club.config, by=person.name)
    return recent(club, 1)[0]


def test(club: Club, person: Person) -> Act:
    """Log in to the ERP and look, storing nothing.

    :raises SyncError: there was no answer in time.
    """

    def look() -> connection_check.Checked:
        return connection_check.check(club.config, resolver.resolve)

    with acting(club, person, "test") as asked:
        checked = connection_check.within(PATIENCE, look)
        asked.detail["ok"] = checked.ok
        asked.told = f"{checked.found} {checked.remedy or ''}".strip()
    return found(club, asked.number)


# --- people -----------------------------------------------------------------------------------


def ignore(club: Club, person: Person, one: str, other: str) -> Act:
    """R23: two records are two people; for ever."""
    with acting(club, person, "ignore", [one, other], one=one, other=other) as asked:
        made = customers.ignore_pair(base(), club.config, one, other, by=person.name)
        asked.detail["already"] = made["already"]
    return found(club, asked.number)


def decide_request(club: Club, person: Person, request: int, accepted: bool) -> Act:
    """R11: accept or refuse a request.

    :raises ActionRejected: there is no such pending request, or it cannot be accepted.
    """
    carry_out = requests.accept if accepted else requests.refuse
    kind = "accept" if accepted else "refuse"
    with acting(club, person, kind, request=request) as asked:
        made = carry_out(base(), club.config, str(request), by=person.name)
        asked.detail["customer"] = made.get("customer")
    return found(club, asked.number)


def erase(club: Club, person: Person, customer: int | None, erp_id: str | None) -> Act:
    """R20: a person's data go, for good.

    :raises ActionRejected: the club knows nobody by that.
    """
    from clubsync.manual.erasure import erase as erase_person

    who = erp_id
    if who is None:
        with club.driver() as driver:
            row = queries().person(driver, club=club.number, customer=customer, erp_id=None)
        who = row["erp_id"] or row["email"] if row else None
    if who is None:
        raise ActionRejected(
            f"{club.config.name} knows nobody by that.", remedy="Search for the person again."
        )
    with acting(club, person, "erase") as asked:
        made = erase_person(base(), engine().store, club.config, who, by=person.name)
        asked.detail |= {name: made[name] for name in ("customers", "records", "files")}
    return found(club, asked.number)


# --- holds and runs ---------------------------------------------------------------------------


def decide_hold(
    club: Club, person: Person, hold: int, list_hash: str, approved: bool, comment: str
) -> Act:
    """R15: decide on the exact list that was seen.

    :raises ActionRejected: no such hold or list, or somebody was first.
    :raises Refused: 404: the hold is another club's.
    """
    of_club(club, hold)
    kind = "approve" if approved else "reject"
    with acting(club, person, kind, hold=hold, list=list_hash, comment=comment) as asked:
        if approved:
            step = engine().approve(hold, person.name, list_hash, comment)
            if step["error"]:
                raise ActionRejected(step["error"], remedy=step["remedy"] or "")
            asked.detail |= {"run": step["run"], "customers": step["counts"]["deactivation"]}
        else:
            made = engine().reject(hold, person.name, list_hash, comment)
            asked.detail |= {"customers": made["kept"]}
    return found(club, asked.number)


def of_club(club: Club, hold: int) -> FindHoldRow:
    """:raises Refused: 404: this club has no such hold."""
    with club.driver() as driver:
        row = queries().find_hold(driver, hold=hold)
    if row is None:  # row-level security shows a club its own
        raise Refused(404, "No such hold", f"{club.config.name} has no hold {hold}.")
    return row


def undo(club: Club, person: Person, run: int, list_hash: str | None) -> Act:
    """R18: undo a run.

    :param list_hash: of the list of people who would lose access, where that is more than pass by
        themselves.
    :raises ActionRejected: it would, and this is not that list; or there is nothing to undo.
    """
    from clubsync.manual import undo as undoing

    config = engine().config
    with acting(club, person, "undo", undone=run) as asked:
        plan = undoing.undo(base(), config, run, dry_run=True, list_hash=list_hash)
        if plan["held"]:
            raise ActionRejected(
                f"{plan['held']['deactivations']} customers would lose access, which is more than pass by "
                "themselves, and the list has changed since it was shown.",
                remedy="Look at the plan again.",
            )
        if not plan["changes"]:
            raise ActionRejected(
                f"Nothing of run {run} can be undone.", remedy="Look at the plan again."
            )
        made = undoing.undo(base(), config, run, list_hash=list_hash, by=person.name)
        asked.detail |= {"run": made["run"], "changes": made["changes"]}
    return found(club, asked.number)
