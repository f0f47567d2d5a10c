"""How a club stands: what every answer about its customers depends on, and the word that the pages show for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from clubsync import clock
from clubsync.config import ClubConfig
from clubsync.store.database import Driver, queries

if TYPE_CHECKING:
    from clubsync.explain.wording import Words

State = Literal["fresh", "late", "held", "failing", "quarantined", "paused", "new", "gone"]

#: Kinds of broken promises (R25), the most important first.
LATE, INCOMPLETE, OLD_DATA = "late", "incomplete", "old data"


class Standing(TypedDict):
    """How a club stands at this moment.

    :param as_of: the time of the data of the last complete reading; None: there is none.
    :param sentences: what that means for an answer about one of its customers; the first says as of when.
    """

    state: State
    as_of: datetime | None
    sentences: list[str]


def broken_promises(
    club: ClubConfig, state: Mapping[str, Any], at: datetime
) -> dict[str, datetime | None]:
    """The promises of freshness that a club's data break: kind -> the moment of the last that kept it, if any.

    :param state: last_success_at, certified_at, certified_as_of and created_at of the club.
    """
    told: dict[str, tuple[datetime | None, timedelta | None]] = {
        LATE: (state["last_success_at"], club.promised.read),
        INCOMPLETE: (state["certified_at"], club.promised.complete),
        OLD_DATA: (state["certified_as_of"], club.promised.data),
    }
    # the promises of a new club count from its creation
    created = state["created_at"]
    return {
        kind: last
        for kind, (last, promised) in told.items()
        if promised is not None and at - (last or created) > promised
    }


def state_of(row: Mapping[str, Any], *, late: bool) -> State:
    """The first state that applies, in the order of the query `club_board`.

    :param row: of the query `club_facts`.
    """
    states: list[tuple[bool, State]] = [
        (row["paused"], "paused"),
        (row["quarantined_until"] is not None, "quarantined"),
        (row["failing_since"] is not None, "failing"),
        (row["hold"] is not None or row["first_sync_waits"], "held"),
        (row["last_success_at"] is None, "new"),
        (late, "late"),
    ]
    return next((state for applies, state in states if applies), "fresh")


def standing(driver: Driver, club_no: int, config: ClubConfig, words: Words) -> Standing:
    """How the club stands.

    :param driver: inside a transaction of this club.
    """
    if club_no == 0:  # of clubs.yaml, and never synced
        return Standing(state="new", as_of=None, sentences=[words.standing("never")])
    row = queries().club_facts(driver, club=club_no)
    late = bool(broken_promises(config, row, clock.now()))
    state, as_of = state_of(row, late=late), row["certified_as_of"]
    says = [words.standing("as_of", when=words.when(as_of)) if as_of else words.standing("never")]
    failing = row["failing_since"]
    if row["paused"]:
        says.append(words.standing("paused"))
    elif failing:
        values = {"since": words.when(failing), "error": words.message(row["last_error"] or "")}
        until = row["quarantined_until"]
        key = "quarantined" if until else "failing"
        says.append(words.standing(key, until=words.when(until or failing), **values))
    if row["first_sync_waits"]:
        says.append(words.standing("first"))
    elif row["hold"] is not None:
        says.append(words.standing("held", hold=row["hold"]))
    if late and not row["paused"] and not failing and as_of:
        says.append(words.standing("late"))
    return Standing(state=state, as_of=as_of, sentences=says)
