"""R30: signed webhooks, with retries that survive a restart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from clubsync.config import Config, WebhookConfig, load_config
from clubsync.errors import ConfigError, CursorGone
from clubsync.feed import webhooks
from clubsync.feed.webhooks import Delivered
from clubsync.manual import erasure
from clubsync.store.database import Base
from connectors.sdk.base import Connection
from tests.support.club import Club
from tests.support.receiver import SECRET, Receiver, is_signed, receiving
from tests.support.rules import NewClub


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


class Hook:
    """A webhook of some clubs, and what sends to it."""

    def __init__(self, base: Base, name: str, receiver: Receiver, *clubs: Club, **how: Any) -> None:
        ids = tuple(club.id for club in clubs)
        self.base, self.receiver = base, receiver
        self.config = WebhookConfig(
            id=f"{name}-{clubs[0].id}", connection=name, clubs=ids, **{"timeout": "5s", **how}
        )
        self.all = Config(clubs=tuple(club.config for club in clubs), webhooks=(self.config,))
        self.secret = SECRET
        webhooks.register(base, self.all)

    def resolve(self, conn_id: str) -> Connection:
        return Connection(id=conn_id, host=self.receiver.url, password=self.secret)

    def deliver(self, **how: Any) -> Delivered:
        (done,) = webhooks.deliver(self.base, self.all, self.resolve, **how)
        return done

    def dead(self) -> list[dict[str, Any]]:
        return webhooks.dead(self.base, self.config.id)

    def replay(self, **how: Any) -> list[str]:
        return webhooks.replay(self.base, self.all, self.config, **how)


@pytest.fixture
def hook(club: Club, shared_base: Base, receiver: Receiver) -> Hook:
    put(club, "1")
    club.sync()
    return Hook(shared_base, "app", receiver, club)


def put(club: Club, *ids: str) -> None:
    for one in ids:
        club.erp.put(one, f"p{one}@mail.example.org")


def erp_ids(receiver: Receiver) -> list[str]:
    return [event["erp_id"] for event in receiver.events()]


def test_r30_a_message_is_signed_and_says_what_changed(
    club: Club, hook: Hook, receiver: Receiver
) -> None:
    """Without personal values; what was there before the webhook is not sent."""
    assert hook.deliver().messages == 0
    put(club, "2", "3")
    club.sync()
    done = hook.deliver()
    assert (done.messages, done.events, done.problem) == (1, 2, None)
    (got,) = receiver.got
    assert is_signed(SECRET, got.headers, got.body)
    assert not is_signed(SECRET, got.headers, got.body + b" ")
    assert got.document["type"] == "clubsync.changes"
    assert got.document["data"]["club"] == club.id
    assert got.document["data"]["next"] == got.events[-1]["id"]
    assert b"mail.example.org" not in got.body
    assert hook.deliver().messages == 0, "what was delivered is not sent again"


def test_r30_the_beginning_in_pages_with_values_and_two_secrets(
    club: Club, shared_base: Base, receiver: Receiver
) -> None:
    put(club, *map(str, range(1, 8)))
    club.sync()
    hook = Hook(shared_base, "all", receiver, club, start="beginning", values=True, max_events=3)
    old = "whsec_" + "b2xk" * 8
    hook.secret = f"{SECRET} {old}"
    assert hook.deliver().messages == 3
    assert sorted(erp_ids(receiver)) == sorted(map(str, range(1, 8)))
    for got in receiver.got:
        assert is_signed(SECRET, got.headers, got.body)
        assert is_signed(old, got.headers, got.body)
    assert {e["after"]["email"] for e in receiver.events()} == {
        f"p{n}@mail.example.org" for n in range(1, 8)
    }


def test_r30_only_the_kinds_that_are_wanted(
    club: Club, shared_base: Base, receiver: Receiver
) -> None:
    put(club, "1")
    club.sync()
    hook = Hook(shared_base, "some", receiver, club, kinds=("email_change",), max_events=1)
    for n in range(3):
        put(club, f"2{n}")
        club.sync()
    club.erp.change("1", email="new@mail.example.org")
    club.sync()
    hook.deliver()
    assert [event["kind"] for event in receiver.events()] == ["email_change"]


def test_r30_what_fails_is_tried_again_under_the_same_id_and_in_order(
    club: Club, hook: Hook, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    put(club, "2")
    club.sync()
    assert hook.deliver().problem == "HTTP 500."
    put(club, "3")
    club.sync()
    club.later(seconds=1)
    assert hook.deliver().messages == 0
    tries = len(receiver.got)
    for _ in range(5):
        club.later(minutes=30)
        hook.deliver()
    assert len(receiver.got) == tries + 5
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    receiver.answer = lambda _: 200
    club.later(hours=7)
    assert hook.deliver().messages == 2
    assert erp_ids(receiver) == ["2", "3"]


def test_r30_the_pauses_grow(club: Club, hook: Hook, receiver: Receiver) -> None:
    """Passes of every minute try less and less often."""
    receiver.answer = lambda _: 503
    put(club, "2")
    club.sync()
    for _ in range(180):
        hook.deliver()
        club.later(minutes=1)
    assert 6 <= len(receiver.got) <= 11


def test_r30_it_waits_as_long_as_it_is_asked_to(club: Club, hook: Hook, receiver: Receiver) -> None:
    receiver.answer, receiver.headers = lambda _: 429, {"retry-after": "7200"}
    put(club, "2")
    club.sync()
    hook.deliver()
    receiver.answer = lambda _: 204
    club.later(minutes=119)
    assert hook.deliver().messages == 0
    club.later(minutes=2)
    assert hook.deliver().messages == 1


def test_r30_a_message_is_given_up_and_what_follows_waits_for_a_person(
    club: Club, hook: Hook, receiver: Receiver
) -> None:
    """Nothing is skipped in silence: the lane stops, and the list says where."""
    receiver.answer = lambda _: 500
    put(club, "2")
    club.sync()
    hook.deliver()
    club.later(days=3, minutes=1)
    assert hook.deliver().dead == [club.id]
    put(club, "3")
    club.sync()
    receiver.answer = lambda _: 204
    tries = len(receiver.got)
    club.later(days=30)
    assert hook.deliver().messages == 0
    assert len(receiver.got) == tries
    (dead,) = hook.dead()
    assert (dead["club"], dead["events"], dead["problem"]) == (club.id, 1, "HTTP 500.")
    assert dead["message"] == receiver.got[0].id
    assert hook.replay() == [club.id]
    assert hook.deliver().messages == 2
    assert [got.id for got in receiver.got].count(dead["message"]) == tries + 1
    assert erp_ids(receiver) == ["2", "3"]
    assert hook.dead() == []


def test_r30_a_message_that_was_given_up_may_be_skipped(
    club: Club, hook: Hook, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410
    put(club, "2")
    club.sync()
    assert hook.deliver().dead == [club.id], "410: the webhook wants no more"
    put(club, "3")
    club.sync()
    receiver.answer = lambda _: 204
    receiver.got.clear()
    assert hook.replay(skip=True) == [club.id]
    hook.deliver()
    assert erp_ids(receiver) == ["3"]


def test_r30_replay_from_any_point(club: Club, hook: Hook, receiver: Receiver) -> None:
    for n in range(2, 6):
        put(club, str(n))
        club.sync()
        hook.deliver()
    first = receiver.events()
    receiver.got.clear()
    assert hook.replay(after=first[1]["id"]) == [club.id]
    hook.deliver()
    assert receiver.events() == first[2:]
    receiver.got.clear()
    hook.replay(after="0")
    hook.deliver()
    assert erp_ids(receiver) == ["1", "2", "3", "4", "5"]
    receiver.got.clear()
    hook.replay(after="latest")
    hook.deliver()
    assert receiver.got == []
    with pytest.raises(CursorGone):
        hook.replay(after="99999999.1.00000000")


def test_r30_an_erased_person_is_not_in_the_next_try(
    club: Club, shared_base: Base, receiver: Receiver
) -> None:
    """R20: a message is read again for every try; one of which nothing is left is never sent."""
    hook = Hook(shared_base, "values", receiver, club, start="beginning", values=True)
    put(club, "1", "2")
    club.sync()
    receiver.answer = lambda _: 500
    hook.deliver()
    assert b"p2@mail" in receiver.got[0].body
    erasure.erase(shared_base, club.pipeline().store, club.config, "2", by="somebody")
    club.later(hours=1)
    hook.deliver()
    assert receiver.got[1].id == receiver.got[0].id
    assert b"p2@mail" not in receiver.got[1].body
    assert b"p1@mail" in receiver.got[1].body
    erasure.erase(shared_base, club.pipeline().store, club.config, "1", by="somebody")
    receiver.answer = lambda _: 204
    club.later(days=1)
    hook.deliver()
    assert [e["kind"] for e in receiver.got[2].events] == ["erasure", "erasure"]
    assert receiver.got[2].id != receiver.got[0].id


def test_r30_a_club_that_is_new_is_told_from_its_first_change(
    new_club: NewClub, shared_base: Base, receiver: Receiver
) -> None:
    old, new = new_club(), new_club()
    put(old, "1")
    old.sync()
    hook = Hook(shared_base, "both", receiver, old, new)
    new.at(old.now)
    put(new, "9")
    new.sync()
    hook.deliver()
    assert erp_ids(receiver) == ["9"]


def test_r30_a_club_that_fails_delays_no_other_club(
    new_club: NewClub, shared_base: Base, receiver: Receiver
) -> None:
    bad, good = new_club(), new_club()
    for club in (bad, good):
        put(club, "1")
        club.at(bad.now)
        club.sync()
    hook = Hook(shared_base, "two", receiver, bad, good, start="beginning")
    receiver.answer = lambda got: 400 if got.document["data"]["club"] == bad.id else 204
    hook.deliver()
    assert [got.document["data"]["club"] for got in receiver.got] == [bad.id, good.id]
    put(good, "2")
    good.sync()
    hook.deliver()
    assert [got.document["data"]["club"] for got in receiver.got[2:]] == [good.id, bad.id]
    assert receiver.got[2].events[0]["erp_id"] == "2"


def test_r30_a_slow_webhook_delays_no_other(
    club: Club, shared_base: Base, receiver: Receiver
) -> None:
    put(club, "1")
    club.sync()
    with receiving() as quick:
        slow = Hook(shared_base, "slow", receiver, club, start="beginning")
        fast = Hook(shared_base, "fast", quick, club, start="beginning")
        arrived = threading.Event()

        def note(_: object) -> int:
            arrived.set()
            return 204

        quick.answer = note
        receiver.answer = lambda _: 204 if arrived.wait(60) else 500
        both = Config(clubs=slow.all.clubs, webhooks=(slow.config, fast.config))
        hosts = {"slow": slow.resolve, "fast": fast.resolve}
        done = webhooks.deliver(shared_base, both, lambda conn_id: hosts[conn_id](conn_id))
    assert [(one.messages, one.problem) for one in done] == [(1, None), (1, None)]


def test_r30_an_answer_has_an_end(club: Club, shared_base: Base, receiver: Receiver) -> None:
    """A byte now and then does not hold a message up: the receiver never stops sending them."""
    put(club, "1")
    club.sync()
    hook = Hook(shared_base, "drip", receiver, club, start="beginning", timeout="1s")
    receiver.drips = True
    assert hook.deliver().problem == "No answer in time."


def test_r30_redirects_are_not_followed(club: Club, hook: Hook, receiver: Receiver) -> None:
    put(club, "2")
    club.sync()
    with receiving() as elsewhere:
        receiver.answer, receiver.headers = lambda _: 307, {"location": elsewhere.url}
        assert hook.deliver().problem == "HTTP 307: redirects are not followed."
        assert elsewhere.got == []


def test_r30_nothing_is_sent_to_a_private_address_or_without_tls(
    club: Club, hook: Hook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(club, "2")
    club.sync()
    receiver.url = "http://hooks.example.org/x"
    assert "http:// address" in (hook.deliver().problem or "")
    plain, found = socket.getaddrinfo, []

    def of_this_machine(host: str, *args: Any, **how: Any) -> Any:
        found.append(host)
        return plain("127.0.0.1" if host == "hooks.example.org" else host, *args, **how)

    with receiving() as inside:
        monkeypatch.setattr(socket, "getaddrinfo", of_this_machine)
        receiver.url = f"https://hooks.example.org:{inside.url.split(':')[2].split('/')[0]}/x"
        problem = hook.deliver().problem
        assert "hooks.example.org" in found
        assert problem == "The host's name means an address of a private network."
        assert inside.got == []


def test_r30_without_a_usable_secret_nothing_is_sent(club: Club, hook: Hook) -> None:
    put(club, "2")
    club.sync()
    for hook.secret in ("", "not base64 !"):
        assert "no secret of Standard Webhooks" in (hook.deliver().problem or "")
    assert hook.receiver.got == []
    hook.secret = SECRET
    assert hook.deliver().messages == 1


def test_r30_only_one_process_sends_to_a_webhook(
    club: Club, hook: Hook, shared_base: Base, receiver: Receiver
) -> None:
    """Else an older message could come after a newer one."""
    put(club, "2")
    club.sync()
    with shared_base.one_sender(hook.config.id) as is_alone:
        assert is_alone()
        assert hook.deliver().messages == 0
    assert hook.deliver().messages == 1


def test_r30_a_test_message(hook: Hook, receiver: Receiver) -> None:
    message, answer = webhooks.try_out(hook.config, hook.resolve)
    assert answer.problem is None
    (got,) = receiver.got
    assert (got.id, got.document["type"]) == (message, "clubsync.test")
    assert is_signed(SECRET, got.headers, got.body)
    receiver.answer = lambda _: 500
    assert webhooks.try_out(hook.config, hook.resolve)[1].problem == "HTTP 500."


def test_r30_states_say_what_arrives(club: Club, hook: Hook, receiver: Receiver) -> None:
    put(club, "2")
    club.sync()
    receiver.answer = lambda _: 500
    hook.deliver()
    (state,) = webhooks.states(hook.base, hook.all)
    assert (state["clubs"], state["failing"], state["problem"]) == (1, 1, "HTTP 500.")
    receiver.answer = lambda _: 204
    club.later(hours=1)
    hook.deliver()
    (state,) = webhooks.states(hook.base, hook.all)
    assert (state["failing"], state["problem"], state["delivered_at"]) == (0, None, club.now)


@contextmanager
def _yaml(folder: Path, **webhook: object) -> Iterator[Path]:
    path = folder / "clubs.yaml"
    club = {"id": "paris", "name": "Paris", "erp": "csv", "connection": "paris"}
    with path.open("w") as file:
        YAML().dump({"clubs": [club], "webhooks": [webhook]}, file)
    yield path


def test_r30_webhooks_are_settings_of_clubs_yaml(tmp_path: Path) -> None:
    with _yaml(tmp_path, id="app", connection="app", clubs=["paris"], give_up_after="1d") as path:
        (webhook,) = load_config(path).webhooks
    assert (webhook.give_up_after, webhook.values) == (timedelta(days=1), False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"id": "app"}, "line 7, webhook app: connection is required"),
        ({"id": "app", "connection": "x", "klubs": []}, "unknown setting `klubs`"),
        ({"id": "app", "connection": "x", "clubs": ["lyon"]}, "there is no club lyon"),
        ({"id": "app", "connection": "x", "timeout": "0s"}, "one second"),
    ],
)
def test_r30_what_is_wrong_is_said(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with _yaml(tmp_path, **settings) as path, pytest.raises(ConfigError, match=said):
        load_config(path)
