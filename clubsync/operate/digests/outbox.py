"""When digests are made and sent, and what became of them (R31)."""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from clubsync import clock
from clubsync.config import ClubConfig, Config, Contact
from clubsync.errors import SyncError, place_of
from clubsync.explain.export import write_csv, write_xlsx
from clubsync.operate.digests import content, letter, mail, services
from clubsync.operate.digests.delivery import Outcome, address_hash
from clubsync.operate.digests.letter import Attachment, Letter
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.base import Connection
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.store.queries import BeginDigestRow, DigestStatesRow

log = logging.getLogger(__name__)

Resolve = Callable[[str], Connection]
#: Seconds after which `send_due` begins no other digest: what is left comes a minute later.
BUDGET = 20.0
#: Attempts of which nobody knows whether they arrived, until a digest is given up.
MOST_UNCERTAIN = 2
#: Failed attempts from which on somebody is told.
PATIENCE = 4
_LONGEST_PAUSE = timedelta(hours=1)
#: Larger lists are not attached: mail servers take 10 MB, and base64 makes a third more.
LARGEST = 5_000_000
_TYPES = {
    "csv": ("text/csv", write_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
}


@dataclass(frozen=True)
class Sent:
    """What became of a club's digest of today.

    :param state: `unchanged`, `pending` (it is tried again), `sent`, `unconfirmed`, `dropped`, or `waiting`: another
        process is sending it.
    """

    club: str
    state: str
    at: datetime | None = None
    problem: str | None = None
    remedy: str | None = None


def page_of(base_url: str, club: ClubConfig) -> str | None:
    """The address of the page with the club's list; None: nobody has said where the pages are.

    :param base_url: of Airflow, as its `[api] base_url` says.
    """
    root = base_url.strip().rstrip("/")
    return f"{root}/plugin/clubs/clubsync/pages/clubs/{club.id}/findings" if root else None


def send_due(base: Base, config: Config, resolve: Resolve, base_url: str) -> list[Sent]:
    """Make and send the digests that are due; what fails is tried again. For `upkeep`, every minute.

    A digest that cannot be sent stops neither the others nor anything else.

    :param resolve: finds connections.
    :param base_url: of Airflow, for links.
    """
    clubs = {club.id: club for club in config.clubs}
    with base.reader() as driver:
        if not any(club.contact for club in config.clubs) and not queries().any_digest(driver):
            return []
        states = list(queries().digest_states(driver))
    until, done = time.monotonic() + BUDGET, list[Sent]()
    for state in states:
        club = clubs.get(state["club_id"])
        if club is None or club.contact is None:
            if state["day"] is not None:
                with base.club(state["club"]) as driver:
                    queries().forget_digests(driver, club=state["club"])
            continue
        if state["silent"] or time.monotonic() > until:
            continue
        try:
            digest = _due(base, state, club, clock.now())
            if digest is not None:
                done.append(_send(base, state["club"], club, digest, resolve, base_url))
        except Exception as error:
            log.error("%s: the digest was not sent: %s", club.id, place_of(error))
    return done


def send_now(base: Base, club_no: int, club: ClubConfig, resolve: Resolve, base_url: str) -> Sent:
    """Make and send today's digest whatever the hour, unless there was one today.

    :raises SyncError: the club names no contact.
    """
    day = _today(club, clock.now())
    _contact(club)
    if not club_no:
        return Sent(club.id, "unchanged")
    with base.club(club_no) as driver:
        known = queries().digest_of_day(driver, club=club_no, day=day)
    if known is not None and known["state"] == "unchanged":
        # it was looked at, and nothing was sent: something may have changed since
        with base.club(club_no) as driver:
            queries().delete_unchanged_day(driver, club=club_no, day=day)
        known = None
    if known is None:
        number = _make(base, club_no, day, clock.now())
        if number is None:
            return Sent(club.id, "unchanged")
    elif known["state"] == "pending":
        number = known["digest"]
    else:
        return Sent(club.id, known["state"], known["sent_at"], known["problem"], known["remedy"])
    return _send(base, club_no, club, number, resolve, base_url)


class _Undone(Exception):
    """Ends the transaction of a preview."""


def preview(base: Base, club_no: int, club: ClubConfig, base_url: str) -> Letter | None:
    """The digest that would be sent now; None: nothing has changed. Nothing is stored.

    :param club_no: 0: it was never synced.
    """
    written: Letter | None = None
    if not club_no:
        return None
    try:
        with base.club(club_no) as driver:
            number = _made(driver, club_no, date.min, clock.now())
            if number is not None:
                written = _written(driver, club_no, club, number, base_url)
            raise _Undone
    except _Undone:
        return written


def _contact(club: ClubConfig) -> Contact:
    if club.contact is None:
        raise SyncError(
            f"{club.name} names no contact for digests.",
            remedy="Set `contact: {to: […]}` of the club in clubs.yaml.",
        )
    return club.contact


def _today(club: ClubConfig, now: datetime) -> date:
    return now.astimezone(club.zone).date()


def _due(base: Base, state: DigestStatesRow, club: ClubConfig, now: datetime) -> int | None:
    """The digest of a club that is to be sent now, made if its time has come; None: there is none."""
    local, contact = now.astimezone(club.zone), _contact(club)
    looked = state["day"] is not None and state["day"] >= local.date()
    if not looked and local.time() >= contact.time_of_day:
        return _make(base, state["club"], local.date(), now)
    if state["pending"] is None or (
        state["tried_at"] is not None and now < state["tried_at"] + _pause(state["attempts"] or 0)
    ):
        return None
    return state["pending"]


def _pause(attempts: int) -> timedelta:
    """Before the next attempt: 1, 2, 4, … minutes, at most an hour."""
    return min(timedelta(minutes=2 ** min(max(attempts - 1, 0), 10)), _LONGEST_PAUSE)


def _make(base: Base, club_no: int, day: date, now: datetime) -> int | None:
    with base.club(club_no) as driver:
        return _made(driver, club_no, day, now)


def _made(driver: Driver, club_no: int, day: date, now: datetime) -> int | None:
    """Look at what changed since the last digest that was sent; the number of the new one, None: nothing has.

    A day is looked at once, whoever does it.
    """
    sql = queries()
    number = sql.add_digest(
        driver, club=club_no, day=day, message_id=f"digest-{secrets.token_hex(12)}", at=now
    )
    if number is None:
        return None
    sql.end_older_digests(driver, club=club_no, at=now)
    sql.add_digest_items(driver, club=club_no, digest=number)
    changed = bool(sql.settle_digest(driver, club=club_no, digest=number))
    sql.delete_unsent_items(driver, club=club_no)
    return number if changed else None


def _send(
    base: Base, club_no: int, club: ClubConfig, digest: int, resolve: Resolve, base_url: str
) -> Sent:
    """One attempt. Only one process at a time makes one; who is killed lets go."""
    with base.try_sender(club_no) as alone:
        if not alone:
            return Sent(club.id, "waiting")
        with base.club(club_no) as driver:
            begun = queries().begin_digest(driver, club=club_no, digest=digest, at=clock.now())
        if begun is None:
            return Sent(club.id, "sent")
        return _attempt(base, club_no, club, digest, begun, resolve, base_url)


def _attempt(
    base: Base,
    club_no: int,
    club: ClubConfig,
    digest: int,
    begun: BeginDigestRow,
    resolve: Resolve,
    base_url: str,
) -> Sent:
    had = frozenset(begun["delivered"]) | frozenset(begun["refused"])
    if begun["uncertain"] >= MOST_UNCERTAIN:
        lost = message("Nobody knows whether the digest arrived: tomorrow's tells it all again.")
        outcome, given_up = Outcome(problem=lost, lasting=True), True
    else:
        try:
            outcome = _delivered(base, club_no, club, digest, begun, had, resolve, base_url)
        except SyncError as error:
            outcome = Outcome(problem=error.what, remedy=error.remedy, lasting=True)
        except Exception as error:
            log.error("%s: internal error in the digest: %s", club.id, place_of(error))
            outcome = Outcome(problem=message("Internal error while making the digest."))
        given_up = outcome.uncertain and begun["uncertain"] + 1 >= MOST_UNCERTAIN
    delivered = frozenset(begun["delivered"]) | outcome.delivered
    refused = frozenset(begun["refused"]) | outcome.refused
    state = _state(_contact(club), outcome, delivered, refused, given_up)
    at = clock.now()
    with base.club(club_no) as driver:
        queries().end_digest(
            driver,
            club=club_no,
            digest=digest,
            state=state,
            at=at,
            uncertain=outcome.uncertain,
            delivered=sorted(delivered),
            refused=sorted(refused),
            problem=outcome.problem,
            remedy=outcome.remedy,
            alarming=outcome.problem is not None
            and (outcome.lasting or given_up or begun["attempts"] >= PATIENCE),
        )
        queries().delete_unsent_items(driver, club=club_no)
        if outcome.delivered or outcome.uncertain:
            _record(driver, club_no, club, digest, at)
    return Sent(club.id, state, at if state == "sent" else None, outcome.problem, outcome.remedy)


def _record(driver: Driver, club_no: int, club: ClubConfig, digest: int, at: datetime) -> None:
    """Write into the club's activity that a digest was sent, and whether it showed personal data."""
    contact = _contact(club)
    shown = {"digest": digest, "names": contact.names, "attach": contact.attach}
    act = queries().add_action(
        driver,
        club=club_no,
        at=at,
        actor="clubsync",
        kind="digest",
        detail=json.dumps(shown),
        people=[],
    )
    queries().end_action(driver, club=club_no, act=act, outcome="done", told=None, detail="{}")


def _state(
    contact: Contact,
    outcome: Outcome,
    delivered: frozenset[str],
    refused: frozenset[str],
    given_up: bool,
) -> str:
    if given_up:
        return "unconfirmed"
    if outcome.problem is None:
        return "sent"
    wanted = frozenset(map(address_hash, contact.to))
    if wanted and wanted <= delivered | refused:
        # all that can have it have it
        return "sent" if delivered & wanted else "dropped"
    return "pending"


def _delivered(
    base: Base,
    club_no: int,
    club: ClubConfig,
    digest: int,
    begun: BeginDigestRow,
    had: frozenset[str],
    resolve: Resolve,
    base_url: str,
) -> Outcome:
    """Write the digest and hand it over to whoever does not have it."""
    contact = _contact(club)
    connection = resolve(contact.via)
    with base.club(club_no) as driver:
        written = _written(driver, club_no, club, digest, base_url)
    if services.is_apprise(connection):
        return services.notify(connection, written, had)
    if not contact.to:
        raise SyncError(
            f"The contact of {club.name} has no address.",
            remedy="Set `to` of its contact in clubs.yaml, or name a connection of type Apprise.",
        )
    sender = mail.sender_of(connection)
    composed = mail.compose(written, sender, contact.to, begun["message_id"], begun["made_at"])
    return mail.post(connection, composed, _without(contact.to, had))


def _without(addresses: Sequence[str], had: frozenset[str]) -> list[str]:
    return [one for one in dict.fromkeys(addresses) if address_hash(one) not in had]


def _written(driver: Driver, club_no: int, club: ClubConfig, digest: int, base_url: str) -> Letter:
    contact = club.contact or Contact()
    told = content.read(driver, club_no, club, digest)
    attachment = None
    if contact.attach in _TYPES:
        attachment = _attachment(driver, club_no, club, contact.attach)
    too_large = attachment is not None and len(attachment.content) > LARGEST
    return letter.write(
        club,
        told,
        link=None if contact.attach == "nothing" else page_of(base_url, club),
        attachment=None if too_large else attachment,
        too_large=too_large,
    )


def _attachment(driver: Driver, club_no: int, club: ClubConfig, kind: str) -> Attachment:
    media_type, write = _TYPES[kind]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        write(path, driver, club_no, club)
        return Attachment(f"{club.id}.{kind}", media_type, path.read_bytes())
