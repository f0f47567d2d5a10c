"""R15: a hold is decided by a person, on the exact list they saw; one decision wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.errors import ActionRejected
from clubsync.store.database import Base, Driver, queries

if TYPE_CHECKING:
    from clubsync.model import Decision
    from clubsync.store.queries import FindHoldRow, ObsoleteRequestsRow

#: How long a rejected person is not asked about again, while their ERP record stays as it is.
REST = timedelta(days=30)
#: Customers that a question lists; `clubsync holds CLUB` lists all.
LISTED = 50
#: How soon after a decision the run that it was made in is sure to have ended.
ANSWERED = timedelta(minutes=1)
#: How long a run has to take its question away before it is told again.
TOLD = timedelta(minutes=10)


def seen(
    base: Base, hold: int, by: str, list_hash: str | None, comment: str | None
) -> tuple[str, Decision]:
    """The decision on the list that a person saw: the club's id, and whom it is about.

    :param list_hash: None: the list as it is at this moment.
    :raises ActionRejected: no such hold, no such list of it, or it was decided already.
    """
    from clubsync.model import Decision

    sql = queries()
    with base.transaction() as driver:
        row = sql.find_hold(driver, hold=hold)
        if row is None:
            raise _no_hold(hold)
        if row["state"] != "open":
            raise _decided(row)
        wanted = list_hash or row["list_hash"]
        version = sql.hold_version_by_hash(driver, club=row["club"], hold=hold, list_hash=wanted)
        if version is None:
            raise _no_list(row, list_hash)
        members = sql.members_at(driver, club=row["club"], hold=hold, version=version["version"])
        customers = [member["customer"] for member in members]
    return row["club_id"], Decision(hold, wanted, customers, by, comment)


@dataclass(frozen=True)
class Question:
    """One list of a hold, as it is put to a person: ids, counts and causes, never names (R19).

    :param newest: the version that the hold's list has by now.
    :param members: customer, erp_id, reason, cause of each on the list.
    :param joined: how many of them were not on the list before it; None: there was none.
    """

    club_id: str
    club: int
    club_name: str
    hold: int
    version: int
    list_hash: str
    newest: int
    state: str
    decided_by: str | None
    opened_at: datetime
    made_at: datetime
    customers: int
    limit: int
    members: Sequence[Mapping[str, Any]]
    joined: int | None

    @property
    def subject(self) -> str:
        return f"{self.club_name}: {len(self.members)} customers would lose access"

    @property
    def ended(self) -> str | None:
        """Why this list needs no decision any more, in a sentence; None while it does."""
        if self.state == "emptied":
            return f"Hold {self.hold} closed itself: the ERP brought everybody back."
        if self.state != "open":
            return f"Hold {self.hold} was {self.state} by {self.decided_by}."
        if self.version != self.newest:
            return f"The list of hold {self.hold} has changed since: it is asked about anew."
        return None

    def markdown(self) -> str:
        """What a person needs to decide, with at most 50 customers by ERP id."""
        from collections import Counter

        causes = Counter(member["cause"] for member in self.members)
        lines = [
            f"The sync of **{self.club_name}** (`{self.club_id}`) would deactivate "
            f"**{len(self.members)} of {self.customers}** customers. Within a day {self.limit} pass by "
            "themselves; these wait, with their access, and everything else was synced.",
            "",
            *(f"* {cause}: {n}" for cause, n in causes.most_common()),
            "",
        ]
        if self.joined is not None:
            lines += [
                f"**The list has changed** since it was first asked about: {self.joined} joined.",
                "",
            ]
        lines += [
            "**Approve** deactivates those of this list whom the newest reading still calls for, and "
            "nobody else. **Reject** keeps them, and does not ask again for 30 days or until their ERP "
            "record changes. What to look at first: `docs/runbooks/held-deactivations.md`.",
            "",
            "| ERP id | customer | why |",
            "|---|---|---|",
            *(
                f"| {_cell(m['erp_id'])} | {m['customer']} | {_cell(m['cause'])} |"
                for m in self.members[:LISTED]
            ),
        ]
        if len(self.members) > LISTED:
            lines.append(
                f"\nAnd {len(self.members) - LISTED} more: `clubsync holds {self.club_id}`."
            )
        lines += [
            "",
            f"Hold {self.hold}, list {self.version} of {self.made_at:%d %B, %H:%M} UTC, "
            f"`{self.list_hash}`; open since {self.opened_at:%d %B, %H:%M} UTC.",
        ]
        return "\n".join(lines)

    def asked(self, base: Base) -> None:
        """Write down that this list is before a person."""
        with base.club(self.club) as driver:
            queries().mark_hold_requested(
                driver,
                club=self.club,
                club_id=self.club_id,
                hold=self.hold,
                version=self.version,
                at=clock.now(),
            )


def questions_over(base: Base) -> list[ObsoleteRequestsRow]:
    """Questions that wait before a person and need no answer any more: club_id, hold, version of each.

    Each is given once in ten minutes, until `question_over`: whoever asks for them tells their runs.
    """
    sql, now = queries(), clock.now()
    with base.transaction() as driver:
        rows = list(
            sql.obsolete_requests(driver, decided_before=now - ANSWERED, told_before=now - TOLD)
        )
        for row in rows:
            sql.mark_request_notified(driver, hold=row["hold"], version=row["version"], at=now)
    return rows


def question_over(base: Base, hold: int, version: int) -> None:
    """Nobody is asked about that list any more."""
    with base.transaction() as driver:
        queries().delete_hold_request(driver, hold=hold, version=version)


def _cell(text: str | None) -> str:
    """Text in a cell of a Markdown table: what the ERP named may hold anything."""
    return (
        (text or "")
        .replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("\n", " ")
        .replace("<", "&lt;")
    )


def question(base: Base, hold: int, number: int) -> Question:
    """A hold's list as a question.

    :param number: the version of the list.
    :raises ActionRejected: there is no such hold, or it never had that list.
    """
    sql = queries()
    with base.transaction() as driver:
        row = sql.find_hold(driver, hold=hold)
        if row is None:
            raise _no_hold(hold)
        club = row["club"]
        version = sql.hold_version_by_number(driver, club=club, hold=hold, version=number)
        if version is None:
            raise _no_list(row, str(number))
        members = list(sql.members_at(driver, club=club, hold=hold, version=version["version"]))
        before = list(sql.members_at(driver, club=club, hold=hold, version=version["version"] - 1))
        name = sql.club_row(driver, club=club)["name"]
        customers = sql.customers_in_group(driver, club=club)
    known = {member["customer"] for member in before}
    return Question(
        club_id=row["club_id"],
        club=club,
        club_name=name,
        hold=hold,
        version=version["version"],
        list_hash=version["list_hash"],
        newest=row["version"],
        state=row["state"],
        decided_by=row["decided_by"],
        opened_at=row["opened_at"],
        made_at=version["made_at"],
        customers=customers,
        limit=row["limit_was"],
        members=members,
        joined=sum(m["customer"] not in known for m in members) if before else None,
    )


def _no_hold(hold: int) -> ActionRejected:
    return ActionRejected(f"There is no hold {hold}.", remedy="`clubsync holds` lists them.")


def _no_list(row: FindHoldRow, name: str | None) -> ActionRejected:
    return ActionRejected(
        f"Hold {row['hold']} never had a list {name}.",
        remedy=f"`clubsync holds {row['club_id']}` shows the list there is, and its hash.",
    )


def _decided(row: FindHoldRow) -> ActionRejected:
    if row["state"] == "emptied":
        return ActionRejected(
            f"Hold {row['hold']} closed itself: the ERP brought everybody back.",
            remedy="Nothing needs deciding.",
        )
    return ActionRejected(
        f"Hold {row['hold']} was {row['state']} by {row['decided_by']} on "
        f"{row['decided_at']:%d %B %Y, %H:%M} UTC.",
        remedy="One decision wins; who has fallen due since is in a hold of its own.",
    )


def close(driver: Driver, club: int, decision: Decision, state: str, at: datetime) -> None:
    """Write the decision down.

    :raises ActionRejected: somebody was first.
    """
    sql = queries()
    changed = sql.decide_hold(
        driver,
        club=club,
        hold=decision.hold,
        state=state,
        at=at,
        by=decision.by,
        list_hash=decision.list_hash,
        comment=decision.comment,
    )
    if not changed:
        row = sql.find_hold(driver, hold=decision.hold)
        raise _decided(row) if row else _no_hold(decision.hold)


def reject(base: Base, club_id: str, decision: Decision) -> dict[str, Any]:
    """Keep the people of the seen list; who joined later stays held, in a hold of its own."""
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club = sql.find_club(driver, club_id=club_id)
    if club is None:
        raise _no_hold(decision.hold)
    with base.club(club) as driver:
        sql.lock_club(driver, club=club)
        members = [
            m["customer"] for m in sql.current_members(driver, club=club, hold=decision.hold)
        ]
        close(driver, club, decision, "rejected", at)
        kept = [c for c in members if c in set(decision.customers)]
        sql.reject_members(driver, club=club, customers=kept, until=at + REST)
        later = [c for c in members if c not in set(decision.customers)]
        sql.recheck_members(
            driver, club=club, customers=later, why="joined a hold after it was seen"
        )
        sql.touch_revision(driver, club=club)
    return {
        "hold": decision.hold,
        "club": club_id,
        "state": "rejected",
        "by": decision.by,
        "kept": len(kept),
        "still_held": len(later),
    }


def newest_snapshot(driver: Driver, club: int) -> int | None:
    """The last snapshot that was loaded; a decision is carried out on it."""
    return queries().newest_snapshot(driver, club=club)
