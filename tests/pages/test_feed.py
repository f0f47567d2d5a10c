"""R30: the change feed as an API."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest

from plugins.web.services import feed as service
from tests.pages.conftest import Site

FEED = "/api/v1/feed"


def ask(site: Site, role: str = "viewer", **query: Any) -> dict[str, Any]:
    answer = site.program(role).get(FEED, params={"club": site.club.id, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_viewer_follows_a_club(site: Site) -> None:
    whole = ask(site, limit=1000)
    audit = site.club.changes()
    assert [(e["run"], e["kind"], e["customer"], e["reason"]) for e in whole["events"]] == [
        (row["run"], row["kind"], row["customer"], row["reason"]) for row in audit
    ]
    assert set(whole["events"][0]) == {
        *("id", "club", "at", "kind", "customer", "erp_id", "run", "reason", "access")
    }
    assert "mail.example.org" not in json.dumps(whole)
    paged: list[dict[str, Any]] = []
    after = "0"
    while True:
        page = ask(site, after=after, limit=3)
        paged, after = paged + page["events"], page["next"]
        if not page["more"]:
            break
    assert paged == whole["events"]
    assert ask(site, after=after)["events"] == []


def test_all_clubs_and_some_kinds(site: Site) -> None:
    answer = site.as_("viewer").get(FEED, params={"limit": 1000, "kind": ["email_change"]})
    ours = [e for e in answer.json()["events"] if e["club"] == site.club.id]
    assert [e["kind"] for e in ours] == ["email_change"]
    clubs, after, more = set(), "0", True
    while more:  # other tests have left events of theirs in the same base
        page = site.as_("viewer").get(FEED, params={"limit": 1000, "after": after}).json()
        clubs |= {e["club"] for e in page["events"]}
        after, more = page["next"], page["more"]
    assert {site.club.id, site.other.id} <= clubs


def test_personal_values_need_the_right_to_see_them_and_are_recorded(site: Site) -> None:
    """As for everything that shows a person's data: a token of our pages, or a bearer's, and the role."""
    asked = {"club": site.club.id, "values": "true", "kind": "email_change"}
    assert site.program("viewer").get(FEED, params=asked).status_code == 403
    assert site.as_("support").get(FEED, params=asked).status_code == 403
    answer = site.program("support").get(FEED, params=asked)
    (event,) = answer.json()["events"]
    assert event["after"]["email"] == "ben.new@mail.example.org"
    (recorded,) = site.club.rows(
        "select actor, kind, people, detail ->> 'what' from sync.act where club = %s",
        site.club.number,
    )
    assert recorded == ("support-person", "show", [event["erp_id"]], "feed")


def test_a_cursor_that_is_not_continued_is_a_problem(site: Site) -> None:
    last = ask(site, limit=1000)["next"]
    position, change, mark = last.split(".")
    other = f"{position}.{change}.{int(mark, 16) ^ 1:08x}"
    client = site.program("viewer")
    for after, status in ((other, 410), ("9" * 12 + ".1.00000000", 410), ("yesterday", 422)):
        answer = client.get(FEED, params={"after": after})
        assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert client.get(FEED, params={"club": "nowhere"}).status_code == 404


def test_waiting_ends_with_an_event_or_in_time(site: Site) -> None:
    after = ask(site, after="latest")["next"]
    begun = time.monotonic()
    assert ask(site, after=after, wait=0.3)["events"] == []
    assert time.monotonic() - begun >= 0.3

    async def both() -> dict[str, Any]:
        async with _client(site) as client:
            query = {"club": site.club.id, "after": after, "wait": 60}
            waiting = asyncio.create_task(client.get(FEED, params=query))
            await asyncio.sleep(0.5)
            assert not waiting.done()
            await asyncio.to_thread(_somebody_new, site)
            return dict((await waiting).json())

    assert [e["kind"] for e in asyncio.run(both())["events"]] == ["addition"]


def test_those_who_wait_hold_neither_a_thread_nor_a_connection(site: Site) -> None:
    """More of them than there are threads for requests (40) and connections (20); others are served meanwhile."""
    after = ask(site, after="latest")["next"]

    async def crowd() -> list[int]:
        async with _client(site) as client:
            query = {"club": site.club.id, "after": after, "wait": 60}
            waiting = [asyncio.create_task(client.get(FEED, params=query)) for _ in range(120)]
            while len(service._Watch.here()._waiting) < 120:
                await asyncio.sleep(0.05)
            assert (await client.get("/api/v1/clubs")).status_code == 200
            await asyncio.to_thread(_somebody_new, site)
            return [len((await one).json()["events"]) for one in waiting]

    assert asyncio.run(crowd()) == [1] * 120


def test_who_comes_when_too_many_wait_is_answered_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits is looked for."""
    looked: list[service._Watch] = []

    async def look(watch: service._Watch) -> None:
        looked.append(watch)

    monkeypatch.setattr(service, "MOST_WAITING", 0)
    monkeypatch.setattr(service._Watch, "_looking", look)
    after = ask(site, after="latest")["next"]
    assert ask(site, after=after, wait=60)["events"] == []
    assert looked == []


def _somebody_new(site: Site) -> None:
    site.club.add_by_hand("new@mail.example.org")


def _client(site: Site) -> httpx2.AsyncClient:
    headers = {"X-Test-Role": "viewer", "Authorization": "Bearer of-a-test"}
    transport = httpx2.ASGITransport(app=site.app)
    return httpx2.AsyncClient(
        transport=transport, base_url="http://testserver", headers=headers, timeout=120
    )
