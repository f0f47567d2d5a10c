"""How old a club's base may be (R25), what is said when it is older, and how long a failing club is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.config import ClubConfig, Config
from clubsync.store.database import Base, queries

if TYPE_CHECKING:
    from clubsync.store.queries import UnreportedIncidentsRow

#: Kinds of broken promises, the one that says most first.
LATE, INCOMPLETE, OLD_DATA = "late", "incomplete", "old data"
KINDS = (LATE, INCOMPLETE, OLD_DATA)

_BROKEN = {
    LATE: "has not been read",
    INCOMPLETE: "has had no complete reading",
    OLD_DATA: "has sent no newer data",
}
_KEPT = {
    LATE: "is read again",
    INCOMPLETE: "has a complete reading again",
    OLD_DATA: "sends new data again",
}
#: Clubs named in one message; the rest are counted.
NAMED = 20


@dataclass(frozen=True)
class Freshness:
    """One club's readings and what was promised of them.

    :param read_at: when it was last read with success.
    :param certified_at: when a complete reading (R14) was last made.
    :param data_as_of: the moment that this reading tells of; of a file, when it was written.
    :param broken: kind -> since when that has been so (None: for ever).
    """

    club: ClubConfig
    read_at: datetime | None
    certified_at: datetime | None
    data_as_of: datetime | None
    broken: Mapping[str, datetime | None]


def judge(club: ClubConfig, state: Mapping[str, Any], at: datetime) -> Freshness:
    """Measure a club against its promises.

    :param state: a row of `club_freshness`.
    """
    told = {
        LATE: (state["last_success_at"], club.promised.read),
        INCOMPLETE: (state["certified_at"], club.promised.complete),
        OLD_DATA: (state["certified_as_of"], club.promised.data),
    }
    # a new club has as long as an old one to keep its promise
    born = state["created_at"]
    broken = {
        kind: last
        for kind, (last, promised) in told.items()
        if promised is not None and at - (last or born) > promised
    }
    return Freshness(
        club, state["last_success_at"], state["certified_at"], state["certified_as_of"], broken
    )


def of_all(base: Base, config: Config, at: datetime | None = None) -> list[Freshness]:
    """All clubs that are read at all: neither paused nor waiting for a person's go."""
    moment = at or clock.now()
    with base.reader() as driver:
        states = {row["club_id"]: row for row in queries().club_freshness(driver)}
    return [
        judge(club, states[club.id], moment)
        for club in config.clubs
        if club.id in states and not states[club.id]["paused"]
    ]


@dataclass(frozen=True)
class Message:
    """What is told of incidents that began, or that ended.

    :param incidents: (club's number, incident) of each; `told` takes them.
    """

    title: str
    body: str
    mended: bool
    incidents: tuple[tuple[int, int], ...]


def watch(base: Base, config: Config) -> list[Message]:
    """Open an incident for each promise that is newly broken, close those that are kept again.

    :returns: what has not been told yet: at most one message of incidents that began, one of those
        that ended. Give each to `told` once it is on its way.
    """
    at, sql = clock.now(), queries()
    found = {fresh.club.id: fresh for fresh in of_all(base, config, at)}
    with base.reader() as driver:
        numbers = {row["club_id"]: row["club"] for row in sql.club_numbers(driver)}
        open_now: dict[int, set[str]] = {}
        for row in sql.open_incidents(driver):
            open_now.setdefault(row["club"], set()).add(row["kind"])
    for club_id, number in numbers.items():
        # a club that is paused or gone from clubs.yaml has promised nothing
        broken = found[club_id].broken if club_id in found else {}
        was = open_now.get(number, set())
        if was == set(broken):
            continue
        with base.club(number) as driver:
            for kind in sorted(set(broken) - was):
                sql.open_incident(driver, club=number, kind=kind, since=broken[kind], at=at)
            for kind in sorted(was - set(broken)):
                sql.resolve_incident(driver, club=number, kind=kind, at=at)
    with base.reader() as driver:
        rows = list(sql.unreported_incidents(driver))
    names = {club.id: club.name for club in config.clubs}
    began = [row for row in rows if row["mended_at"] is None]
    ended = [row for row in rows if row["mended_at"] is not None]
    return [
        _message(part, names, mended) for part, mended in ((began, False), (ended, True)) if part
    ]


def _message(rows: list[UnreportedIncidentsRow], names: Mapping[str, str], mended: bool) -> Message:
    """One message of any number of incidents; of a club that has several, the one that says most."""
    by_club: dict[str, list[UnreportedIncidentsRow]] = {}
    for row in rows:
        by_club.setdefault(row["club_id"], []).append(row)
    lines = []
    for club_id, theirs in by_club.items():
        row = min(theirs, key=lambda one: KINDS.index(one["kind"]))
        name = names.get(club_id, club_id)
        if row["mended_at"] is not None:
            lasted = _words(row["mended_at"] - row["opened_at"])
            lines.append(f"{name} ({club_id}) {_KEPT[row['kind']]}, after {lasted}.")
        else:
            since = f"since {row['since']:%d %B, %H:%M} UTC" if row["since"] else "so far"
            cause = f" {row['last_error']}" if row["last_error"] else ""
            lines.append(f"{name} ({club_id}) {_BROKEN[row['kind']]} {since}.{cause}")
    more = len(lines) - NAMED
    if more > 0:
        lines[NAMED:] = [f"And {more} more."]
    count = f"{len(by_club)} club{'s' if len(by_club) != 1 else ''}"
    title = f"clubsync: {count} fresh again" if mended else f"clubsync: {count} not fresh"
    return Message(
        title, "\n".join(lines), mended, tuple((row["club"], row["incident"]) for row in rows)
    )


def told(base: Base, message: Message) -> None:
    """Write down that it was sent: one message per incident, once each way."""
    at, sql = clock.now(), queries()
    for number, incident in message.incidents:
        with base.club(number) as driver:
            sql.mark_incident_reported(
                driver, club=number, incident=incident, mended=message.mended, at=at
            )


def counted(fresh: Iterable[Freshness]) -> dict[str, int]:
    """How many clubs keep their promises, and how many break which one."""
    counts = dict.fromkeys(("fresh", *KINDS), 0)
    for one in fresh:
        if not one.broken:
            counts["fresh"] += 1
        for kind in one.broken:
            counts[kind] += 1
    return counts


def _words(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
