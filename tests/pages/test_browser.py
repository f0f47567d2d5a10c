"""The pages in Chromium: windows of every width, both languages, themes, axe, and what people type early."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from clubsync.i18n import LANGUAGES
from connectors.sdk.errors import CredentialsRefused, ErpUnreachable
from tests.pages.conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOO_WIDE = """width => [...document.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > width)
    .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"""
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"
WIDTHS = (375, 390, 768, 1400)
LONG = "https://erp.example.org/" + "a-very-long-path-without-a-space-" * 4

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def window(browser: Browser, client: TestClient, *, dark: bool = False) -> Page:
    """A window whose requests the application answers; no script may fail in it."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://pages.test")
        sent = route.request.post_data
        if sent is None:
            got = client.get(path, follow_redirects=True)
        else:
            form = {"content-type": route.request.headers["content-type"]}
            got = client.post(path, content=sent, headers=form, follow_redirects=True)
        route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    def fail(error: Exception) -> None:
        raise AssertionError(error)

    page = browser.new_page(color_scheme="dark" if dark else "light")
    page.route("http://pages.test/**", answer)
    page.on("pageerror", fail)
    return page


@pytest.fixture
def every_page(site: Site, reviewed: Site) -> dict[str, str]:
    """A name to a page of each kind. Between them the clubs are held, failing, empty, awaiting the approval
    of their first sync, and new."""
    club, other, first = site.club, site.other, reviewed.club
    other.erp.group("long", name="Abonnement-annuel-illimité-" * 3)
    other.erp.put("10", "ten@other.fr", groups=["long"])
    other.sync()
    other.erp.fault = ErpUnreachable(f"{LONG} does not answer.", remedy="Wait.")
    other.attempt()
    ((hold,),) = club.rows("select hold from sync.hold where club = %s", club.number)
    run = club.changes()[-1]["run"]
    mine, its = f"/clubs/{club.id}", f"/clubs/{other.id}"
    return {
        "clubs": "/clubs",
        "club": mine,
        "club-failing": its,
        "club-first-sync": f"/clubs/{first.id}",
        "first-sync": f"/clubs/{first.id}/first-sync",
        "findings": "/findings",
        "club-findings": f"{mine}/findings",
        "holds": "/holds",
        "hold": f"{mine}/holds/{hold}",
        "people": f"{mine}/people",
        "person": f"{mine}/person?erp_id=20",
        "person-long": f"{its}/person?erp_id=10",
        "similar": f"{mine}/similar",
        "requests": f"{mine}/requests",
        "reused": f"{mine}/reused",
        "runs": f"{its}/runs",
        "run": f"{mine}/runs/{run}",
        "undo": f"{mine}/runs/{run}/undo",
        "webhooks": "/webhooks",
        "runbooks": "/runbooks",
        "runbook": "/runbooks/erp-down",
        "club-runbook": f"{its}/runbooks/erp-down",
        "empty-answer": f"{mine}/runbooks/empty-answer",
        "other-club": f"{mine}/runbooks/other-club",
        "document": "/docs/docs/operating",
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_fits_its_window_and_axe_finds_no_serious_fault(
    browser: Browser, site: Site, every_page: dict[str, str], language: str
) -> None:
    """With the confirmations open; light in one language, dark in the other.

    CLUBSYNC_PICTURES names a folder for pictures of them.
    """
    from axe_playwright_python.sync_playwright import Axe

    client = site.as_("support")
    client.headers["accept-language"] = language
    page = window(browser, client, dark=language != "en")
    folder = os.environ.get("CLUBSYNC_PICTURES")
    wider, serious = [], []
    for name, path in every_page.items():
        answer = page.goto(f"http://pages.test/pages{path}")
        assert answer is not None
        assert answer.status == 200, path
        page.evaluate(OPEN_ALL)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wider.append((path, width, wide, page.evaluate(TOO_WIDE, width)[-3:]))
            if folder and width != 375:
                file = Path(folder) / f"{name}-{language}-{width}.png"
                page.screenshot(path=file, full_page=name != "document")
        serious += [
            (path, fault["id"], [node["target"] for node in fault["nodes"]][:3])
            for fault in Axe().run(page).response["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
    page.close()
    assert wider == []
    assert serious == []


def test_what_is_typed_before_the_script_has_come_filters_too(browser: Browser, site: Site) -> None:
    page = window(browser, site.as_("viewer"))
    held: list[Route] = []
    page.route("**/htmx*.js*", lambda route: held.append(route))
    page.goto("http://pages.test/pages/clubs", wait_until="commit")
    row = page.get_by_role("row").filter(has_text=site.club.id)
    row.wait_for()
    page.get_by_label("Club", exact=True).fill(site.other.id)
    page.wait_for_timeout(400)  # longer than typing is waited for
    assert row.count() == 1
    held[0].fallback()
    row.wait_for(state="detached")
    assert page.get_by_role("row").filter(has_text=site.other.id).count() == 1
    page.close()


def test_a_failing_club_shows_its_reason_in_the_list_and_its_remedy_one_click_away(
    browser: Browser, site: Site
) -> None:
    site.other.erp.fault = CredentialsRefused("The ERP rejected our credentials (HTTP 401).")
    site.other.later(minutes=5)
    site.other.attempt()
    page = window(browser, site.as_("support"))
    page.goto("http://pages.test/pages/clubs")
    row = page.get_by_role("row").filter(has_text=site.other.id)
    assert "rejected our credentials" in row.inner_text()
    row.get_by_role("link", name="Runbook for").click()
    page.get_by_role("button", name="Test connection").first.wait_for()
    page.close()
