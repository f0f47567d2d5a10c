"""What people do on the pages: recorded in the audit with their name before it is carried out, and its result after.

What shows personal data is recorded in the transaction that read it: it is committed before the response is sent, or
there is no response.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from clubsync import clock
from clubsync.errors import SyncError
from clubsync.store.database import Driver, queries
from connectors.sdk.errors import ConnectorError
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub
from plugins.web.errors import ProblemError


class Act(BaseModel):
    """An action of a person, as in the audit."""

    act: int
    at: datetime
    actor: str
    kind: str
    detail: dict[str, Any] = Field(description="ids and counts; `run`: the run that carried it out")
    people: list[str] = Field(
        description="the people it was about: ERP ids, or #number of a customer"
    )
    outcome: Literal["asked", "done", "refused"]
    told: str | None = Field(description="the result, in a sentence")


@dataclass
class Action:
    """An action that is being carried out.

    :param told: the result, in a sentence; detail: ids and counts. Both are put here on the way.
    """

    number: int
    told: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    _recorded: Act | None = None

    @property
    def recorded(self) -> Act:
        """The action with its result, once it is over."""
        if self._recorded is None:
            raise RuntimeError("The action is not over yet.")
        return self._recorded


@contextmanager
def action(
    club: Club, user: User, kind: str, people: Sequence[str] = (), **detail: Any
) -> Iterator[Action]:
    """An action on a club. It stays in the audit also where it fails."""
    with club.transaction() as driver:
        begun = Action(_add(driver, club, user, kind, people, detail))
    outcome = "refused"
    try:
        yield begun
        outcome = "done"
    except (SyncError, ConnectorError, ProblemError) as error:
        begun.told = str(error)
        raise
    finally:
        with club.transaction() as driver:
            _end(driver, club, begun, outcome)
            begun._recorded = _read(driver, club, begun.number)


def disclose(club: OpenClub, user: User, what: str, people: Sequence[str], **detail: Any) -> None:
    """Record, in the transaction of the request, that this person is shown these people's data."""
    shown = {"what": what, "n": len(people), **detail}
    number = _add(club.driver, club, user, "show", people, shown)
    _end(club.driver, club, Action(number), "done")


def disclose_feed(driver: Driver, club_no: int, user: User, people: Sequence[str]) -> None:
    """Record, in a transaction of the club, that this person is shown these people's data in the change feed.

    The club may be one that clubs.yaml no longer lists.
    """
    sql = queries()
    act = sql.add_action(
        driver,
        club=club_no,
        at=clock.now(),
        actor=user.name,
        kind="show",
        detail=json.dumps({"what": "feed", "n": len(people)}),
        people=list(people),
    )
    sql.end_action(driver, club=club_no, act=act, outcome="done", told=None, detail="{}")


def record_download(club: OpenClub, user: User) -> None:
    """Record, in the transaction of the request, that this person downloads the findings."""
    _end(club.driver, club, Action(_add(club.driver, club, user, "csv", (), {})), "done")


def record_hold_download(club: OpenClub, user: User, hold: int, list_hash: str) -> None:
    """Record, in the transaction of the request, that this person downloads a list of a hold."""
    detail = {"hold": hold, "list": list_hash}
    _end(club.driver, club, Action(_add(club.driver, club, user, "hold_csv", (), detail)), "done")


def found(club: OpenClub, act: int) -> Act:
    """:raises ProblemError: 404: this club has no such action."""
    recorded = _read(club.driver, club, act)
    if recorded is None:
        raise ProblemError(404, "No such action", f"{club.name} has no action {act}.")
    return recorded


def recent(club: OpenClub, max_rows: int = 20) -> list[Act]:
    """The newest first."""
    rows = queries().recent_actions(club.driver, club=club.number, max_rows=max_rows)
    return [Act.model_validate(row) for row in rows]


def _add(
    driver: Driver,
    club: Club,
    user: User,
    kind: str,
    people: Sequence[str],
    detail: dict[str, Any],
) -> int:
    return queries().add_action(
        driver,
        club=club.number,
        at=clock.now(),
        actor=user.name,
        kind=kind,
        detail=json.dumps(detail),
        people=list(people),
    )


def _end(driver: Driver, club: Club, action: Action, outcome: str) -> None:
    queries().end_action(
        driver,
        club=club.number,
        act=action.number,
        outcome=outcome,
        told=action.told,
        detail=json.dumps(action.detail),
    )


def _read(driver: Driver, club: Club, act: int) -> Act | None:
    row = queries().find_action(driver, club=club.number, act=act)
    return None if row is None else Act.model_validate(row)
