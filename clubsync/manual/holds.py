"""R15: a hold is decided by a person, on the exact list that they saw; the first decision wins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import clock
from clubsync.diff import guard
from clubsync.errors import ActionRejected
from clubsync.load.holds import update_hold
from clubsync.model import HELD, Decision
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.visible import visible

if TYPE_CHECKING:
    from clubsync.store.queries import (
        CurrentMembersRow,
        FindHoldRow,
        HoldsWithoutRequestRow,
        ObsoleteRequestsRow,
    )

#: How long a rejected deactivation is not held again, unless the ERP record changes.
REJECTION_PERIOD = timedelta(days=30)
#: Customers shown in an approval request; `clubsync holds CLUB` lists all.
LISTED_CUSTOMERS = 50
#: By this time after a decision, the run in which it was made has ended.
DECISION_GRACE = timedelta(minutes=1)
#: How often the run of an approval request is told to end, or is started again where it was lost.
REMINDER_INTERVAL = timedelta(minutes=10)


def decision_on(
    base: Base, hold: int, by: str, list_hash: str | None, comment: str | None
) -> tuple[str, Decision]:
    """A decision on the list that a person saw: the club's id, and the decision.

    :param list_hash: None: the list as it is now.
    :raises ActionRejected: no such hold, it never had that list, or it was already decided.
    """
    sql = queries()
    with base.reader() as driver:
        row = sql.find_hold(driver, hold=hold)
        if row is None:
            raise _no_hold(hold)
        if row["state"] != "open":
            raise _already_decided(row)
        wanted = list_hash or row["list_hash"]
        version = sql.hold_version_by_hash(driver, club=row["club"], hold=hold, list_hash=wanted)
        if version is None:
            raise _no_list(row, list_hash)
        members = sql.members_at(driver, club=row["club"], hold=hold, version=version["version"])
        customers = [member["customer"] for member in members]
    return row["club_id"], Decision(hold, wanted, customers, by, comment)


@dataclass(frozen=True)
class ApprovalRequest:
    """One version of a hold's list, as it is shown for approval: ids, counts and causes, never names (R19).

    :param newest: the version that the hold's list has now.
    :param members: customer, erp_id, reason and cause of each customer on the list.
    :param joined, left: how many customers joined and left since the list was last shown; None: it was not.
    """

    club_id: str
    club_no: int
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
    left: int | None

    @property
    def subject(self) -> str:
        return f"{self.club_name}: {_counted(self.losing, 'customer')} would lose access"

    @property
    def losing(self) -> int:
        """Those of the list who would lose access; the others are merged by an email."""
        return sum(bool(member["loses"]) for member in self.members)

    @property
    def obsolete(self) -> str | None:
        """Why this list needs no decision any more, in a sentence; None while it needs one."""
        if self.state == "emptied":
            return (
                f"Hold {self.hold} closed itself: none of its customers would lose access any more."
            )
        if self.state != "open":
            return f"Hold {self.hold} was {self.state} by {self.decided_by}."
        if self.version != self.newest:
            return (
                f"The list of hold {self.hold} has changed: the newest is shown within two minutes."
            )
        return None

    @property
    def vanished(self) -> str | None:
        """What the numbers suggest to check first."""
        gone = sum(member["loses"] and member["reason"] == "gone" for member in self.members)
        return guard.vanished(gone, self.customers)

    def markdown(self, link: str | None = None) -> str:
        """What a person needs for the decision, with up to 50 customers by ERP id.

        :param link: the hold's page.
        """
        causes = Counter(member["cause"] for member in self.members)
        lines = [
            f"The sync of **{_plain(self.club_name)}** (`{self.club_id}`) would deactivate "
            f"**{self.losing} of {self.customers}** customers. The automatic limit is {self.limit} "
            "per 24 hours. Until somebody decides, these customers keep their access; everything else "
            "was synced.",
            "",
            *((f"**{_sentence(self.vanished)}**", "") if self.vanished else ()),
            *self._merges(),
            *(f"* {_plain(cause)}: {n}" for cause, n in causes.most_common()),
            "",
        ]
        if self.joined is not None:
            lines += [
                f"**The list has changed** since it was last shown: {_counted(self.joined, 'customer')} joined it, "
                f"{self.left} left it. Decide on this list: a decision on the earlier one that has no effect yet was "
                "not carried out.",
                "",
            ]
        lines += [
            "**Approve** deactivates the customers on this list who are still not eligible in the latest "
            "sync, and nobody else. **Reject** keeps their access, and does not ask again for 30 days or "
            "until their ERP record changes. What to check first: `docs/runbooks/held-deactivations.md`.",
            "",
            *((f"[All customers of the list, by name]({link})", "") if link else ()),
            "| ERP id | customer | cause |",
            "|---|---|---|",
            *(
                f"| {_plain(m['erp_id'])} | {m['customer']} | {_plain(m['cause'])} |"
                for m in self.members[:LISTED_CUSTOMERS]
            ),
        ]
        if len(self.members) > LISTED_CUSTOMERS:
            more = len(self.members) - LISTED_CUSTOMERS
            lines.append(f"\n{more} more: `clubsync holds {self.club_id}`.")
        lines += [
            "",
            f"Hold {self.hold}, list {self.version} of {self.made_at:%d %B, %H:%M} UTC, "
            f"`{self.list_hash}`; open since {self.opened_at:%d %B, %H:%M} UTC.",
        ]
        return "\n".join(lines)

    def _merges(self) -> list[str]:
        """What is said of members who would be merged and lose no access."""
        merged = len(self.members) - self.losing
        if not merged:
            return []
        return [
            f"The list also has **{_counted(merged, 'merge')}** found through an email: nobody loses access by a "
            "merge, but the customer would move to another ERP record.",
            "",
        ]

    def mark_shown(self, base: Base, run_id: str) -> None:
        """Record that a run shows this list for approval."""
        with base.club(self.club_no) as driver:
            queries().mark_hold_requested(
                driver,
                club=self.club_no,
                club_id=self.club_id,
                hold=self.hold,
                version=self.version,
                run_id=run_id,
                at=clock.now(),
            )


def run_of(club_id: str, hold: int, version: int) -> str:
    """The run of Airflow that shows a list of a hold for approval."""
    return f"{club_id}-hold-{hold}-list-{version}"


def unasked(base: Base) -> list[HoldsWithoutRequestRow]:
    """Open holds that have no approval request. Call `claim` with each before its run is started."""
    with base.reader() as driver:
        return list(queries().holds_without_request(driver))


def claim(base: Base, row: HoldsWithoutRequestRow) -> str:
    """Record that a hold's newest list is about to be shown, so that no other one is; the run that will show it."""
    run_id = run_of(row["club_id"], row["hold"], row["version"])
    with base.club(row["club"]) as driver:
        queries().claim_request(
            driver,
            club=row["club"],
            club_id=row["club_id"],
            run_id=run_id,
            hold=row["hold"],
            version=row["version"],
            plan=None,
            at=clock.now(),
        )
    return run_id


