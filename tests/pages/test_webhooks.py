"""R30: webhooks as a page: what was given up is seen, and resumed by who may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import load_config
from clubsync.feed import webhooks
from clubsync.store.database import Base
from connectors.sdk.base import Connection
from tests.pages.conftest import Site
from tests.pages.test_pages import acts, post, text
from tests.support.receiver import SECRET, Receiver, receiving

HOOK = "newsletter"


class Sender:
    """Delivers to a webhook of clubs.yaml whose receiver does what the test says."""

    def __init__(self, base: Base, receiver: Receiver, hook: str) -> None:
        self.base, self.receiver, self.hook = base, receiver, hook

    def deliver(self) -> Any:
        def resolve(conn_id: str) -> Connection:
            return Connection(id=conn_id, host=self.receiver.url, password=SECRET)

        (done,) = webhooks.deliver(self.base, load_config(), resolve)
        return done


@pytest.fixture
def sender(site: Site, shared_base: Base) -> Any:
    """A receiver that is gone: its first message is given up at once."""
    hook = f"{HOOK}-{site.club.id}"
    path = Path(os.environ["CLUBSYNC_CONFIG"])
    entry = f"webhooks:\n- {{id: {hook}, connection: news, clubs: [{site.club.id}]}}\n"
    path.write_text(path.read_text() + entry)
    with receiving() as receiver:
        made = Sender(shared_base, receiver, hook)
        webhooks.register(shared_base, load_config())
        receiver.answer = lambda _: 410
        site.club.erp.put("50", "new50@mail.example.org")
        site.club.sync()
        assert made.deliver().dead == [site.club.id]
        _forget_clubs_yaml()
        yield made


def _forget_clubs_yaml() -> None:
    """The application reads the changed file at its next request."""
    from plugins.web import registry

    registry._file.path = None


def page(site: Site, role: str, language: str = "en") -> str:
    answer = site.as_(role).get("/pages/webhooks", headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


def dead(site: Site, sender: Sender) -> list[dict[str, Any]]:
    rows = site.as_("viewer").get("/api/v1/webhooks/dead").json()
    return [row for row in rows if row["webhook"] == sender.hook]


def test_r30_what_was_given_up_is_seen_by_all_and_resumed_by_support(
    site: Site, sender: Sender
) -> None:
    (one,) = dead(site, sender)
    said = text(page(site, "viewer"))
    assert "Boulder Paris" in said
    assert one["message"] in said
    assert "Send again" not in said
    assert "Renvoyer" in text(page(site, "support", "fr"))
    sender.receiver.answer = lambda _: 204
    assert sender.deliver().messages == 0, "it waits for a person"
    told = text(
        post(
            site,
            "support",
            "/webhooks/resume",
            webhook=sender.hook,
            message=one["message"],
            what="replay",
        )
    )
    assert "The message is sent again with the next delivery, within a minute." in told
    assert acts(site) == [("webhook_replay", "support-person", "done", [])]
    assert sender.deliver().messages == 1
    assert {got.id for got in sender.receiver.got} == {one["message"]}, "the same message"
    assert dead(site, sender) == []


def test_r30_a_message_is_skipped_only_where_it_is_confirmed(site: Site, sender: Sender) -> None:
    (one,) = dead(site, sender)
    wanted = {"webhook": sender.hook, "message": one["message"], "what": "skip"}
    with pytest.raises(AssertionError, match="Tick the box"):
        post(site, "support", "/webhooks/resume", **wanted)
    assert len(dead(site, sender)) == 1
    assert acts(site) == []
    post(site, "support", "/webhooks/resume", sure="yes", **wanted)
    assert acts(site) == [("webhook_skip", "support-person", "done", [])]
    sender.receiver.answer = lambda _: 204
    assert sender.deliver().messages == 0
    assert dead(site, sender) == []


def test_r30_a_message_that_somebody_resumed_already_is_not_resumed_again(
    site: Site, sender: Sender
) -> None:
    (one,) = dead(site, sender)
    program, url = site.program("support"), f"/api/v1/clubs/{site.club.id}/webhooks/resume"
    wanted = {"webhook": sender.hook, "message": one["message"]}
    assert program.post(url, json=wanted).status_code == 200
    again = program.post(url, json=wanted)
    assert (again.status_code, "not given up any more" in again.text) == (409, True)
    other = f"/api/v1/clubs/{site.other.id}/webhooks/resume"
    assert program.post(other, json=wanted).status_code == 409
