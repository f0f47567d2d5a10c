"""What every manual action shares: the club's lock, one transaction, a run, and audit rows with their author.

A manual action also tells the next sync which records to evaluate again, so that neither of them silently
undoes the other.
"""

from __future__ import annotations

import getpass
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clubsync import clock, emails
from clubsync.config import ClubConfig
from clubsync.errors import ActionRejected
from clubsync.extract.erased import key_hash
from clubsync.store.database import Base, Driver, queries

#: What the trigger of an action's run begins with.
BY_HAND = "by hand: "
#: Of audit rows: somebody joins the Customers group, or is detached.
ADDED = {"in_customers_group": True, "groups": []}
DETACHED = {"in_customers_group": False, "reason": "detached", "detached": True}


def shell_user() -> str:
    """The author of an action that comes from the command line."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "shell"


@dataclass
class Action:
    """One manual action in one club.

    :param driver: inside the action's transaction.
    :param club_no: the club's number in the database.
    :param rows: rows of schema `base` and audit rows written so far.
    :param kinds: audit rows by kind.
    """

    driver: Driver
    club_no: int
    club: ClubConfig
    run: int
    at: datetime
    by: str
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def audit(
        self,
        kind: str,
        customer: int,
        erp_id: str | None,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        reason: str,
    ) -> None:
        """R18: write one audit row."""
        queries().enter_feed(self.driver, club=self.club_no, run=self.run)
        self.rows += queries().add_change(
            self.driver,
            club=self.club_no,
            run=self.run,
            at=self.at,
            kind=kind,
            customer=customer,
            erp_id=erp_id,
            before=None if before is None else json.dumps(before),
            after=json.dumps(after),
            reason=reason,
            actor=self.by,
        )
        self.kinds[kind] += 1

    def recheck(self, erp_id: str | None, email: str | None, why: str) -> None:
        """Have the next sync evaluate this record, or the records with this email, even if unchanged."""
        queries().add_recheck(self.driver, club=self.club_no, erp_id=erp_id, email=email, why=why)

    def lift_erasure(self, email: str) -> None:
        """R20: somebody adds the person with this normalised email by hand: their erasure ends."""
        sql = queries()
        key = sql.club_state(self.driver, club=self.club_no)["hash_key"]
        sql.lift_erasure(
            self.driver, club=self.club_no, email_hash=key_hash(key, email), at=self.at
        )


@contextmanager
def start_action(
    base: Base, club: ClubConfig, what: str, by: str | None = None, *, plan_tables: bool = False
) -> Iterator[Action]:
    """Lock the club, start a run, and finish both when the block ends without an error.

    :param what: the action, as the run's trigger shows it.
    :param by: the author; None: the user of the shell.
    :param plan_tables: whether the action loads a plan and needs its temporary tables.
    """
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club_no = sql.register_club(driver, club_id=club.id, name=club.name, erp=club.erp, now=at)
    with base.club(club_no, plan_tables=plan_tables) as driver:
        sql.lock_club(driver, club=club_no)
        run = sql.start_run(driver, club=club_no, trigger=f"{BY_HAND}{what}", at=at)
        action = Action(driver, club_no, club, run, at, by or shell_user())
        yield action
        # R11: a request from somebody who is a customer after this action needs no decision
        action.rows += sql.accept_matching_requests(driver, club=club_no, at=at)
        sql.touch_revision(driver, club=club_no)
        counts = json.dumps(action.kinds)
        sql.end_manual_run(
            driver,
            club=club_no,
            run=run,
            at=clock.now(),
            counts=counts,
            rows_written=action.rows,
        )
        sql.summarise_club(driver, club=club_no, customers=None, at=at)
        sql.add_change_counts(driver, club=club_no, at=at, counts=counts)


def valid_email(text: str, placeholders: Iterable[str] = ()) -> str:
    """The normalised email.

    :param placeholders: a club's own (R2).
    :raises ActionRejected: it is not valid, or stands for "no email".
    """
    norm = emails.normalise(text)
    if norm is None:
        raise ActionRejected(
            "This is not a valid email address.", remedy="Check the spelling and try again."
        )
    if emails.is_placeholder(text, placeholders):
        raise ActionRejected(
            "This address is a placeholder, not an email address.",
            remedy="Enter the person's own email address.",
        )
    return norm


def as_number(text: str) -> int | None:
    """The id that a person typed, if it is one: a number that a bigint holds."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def as_email(text: str) -> str | None:
    """The normalised email that a person typed, if it is one."""
    return emails.normalise(text) if "@" in text else None
