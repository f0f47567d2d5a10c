"""Delivering the feed to webhooks: in order per club, at least once, through every restart (R30).

| | |
|---|---|
| a lane | what a webhook has of one club: a cursor, and the message under way |
| a message | up to `max_events` events of one club; its id and its events are stored before it is sent |
| killed in between | the same message is sent again, under the same id |
| it fails | tried again, later and later; what follows in that club waits, other clubs and webhooks do not |
| it is given up | after `give_up_after`, at once at a 410: the club's lane stops until it is replayed |

A message that is sent again is read again: who was erased meanwhile is no longer in it (R20).
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from clubsync import clock
from clubsync.config import Config, WebhookConfig
from clubsync.errors import SyncError, place_of
from clubsync.feed import events
from clubsync.feed.cursor import Cursor
from clubsync.feed.post import Answer, Post
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError

if TYPE_CHECKING:
    from clubsync.store.queries import LaneRow

log = logging.getLogger(__name__)

Resolve = Callable[[str], Connection]

#: Seconds that one pass may take, if nothing hangs; the last message has its own time.
BUDGET = 45.0
#: Failures in a row after which a webhook waits for the next pass.
MOST_FAILURES = 3
#: Webhooks that are served at the same time.
AT_ONCE = 16
#: The pause after the first failure; it doubles with each.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)


@dataclass
class Delivered:
    """What one pass sent to a webhook.

    :param problem: why it could not be served, or the last failure.
    :param dead: clubs whose message was given up now.
    """

    webhook: str
    messages: int = 0
    events: int = 0
    failed: int = 0
    dead: list[str] = field(default_factory=list)
    problem: str | None = None


@dataclass(frozen=True)
class Message:
    """A message that is stored, as it is to be sent now.

    :param found: its events, without those that are gone since.
    """

    id: str
    made_at: datetime
    club: str
    found: tuple[events.Event, ...]
    upto: Cursor

    def body(self, webhook: WebhookConfig) -> str:
        """As JSON; with personal data only where the webhook is configured to have them (R21, R23)."""
        return _json(
            "clubsync.changes",
            self.made_at,
            {
                "club": self.club,
                "events": [event.document(values=webhook.values) for event in self.found],
                "next": str(self.upto),
            },
        )


def deliver(
    base: Base, config: Config, resolve: Resolve, *, budget: float = BUDGET
) -> list[Delivered]:
    """Send to every webhook what is due. Each has a thread, so that a slow one delays no other.

    :param budget: seconds.
    """
    if not config.webhooks:
        return []
    register(base, config)
    until = time.monotonic() + budget
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(config.webhooks))) as threads:
        served = [
            threads.submit(_served, base, config, webhook, resolve, until)
            for webhook in config.webhooks
        ]
        return [one.result() for one in served]


def register(base: Base, config: Config) -> int:
    """Webhooks that are new in clubs.yaml begin where the feed is now, or at its beginning; where it is."""
    head, at = events.number(base), clock.now()
    with base.transaction() as driver:
        for webhook in config.webhooks:
            start = head if webhook.start == "now" else 0
            queries().see_webhook(driver, webhook=webhook.id, start_position=start, at=at)
    return head


def _served(
    base: Base, config: Config, webhook: WebhookConfig, resolve: Resolve, until: float
) -> Delivered:
    """Serve one webhook; whatever goes wrong is its own problem."""
    done = Delivered(webhook.id)
    try:
        post = Post(webhook, resolve(webhook.connection))
        with base.one_sender(webhook.id) as is_alone:
            if is_alone():
                _serve(base, webhook, post, until, done, is_alone)
    except (SyncError, ConnectorError) as error:
        done.problem = str(error)
        log.error("Webhook %s: %s", webhook.id, error)
    except Exception as error:
        done.problem = f"Internal error ({type(error).__name__})."
        log.critical("Webhook %s: internal error: %s", webhook.id, place_of(error))
    return done


def _serve(
    base: Base,
    webhook: WebhookConfig,
    post: Post,
    until: float,
    done: Delivered,
    is_alone: Callable[[], bool],
) -> None:
    with base.reader() as driver:
        numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
        due = [
            row["club"]
            for row in queries().lanes_to_serve(driver, webhook=webhook.id, now=clock.now())
        ]
    wanted = {numbers[club] for club in webhook.clubs if club in numbers} if webhook.clubs else None
    failures = 0
    for club in due:
        if wanted is not None and club not in wanted:
            continue
        while time.monotonic() < until and is_alone():
            sent = _send_next(base, webhook, post, club, done)
            if sent is None:
                break
            failures = 0 if sent else failures + 1
            if not sent:
                break
        if failures >= MOST_FAILURES or time.monotonic() >= until:
            return


def _send_next(
    base: Base, webhook: WebhookConfig, post: Post, club: int, done: Delivered
) -> bool | None:
    """Send the next message of a lane: whether it was delivered; None: there is none that is due."""
    for message in _messages(base, webhook, club):
        answer = post.send(message.id, clock.now(), message.body(webhook))
        _note(base, webhook, club, message, answer, done)
        return answer.problem is None
    return None


def _messages(base: Base, webhook: WebhookConfig, club: int) -> Iterator[Message]:
    """The message that is under way, or the next one, stored."""
    sql = queries()
    while True:
        with base.club(club) as driver:
            sql.open_lane(driver, club=club, webhook=webhook.id)
            lane = sql.lane(driver, club=club, webhook=webhook.id)
            if lane["dead_at"] is not None:
                return
            if lane["message"] is not None:
                if lane["next_try_at"] is not None and lane["next_try_at"] > clock.now():
                    return
                found = _stored(driver, webhook, lane)
                if found is None:
                    _pass(driver, lane, _upto(lane), more=True)
            else:
                found = _made(driver, webhook, lane)
            passed = sql.lane(driver, club=club, webhook=webhook.id)
        if found is not None:
            yield found
            return
        if not passed["more"]:
            return


def _stored(driver: Driver, webhook: WebhookConfig, lane: LaneRow) -> Message | None:
    """The message under way, without what is gone since; None: nothing of it is left."""
    upto = _upto(lane)
    page = events.read(
        driver,
        _after(lane),
        club=lane["club"],
        kinds=lane["kinds"],
        values=webhook.values,
        limit=lane["events"] or 1,
    )
    left = tuple(event for event in page.events if event.cursor <= upto)
    if not left:
        return None
    assert lane["message"] is not None  # the caller has looked
    assert lane["made_at"] is not None  # stored together
    return Message(lane["message"], lane["made_at"], left[0].club, left, upto)


def _made(driver: Driver, webhook: WebhookConfig, lane: LaneRow) -> Message | None:
    """The next message, stored; None: nothing is wanted of what was looked at."""
    kinds = list(webhook.kinds) or None
    page = events.read(
        driver,
        _after(lane),
        club=lane["club"],
        kinds=kinds,
        values=webhook.values,
        limit=webhook.max_events,
    )
    if not page.events:
        _pass(driver, lane, page.next, more=page.more)
        return None
    message_id, at = f"msg_{secrets.token_hex(16)}", clock.now()
    queries().store_message(
        driver,
        club=lane["club"],
        webhook=webhook.id,
        message=message_id,
        at=at,
        position=page.next.position,
        change=page.next.change,
        mark=page.next.mark,
        more=page.more,
        kinds=kinds,
        events=len(page.events),
    )
    return Message(message_id, at, page.events[0].club, page.events, page.next)


def _pass(driver: Driver, lane: LaneRow, to: Cursor, *, more: bool) -> None:
    queries().pass_events(
        driver,
        club=lane["club"],
        webhook=lane["webhook"],
        position=to.position,
        change=to.change,
        mark=to.mark,
        more=more,
    )


def _after(lane: LaneRow) -> Cursor:
    return Cursor(lane["position"], lane["change"], lane["mark"])


def _upto(lane: LaneRow) -> Cursor:
    return Cursor(lane["upto_position"] or 0, lane["upto_change"] or 0, lane["upto_mark"] or 0)


def _note(
    base: Base,
    webhook: WebhookConfig,
    club: int,
    message: Message,
    answer: Answer,
    done: Delivered,
) -> None:
    """Write down what came of a message."""
    sql, at = queries(), clock.now()
    with base.club(club) as driver:
        if answer.problem is None:
            sql.message_delivered(driver, club=club, webhook=webhook.id, message=message.id, at=at)
            done.messages += 1
            done.events += len(message.found)
            return
        lane = sql.lane(driver, club=club, webhook=webhook.id)
        first = lane["first_try_at"] or at
        dead = answer.gone or at - first >= webhook.give_up_after
        sql.message_failed(
            driver,
            club=club,
            webhook=webhook.id,
            message=message.id,
            at=at,
            next_try_at=at + max(_pause(lane["tries"]), answer.retry_after or timedelta(0)),
            problem=answer.problem,
            dead=dead,
        )
    done.failed += 1
    done.problem = answer.problem
    log.warning(
        "Webhook %s, %s: message %s was not delivered. %s",
        *(webhook.id, message.club, message.id, answer.problem),
    )
    if dead:
        done.dead.append(message.club)
        log.error(
            "Webhook %s gets nothing more of %s: `clubsync webhooks dead` says what to do.",
            *(webhook.id, message.club),
        )


def _pause(tries: int) -> timedelta:
    """The pause after that many earlier failures, with up to a quarter of it at random."""
    plain: timedelta = min(FIRST_PAUSE * int(2 ** min(tries, 20)), LONGEST_PAUSE)
    return plain * random.uniform(0.75, 1.0)


def try_out(webhook: WebhookConfig, resolve: Resolve) -> tuple[str, Answer]:
    """Send a signed test message, which nobody has to understand; its id, and what came of it."""
    post, at = Post(webhook, resolve(webhook.connection)), clock.now()
    message_id = f"msg_test_{secrets.token_hex(8)}"
    return message_id, post.send(message_id, at, _json("clubsync.test", at, {}))


def _json(kind: str, at: datetime, data: dict[str, Any]) -> str:
    return json.dumps(
        {"type": kind, "timestamp": at, "data": data},
        default=lambda value: value.astimezone(UTC).isoformat(),
        separators=(",", ":"),
    )


def states(base: Base, config: Config) -> list[dict[str, Any]]:
    """The webhooks of clubs.yaml, each with what arrives: counts of clubs, times, the last problem."""
    with base.reader() as driver:
        known = {row["webhook"]: row for row in queries().webhook_states(driver)}
    rows = []
    for webhook in config.webhooks:
        row = known.get(webhook.id)
        rows.append(
            {
                "webhook": webhook.id,
                "connection": webhook.connection,
                "values": webhook.values,
                "since": row["seen_at"] if row else None,
                "clubs": row["clubs"] if row else 0,
                "failing": row["failing"] if row else 0,
                "dead": row["dead"] if row else 0,
                "delivered_at": row["delivered_at"] if row else None,
                "failing_since": row["failing_since"] if row else None,
                "problem": row["problem"] if row else None,
            }
        )
    return rows


def dead(base: Base, webhook_id: str | None = None) -> list[dict[str, Any]]:
    """Messages that were given up, the oldest first. `after`: the cursor before their events."""
    with base.reader() as driver:
        rows = list(queries().dead_lanes(driver, webhook=webhook_id))
    return [
        {
            "webhook": row["webhook"],
            "club": row["club_id"],
            "message": row["message"],
            "events": row["events"],
            "after": str(Cursor(row["position"], row["change"], row["mark"])),
            "tries": row["tries"],
            "first_try_at": row["first_try_at"],
            "dead_at": row["dead_at"],
            "problem": row["problem"],
        }
        for row in rows
    ]


def replay(
    base: Base,
    config: Config,
    webhook: WebhookConfig,
    *,
    clubs: Sequence[str] = (),
    after: str | None = None,
    skip: bool = False,
) -> list[str]:
    """Resume lanes; the ids of their clubs.

    :param clubs: ids; none: all clubs, with a cursor also those that had nothing yet.
    :param after: everything after this cursor in new messages; None: the message that failed, under its id.
    :param skip: continue after a message that was given up.
    :raises CursorInvalid, CursorGone: the feed does not continue this cursor.
    """
    register(base, config)
    to = None if after is None else events.resume(base, after)
    sql, at = queries(), clock.now()
    with base.transaction() as driver:
        numbers = {row["club_id"]: row["club"] for row in sql.club_numbers(driver)}
        if to is not None and not clubs:
            sql.start_webhook(driver, webhook=webhook.id, start_position=to.position)
    found = []
    for club_id in clubs or [c for c in numbers if not webhook.clubs or c in webhook.clubs]:
        if club_id not in numbers:
            continue
        club = numbers[club_id]
        with base.club(club) as driver:
            if to is not None:
                sql.open_lane(driver, club=club, webhook=webhook.id)
                moved = sql.replay_lane(
                    driver,
                    club=club,
                    webhook=webhook.id,
                    position=to.position,
                    change=to.change,
                    mark=to.mark,
                )
            elif skip:
                moved = sql.skip_message(driver, club=club, webhook=webhook.id)
            else:
                moved = sql.retry_message(driver, club=club, webhook=webhook.id, at=at)
        found += [club_id] if moved else []
    return found
