"""How old a club's data may be (R25), and the alerts when it is older."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.chains import Chain, chains
from clubsync.config import ClubConfig, Config
from clubsync.explain.standing import INCOMPLETE, LATE, OLD_DATA, broken_promises
from clubsync.store.database import Base, queries

if TYPE_CHECKING:
    from clubsync.store.queries import UnreportedIncidentsRow

KINDS = (LATE, INCOMPLETE, OLD_DATA)
#: The kind of incident that is no promise of freshness: the club's digest cannot be sent (R31).
DIGEST = "digest"

_BROKEN = {
    LATE: "has not been read",
    INCOMPLETE: "has had no complete read",
    OLD_DATA: "has sent no newer data",
}
_KEPT = {
    LATE: "recovered",
    INCOMPLETE: "has complete data again",
    OLD_DATA: "sends new data again",
}
#: Clubs listed in one message; the others are counted.
NAMED = 20


@dataclass(frozen=True)
class Freshness:
    """A club's last reads, and the promises that they break.

    :param read_at: the last successful read.
    :param certified_at: the last complete read (R14).
    :param data_as_of: the age of its data; of a file, when it was written.
    :param broken: kind of promise -> since when it is broken (None: it was never kept).
    """

    club: ClubConfig
    read_at: datetime | None
    certified_at: datetime | None
    data_as_of: datetime | None
    broken: Mapping[str, datetime | None]


def evaluate(club: ClubConfig, state: Mapping[str, Any], at: datetime) -> Freshness:
    """Compare a club with its promises.

    :param state: the club's row of `club_freshness`.
    """
    broken = broken_promises(club, state, at)
    return Freshness(
        club, state["last_success_at"], state["certified_at"], state["certified_as_of"], broken
    )


def of_all(base: Base, config: Config, at: datetime | None = None) -> list[Freshness]:
    """The freshness of every club that is not paused."""
    moment = at or clock.now()
    with base.reader() as driver:
        states = {row["club_id"]: row for row in queries().club_freshness(driver)}
    return [
        evaluate(club, states[club.id], moment)
        for club in config.clubs
        if club.id in states and not states[club.id]["paused"]
    ]


@dataclass(frozen=True)
class Message:
    """An alert about incidents that started, or about incidents that ended.

    :param fixed: whether they ended.
    :param incidents: number of the club and incident, for `mark_sent`.
    """

    title: str
    body: str
    fixed: bool
    incidents: tuple[tuple[int, int], ...]


def watch(base: Base, config: Config) -> list[Message]:
    """Open an incident for each newly broken promise, and close those of promises that are kept again.

    :returns: alerts that were not sent yet: at most one about incidents that started, and one about those
        that ended; and the same of digests (R31). Call `mark_sent` with each of them once it is sent.
    """
    at, sql = clock.now(), queries()
    found = {fresh.club.id: fresh for fresh in of_all(base, config, at)}
    with base.reader() as driver:
        numbers = {row["club_id"]: row["club"] for row in sql.club_numbers(driver)}
        unsent = {row["club_id"]: row["since"] for row in sql.digest_troubles(driver)}
        open_now: dict[int, set[str]] = {}
        for row in sql.open_incidents(driver):
            open_now.setdefault(row["club"], set()).add(row["kind"])
    for club_id, club_no in numbers.items():
        # a club that is paused or no longer in clubs.yaml promises nothing
        broken = dict(found[club_id].broken) if club_id in found else {}
        if club_id in found and club_id in unsent:
            broken[DIGEST] = unsent[club_id]
        was = open_now.get(club_no, set())
        if was == set(broken):
            continue
        with base.club(club_no) as driver:
            for kind in sorted(set(broken) - was):
                sql.open_incident(driver, club=club_no, kind=kind, since=broken[kind], at=at)
            for kind in sorted(was - set(broken)):
                sql.resolve_incident(driver, club=club_no, kind=kind, at=at)
    with base.reader() as driver:
        rows = list(sql.unreported_incidents(driver))
        problems = {row["club_id"]: row["problem"] for row in sql.digest_troubles(driver)}
    of_digests = [row for row in rows if row["kind"] == DIGEST]
    rows = [row for row in rows if row["kind"] != DIGEST]
    started = [row for row in rows if row["mended_at"] is None]
    ended = [row for row in rows if row["mended_at"] is not None]
    return [
        *(
            _message(some, config, fixed)
            for some, fixed in ((started, False), (ended, True))
            if some
        ),
        *_of_digests(of_digests, config, problems),
    ]


def _of_digests(
    rows: list[UnreportedIncidentsRow], config: Config, problems: Mapping[str, str]
) -> Iterator[Message]:
    """R31: one message about digests that cannot be sent, and one about those that are sent again."""
    names = {club.id: club.name for club in config.clubs}
    for fixed in (False, True):
        theirs = [row for row in rows if (row["mended_at"] is not None) == fixed]
        if not theirs:
            continue
        lines = [
            f"{names.get(row['club_id'], row['club_id'])} ({row['club_id']}): "
            + ("digests are sent again." if fixed else problems.get(row["club_id"], "not sent."))
            for row in theirs
        ]
        if len(lines) > NAMED:
            lines[NAMED:] = [f"{len(lines) - NAMED} more."]
        count = f"{len(theirs)} club{'s' * (len(theirs) != 1)}"
        title = f"clubsync: digests of {count} " + ("sent again" if fixed else "not sent")
        told = tuple((row["club"], row["incident"]) for row in theirs)
        yield Message(title, "\n".join(lines), fixed, told)


def _message(rows: list[UnreportedIncidentsRow], config: Config, fixed: bool) -> Message:
    """One message for any number of incidents; of each club only the most important one, and of the clubs of a chain
    that have the same one a single line (R29)."""
    by_club: dict[str, list[UnreportedIncidentsRow]] = {}
    for row in rows:
        by_club.setdefault(row["club_id"], []).append(row)
    chained = chains(config.clubs)
    alike: dict[tuple[Any, ...], list[UnreportedIncidentsRow]] = {}
    for club_id, theirs in by_club.items():
        row = min(theirs, key=lambda one: KINDS.index(one["kind"]))
        chain = chained.get(club_id)
        same = (row["kind"], row["last_error"], row["mended_at"] is None)
        alike.setdefault((chain.key, *same) if chain else (club_id,), []).append(row)
    lines = []
    for together in alike.values():
        row, name = together[0], _named(together, config, chained)
        if row["mended_at"] is not None:
            lasted = _in_words(row["mended_at"] - row["opened_at"])
            lines.append(f"{name} {_KEPT[row['kind']]} after {lasted}.")
        else:
            since = f"since {row['since']:%d %B, %H:%M} UTC" if row["since"] else "so far"
            cause = f" {row['last_error']}" if row["last_error"] else ""
            lines.append(f"{name} {_BROKEN[row['kind']]} {since}.{cause}")
    more = len(lines) - NAMED
    if more > 0:
        lines[NAMED:] = [f"{more} more club{'s' * (more != 1)}."]
    count = f"{len(by_club)} club{'s' * (len(by_club) != 1)}"
    title = f"clubsync: {count} fresh again" if fixed else f"clubsync: {count} not fresh"
    return Message(
        title, "\n".join(lines), fixed, tuple((row["club"], row["incident"]) for row in rows)
    )


def _named(rows: list[UnreportedIncidentsRow], config: Config, chained: Mapping[str, Chain]) -> str:
    """A club by name and id; clubs of a chain together, by the name of their connection."""
    names = {club.id: club.name for club in config.clubs}
    ids = [row["club_id"] for row in rows]
    named = [f"{names.get(club, club)} ({club})" for club in ids]
    if len(ids) == 1:
        return named[0]
    listed = ", ".join(named[:NAMED]) + (", …" if len(named) > NAMED else "")
    return f"Each of {len(ids)} clubs of the chain {chained[ids[0]].name} ({listed})"


def mark_sent(base: Base, message: Message) -> None:
    """Record that an alert was sent, so that it is not sent again."""
    at, sql = clock.now(), queries()
    for club_no, incident in message.incidents:
        with base.club(club_no) as driver:
            sql.mark_incident_reported(
                driver, club=club_no, incident=incident, resolved=message.fixed, at=at
            )


def counted(fresh: Iterable[Freshness]) -> dict[str, int]:
    """How many clubs are fresh, and how many break each kind of promise."""
    counts = dict.fromkeys(("fresh", *KINDS), 0)
    for one in fresh:
        if not one.broken:
            counts["fresh"] += 1
        for kind in one.broken:
            counts[kind] += 1
    return counts


def _in_words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