def obsolete_requests(base: Base) -> list[ObsoleteRequestsRow]:
    """Approval requests whose list has changed or needs no decision any more, and those whose run was lost.

    Each is returned once in ten minutes, until `close_request`; the caller starts their runs again.
    """
    sql, now = queries(), clock.now()
    with base.reader() as driver:
        rows = list(
            sql.obsolete_requests(
                driver, decided_before=now - DECISION_GRACE, told_before=now - REMINDER_INTERVAL
            )
        )
    for row in rows:
        with base.club(row["club"]) as driver:
            sql.mark_request_notified(driver, club=row["club"], run_id=row["run_id"], at=now)
    return rows


def outdated(base: Base, run_id: str) -> bool:
    """Whether what a run has shown for approval is not what is to be decided now: another list, or nothing."""
    with base.reader() as driver:
        row = queries().request_of_run(driver, run_id=run_id)
    return row is None or not row["newest"]


def shown_since(base: Base, run_id: str) -> timedelta | None:
    """How long a run has shown what it shows for approval; None: it shows nothing."""
    with base.reader() as driver:
        row = queries().request_of_run(driver, run_id=run_id)
    return None if row is None else clock.now() - row["asked_at"]


def close_request(base: Base, run_id: str) -> None:
    """Record that a run shows nothing for approval any more. What still awaits a decision is shown by another run."""
    with base.reader() as driver:
        row = queries().request_of_run(driver, run_id=run_id)
    if row is not None:
        with base.club(row["club"]) as driver:
            queries().delete_request(driver, club=row["club"], run_id=run_id)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


#: ASCII punctuation: what Markdown may take for markup, a link or an image, unless a backslash precedes it.
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def _sentence(text: str) -> str:
    return _plain(f"{text[0].upper()}{text[1:]}.")


def _plain(text: str | None) -> str:
    """Text in Markdown as it is, in a table too: an ERP's names may contain anything (R19)."""
    return _PUNCTUATION.sub(r"\\\1", visible(text or ""))


