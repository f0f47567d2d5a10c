"""R19: no page, no response and no error tells a person to somebody without the right, or to a log."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest

from clubsync.store.database import Base
from tests.pages.conftest import Site
from tests.pages.test_access import ASKING, path, routes
from tests.support.canary import MARKED, MARKS, PERSON, SECRETS, WORDS, Searcher

SEEN = {**PERSON, **MARKS, **SECRETS}
"""What a viewer must not see: group and status are shown, masked values are not."""


@pytest.fixture
def told(site: Site, caplog: pytest.LogCaptureFixture) -> Site:
    """The club with the person, and the one of markup, in it; some of them are held."""
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    erp = site.club.erp
    erp.group("xanadu", name=WORDS["group"])
    erp.put(
        "77391",
        PERSON["email"],
        first_name=PERSON["first name"],
        last_name=PERSON["last name"],
        phone=f"+33{PERSON['phone']}",
        birth_date=date.fromisoformat(PERSON["birth date"]),
        groups=["xanadu"],
    )
    marked = {
        name: MARKED[f"marked {name.replace('_', ' ')}"]
        for name in ("first_name", "last_name", "phone")
    }
    erp.put("77392", MARKED["marked email"], **marked, groups=["xanadu"])
    erp.put(
        "77393",
        PERSON["email"],
        first_name="Twin",
        last_name=PERSON["last name"],
        groups=["xanadu"],
    )
    site.club.sync()
    erp.change("77391", last_name=f"{PERSON['last name']}-Neu", email=f"neu.{PERSON['email']}")
    erp.group("xanadu", name=WORDS["group"], active=False)
    site.club.sync()
    return site


def test_who_may_not_see_a_person_sees_none(told: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Every route, as nobody and as a viewer."""
    searcher, shown = Searcher(SEEN), 0
    for role in (None, "viewer"):
        client = told.as_(None) if role is None else told.program(role)
        for method, route in routes(told):
            sent: dict[str, Any] = {}
            if route.path in ASKING:
                who = {"who": "77391"}
                sent = {"json": who} if "/api/" in route.path else {"data": who}
            where = path(route, told.club.id, told)
            if route.path == "/pages/clubs/{club}/person":
                where += "?erp_id=77391"
            answer = client.request(method, where, **sent)
            shown += "77391" in answer.text
            content = f"{answer.headers}\n{answer.text}"
            searcher.text("refused responses", f"{role}: {method} {route.path}", content)
    searcher.text("logs", "of the application", caplog.text)
    assert shown > 5, "the person is there, by their id"
    assert searcher.told() == []


def test_an_internal_error_tells_its_class_alone(
    told: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a route uses of ours fails with the person in its message."""

    def broken(*_: object, **__: object) -> Any:
        raise KeyError(*PERSON.values(), *SECRETS.values())

    monkeypatch.setattr(Base, "reader", broken)
    monkeypatch.setattr(Base, "transaction", broken)
    searcher, failed = Searcher({**SEEN, **WORDS}), 0
    admin = told.program("admin")
    for method, route in routes(told):
        if method == "GET" or route.path in ASKING:
            sent: dict[str, Any] = {}
            if route.path in ASKING:
                who = {"who": PERSON["email"]}
                sent = {"json": who} if "/api/" in route.path else {"data": who}
            answer = admin.request(method, path(route, told.club.id), **sent)
            if answer.status_code >= 500:
                failed += 1
                searcher.text("error pages", f"{method} {route.path}", answer.text)
    searcher.text("logs", "of the application", caplog.text)
    assert failed > 10
    assert searcher.told() == []


def test_it_is_the_person_who_is_shown_to_who_may(told: Site) -> None:
    """Otherwise the tests above would show nothing."""
    answer = told.program("support").post(
        f"/api/v1/clubs/{told.club.id}/why/shown", json={"who": "77391"}
    )
    searcher = Searcher(SEEN)
    searcher.text("refused responses", "shown", answer.text)
    assert {"last name", "email"} <= {leak.value for leak in searcher.leaks}