def approval_request(base: Base, hold: int, number: int | None = None) -> ApprovalRequest:
    """One version of a hold's list, to be shown for approval.

    :param number: the version of the list; None: the newest.
    :raises ActionRejected: there is no such hold, or it never had that list.
    """
    sql = queries()
    with base.reader() as driver:
        row = sql.find_hold(driver, hold=hold)
        if row is None:
            raise _no_hold(hold)
        club_no = row["club"]
        wanted = number or row["version"]
        version = sql.hold_version_by_number(driver, club=club_no, hold=hold, version=wanted)
        if version is None:
            raise _no_list(row, str(wanted))
        members = list(sql.members_at(driver, club=club_no, hold=hold, version=wanted))
        last = sql.shown_before(driver, club=club_no, hold=hold, version=wanted)
        before = list(sql.members_at(driver, club=club_no, hold=hold, version=last)) if last else []
        name = sql.club_row(driver, club=club_no)["name"]
        customers = sql.customers_in_group(driver, club=club_no)
    listed, listed_before = ({member["customer"] for member in each} for each in (members, before))
    return ApprovalRequest(
        club_id=row["club_id"],
        club_no=club_no,
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
        joined=len(listed - listed_before) if last else None,
        left=len(listed_before - listed) if last else None,
    )


def _no_hold(hold: int) -> ActionRejected:
    return ActionRejected(f"There is no hold {hold}.", remedy="`clubsync holds` lists them.")


def _no_list(row: FindHoldRow, name: str | None) -> ActionRejected:
    return ActionRejected(
        f"Hold {row['hold']} never had a list {name}.",
        remedy=f"`clubsync holds {row['club_id']}` shows the current list and its hash.",
    )


def _already_decided(row: FindHoldRow) -> ActionRejected:
    if row["state"] == "emptied":
        return ActionRejected(
            f"Hold {row['hold']} closed itself: none of its customers would lose access any more.",
            remedy="No decision is needed.",
        )
    return ActionRejected(
        f"Hold {row['hold']} was {'approved' if row['state'] == 'approved' else 'rejected'} by "
        f"{row['decided_by']} on {row['decided_at']:%Y-%m-%d %H:%M} UTC.",
        remedy="The first decision wins; deactivations that became due later are in a hold of their own.",
    )


def close(driver: Driver, club_no: int, decision: Decision, state: str, at: datetime) -> None:
    """Record a decision.

    :raises ActionRejected: somebody else decided first.
    """
    sql = queries()
    changed = sql.decide_hold(
        driver,
        club=club_no,
        hold=decision.hold,
        state=state,
        at=at,
        by=decision.by,
        list_hash=decision.list_hash,
        comment=decision.comment,
    )
    if not changed:
        row = sql.find_hold(driver, hold=decision.hold)
        raise _already_decided(row) if row else _no_hold(decision.hold)


def reject(base: Base, club_id: str, decision: Decision) -> dict[str, Any]:
    """Keep the customers of the seen list; whoever joined later stays held, in a hold of their own.

    :raises ActionRejected: somebody else decided first.
    """
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        club_no = sql.find_club(driver, club_id=club_id)
    if club_no is None:
        raise _no_hold(decision.hold)
    with base.club(club_no) as driver:
        sql.lock_club(driver, club=club_no)
        seen = set(decision.customers)
        members = list(sql.current_members(driver, club=club_no, hold=decision.hold))
        close(driver, club_no, decision, "rejected", at)
        kept = [m["customer"] for m in members if m["customer"] in seen]
        _keep(driver, club_no, decision, kept, at)
        later = [m for m in members if m["customer"] not in seen]
        again = _hold_later(driver, club_no, decision.hold, later, at)
        sql.touch_revision(driver, club=club_no)
    return {
        "hold": decision.hold,
        "club": club_id,
        "state": "rejected",
        "by": decision.by,
        "kept": len(kept),
        "still_held": len(later),
        "new_hold": again,
    }


def _keep(
    driver: Driver, club_no: int, decision: Decision, members: list[int], at: datetime
) -> None:
    """Keep the people of the seen list for a time.

    Who dropped out since it was seen is kept as their record was then: where it has changed since, that is no
    decision about it.

    :param members: those of them who are on the current list.
    """
    sql, until = queries(), at + REJECTION_PERIOD
    sql.reject_members(driver, club=club_no, customers=members, until=until)
    dropped = sorted(set(decision.customers) - set(members))
    sql.reject_former_members(
        driver, club=club_no, hold=decision.hold, customers=dropped, until=until
    )


def _hold_later(
    driver: Driver, club_no: int, hold: int, later: Sequence[CurrentMembersRow], at: datetime
) -> int | None:
    """Open a hold for members who were not on the list that was decided; its number, or None for nobody.

    :param hold: the decided one.
    """
    if not later:
        return None
    frame = pl.DataFrame(
        [{**row} for row in later], schema={**HELD, "row_hash": pl.Int64}
    ).with_columns(pl.col("row_hash").reinterpret(signed=False))
    row = queries().find_hold(driver, hold=hold)
    assert row is not None  # it was decided just now
    opened = update_hold(driver, club_no, row["run"], frame.cast(HELD), at, row["limit_was"])
    assert opened is not None
    return int(opened["hold"])


def newest_snapshot(driver: Driver, club_no: int) -> int | None:
    """The last snapshot that was loaded; a decision is carried out on it."""
    return queries().newest_snapshot(driver, club=club_no)
