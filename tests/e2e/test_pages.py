"""The Clubs pages in a real browser: through Airflow's own log-in, inside Airflow's own frame."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from clubsync.config import load_config
from tests.e2e.running import OURS, Stack, write_ours

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.timeout(1500),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]

expect.set_options(timeout=60_000)

PAGES = (
    "/clubs",
    "/findings",
    "/holds",
    "/runbooks",
    "/runbooks/erp-down",
    "/webhooks",
    "/why",
    "/clubs/boulder-paris",
    "/clubs/boulder-paris/findings",
    "/clubs/boulder-paris/similar",
    "/clubs/boulder-paris/requests",
    "/clubs/boulder-paris/runs",
    "/clubs/boulder-paris/runbooks/empty-answer",
)

#: Of them, those with the club's buttons.
ACTED_ON = ("/clubs/boulder-paris", "/clubs/boulder-paris/runbooks/empty-answer")


@dataclass
class Window:
    """A browser window of somebody who is logged in to Airflow."""

    page: Page
    url: str
    said: list[str] = field(default_factory=list)

    def open(self, path: str) -> FrameLocator:
        """One of our pages inside Airflow; its frame."""
        self.page.goto(f"{self.url}/plugin/clubs/clubsync/pages{path}")
        return self.frame

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    def alone(self, path: str) -> Page:
        """The same page outside of its frame, for tools that do not see frames."""
        self.page.goto(f"{self.url}/clubsync/pages{path}")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Open(Protocol):
    """Opens a window in which somebody of that role is logged in."""

    def __call__(self, role: str) -> Window: ...


@pytest.fixture
def log_in(browser: Browser, stack: Stack) -> Iterator[Open]:
    """Logs in by Airflow's form. At the end no window may have had an error to tell of our pages."""
    windows: list[Window] = []

    def open_window(role: str) -> Window:
        url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
        passwords = json.loads((stack.var / "airflow" / "passwords.json").read_text())
        page = browser.new_context(locale="en-GB").new_page()
        window = Window(page, url)
        page.on(
            "console",
            lambda message: (
                window.said.append(f"{message.type}: {message.text}")
                if message.type in ("error", "warning")
                and "/clubsync/" in message.location.get("url", "")
                and "sandbox attribute" not in message.text  # of the frame that Airflow makes
                else None
            ),
        )
        page.on("pageerror", lambda error: window.said.append(str(error)))
        page.goto(f"{url}/auth/login")
        page.locator('input[name="username"]').fill(role)
        page.locator('input[name="password"]').fill(passwords[role])
        page.locator('button[type="submit"]').click()
        page.wait_for_url(lambda now: "/auth/" not in now)
        windows.append(window)
        return window

    yield open_window
    said = [line for window in windows for line in window.said]
    for window in windows:
        window.page.context.close()
    assert said == []


def picture(window: Window, name: str) -> None:
    """For the documentation, where CLUBSYNC_PICTURES names a folder."""
    if folder := os.environ.get("CLUBSYNC_PICTURES"):
        window.page.set_viewport_size({"width": 1440, "height": 900})
        window.page.wait_for_timeout(1000)
        window.page.screenshot(path=Path(folder) / f"{name}.png")


@contextmanager
def done(window: Window, what: str) -> Iterator[None]:
    """What is pressed inside ends with a line that says so."""
    yield
    line = window.frame.locator("#act")
    expect(line).to_contain_text(what, timeout=120_000)
    expect(line).not_to_contain_text("Queued", timeout=120_000)


def press(window: Window, name: str) -> None:
    window.frame.get_by_role("button", name=name, exact=True).click()


def test_the_navigation_leads_to_the_clubs(log_in: Open) -> None:
    """A viewer finds a club, sees how it is and why somebody is a customer; and no button to act."""
    window = log_in("viewer")
    window.page.get_by_role("link", name="Clubs").first.click()
    row = window.frame.get_by_role("row", name=re.compile("Padel Bordeaux Lac"))
    expect(row).to_contain_text("playtomic")
    picture(window, "clubs")
    window.frame.get_by_label("Club", exact=True).fill("chamar")
    expect(row).to_have_count(0)
    window.frame.get_by_role("link", name="Pádel Chamartín").click()
    expect(window.frame.get_by_role("heading", level=1)).to_have_text("Pádel Chamartín")
    expect(window.frame.get_by_role("heading", name="Groups")).to_be_visible()
    expect(window.frame.locator(".panel", has_text="Groups").locator("table")).to_be_visible()
    expect(window.frame.get_by_role("button", name="Sync now")).to_have_count(0)


@pytest.mark.parametrize("role", ["viewer", "support", "admin"])
def test_every_page_for_every_role(log_in: Open, role: str) -> None:
    window = log_in(role)
    for path in PAGES:
        answer = window.page.goto(f"{window.url}/clubsync/pages{path}")
        assert answer is not None
        assert answer.status == 200, path
        acts = role != "viewer" and path in ACTED_ON
        assert (window.page.get_by_role("button", name="Sync now").count() > 0) == acts, path


def test_the_pages_follow_airflows_theme_and_language(log_in: Open) -> None:
    window = log_in("viewer")
    window.open("/clubs")
    window.page.evaluate(
        "localStorage.setItem('theme', 'dark'); localStorage.setItem('i18nextLng', 'fr')"
    )
    window.open("/clubs")
    expect(window.frame.locator("html[data-theme=dark][lang=fr]")).to_be_visible()
    expect(window.frame.get_by_text("Dernière synchronisation complète").first).to_be_visible()
    picture(window, "clubs-dark-french")


def test_keys_lead_to_the_search_and_down_the_list(log_in: Open) -> None:
    page = log_in("viewer").alone("/clubs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("[data-row] a").nth(0)
    assert page.evaluate("document.activeElement.closest('[data-row]').rowIndex") == 2
    expect(second).to_be_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "who"


def test_support_answers_a_club_and_acts_for_it(log_in: Open, stack: Stack) -> None:
    """Test, pause, resume, sync now, dry run: each shows its result and is in the audit."""
    window = log_in("support")
    window.open(f"/clubs/{OURS}")
    with done(window, "successful"):
        press(window, "Test connection")
    window.open("/clubs/padel-bordeaux")
    picture(window, "club")
    window.open(f"/clubs/{OURS}")
    with done(window, "Syncs paused"):
        press(window, "Pause")
    expect(window.frame.locator(".head .state")).to_have_text("paused")
    with done(window, "Syncs resumed"):
        window.frame.locator("summary", has_text="Resume").click()
        press(window, "Confirm: Resume")
    write_ours(stack.var, range(101))
    with done(window, "nothing was written: 1 addition"):
        press(window, "Dry run")
    window.frame.get_by_role("link", name="View plan").click()
    expect(window.frame.get_by_role("row", name=re.compile("100 Access given"))).to_be_visible()
    window.open(f"/clubs/{OURS}")
    with done(window, "done: 1 addition"):
        press(window, "Sync now")
    window.frame.get_by_role("link", name="View run").click()
    window.frame.get_by_role("link", name="Log in Airflow").click()
    window.page.wait_for_url(re.compile("/dags/sync_one/runs/.*/tasks/sync_club"))
    kinds = stack.query(
        "select a.kind, a.actor, a.outcome from sync.act a join base.club c using (club) "
        "where c.club_id = %s order by a.act",
        OURS,
    )
    assert kinds == [
        (kind, "support", "done") for kind in ("test", "pause", "resume", "dry_run", "sync")
    ]


def test_why_from_the_search_box_and_the_data_only_when_asked(log_in: Open, stack: Stack) -> None:
    window = log_in("support")
    frame = window.open("/findings")
    frame.get_by_role("searchbox", name="Why is this person (not) a customer?").fill(
        "person7@our.example.org"
    )
    press(window, "Search")
    expect(frame.get_by_role("heading", level=1)).to_have_text("In the Customers group")
    assert "person7" not in window.page.url
    expect(frame.locator(".card")).to_contain_text("p…@o….org")
    picture(window, "why")
    press(window, "Show personal data")
    expect(frame.locator(".card")).to_contain_text("person7@our.example.org")
    shown = stack.query(
        "select actor, people from sync.act where kind = 'show' order by at desc limit 1"
    )
    assert shown == [("support", ["7"])]


def test_a_hold_is_rejected_then_approved_and_the_run_undone(log_in: Open, stack: Stack) -> None:
    """What a person decides in the browser is what becomes of the base."""
    window = log_in("support")
    window.open(f"/clubs/{OURS}")
    inside = (
        "select count(*) from base.customer b join base.club c using (club) "
        "where c.club_id = %s and b.in_customers_group"
    )
    ((before,),) = stack.query(inside, OURS)
    write_ours(stack.var, range(60))
    with done(window, "done"):
        press(window, "Sync now")
    window.open("/holds")
    window.frame.get_by_role("row", name=re.compile("Our Own")).get_by_role(
        "link", name=re.compile("hold")
    ).click()
    window.frame.get_by_label("Reason (stored with the decision)").fill("The course is over.")
    picture(window, "hold")
    with done(window, "customers lost access"):
        press(window, "Approve: remove access")
    ((after,),) = stack.query(inside, OURS)
    assert (before - after) == before - 60

    window.open(f"/clubs/{OURS}")
    window.frame.get_by_role("region", name="Recent runs").get_by_role("link").first.click()
    window.frame.get_by_role("link", name="Undo…").click()
    with done(window, "Undo"):
        press(window, "Undo this run")
    assert stack.query(inside, OURS) == [(before,)]


def test_an_admin_erases_a_person_and_support_cannot(log_in: Open, stack: Stack) -> None:
    window = log_in("support")
    frame = window.open(f"/clubs/{OURS}/person?erp_id=9")
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    expect(frame.get_by_text("Erase this person")).to_have_count(0)
    window = log_in("admin")
    frame = window.open(f"/clubs/{OURS}/person?erp_id=9")
    frame.get_by_text("Erase this person").click()
    frame.get_by_label("I understand that this cannot be undone.").check()
    with done(window, "Erasure"):
        press(window, "Erase")
    left = stack.query(
        "select count(*) from base.customer b join base.club c using (club) where c.club_id = %s and erp_id = '9'",
        OURS,
    )
    assert left == [(0,)]


def test_the_tabs_of_a_run_and_of_a_task(log_in: Open, stack: Stack) -> None:
    """What this run did, club by club; and the log of a club that failed leads to its page."""
    stack.fault("padel-chamartin", "unauthorized")
    run = stack.run("sync_playtomic", {"clubs": ["padel-bordeaux", "padel-chamartin"]})
    stack.fault("padel-chamartin", None)
    window = log_in("viewer")
    dag_run = f"{window.url}/dags/sync_playtomic/runs/{run['dag_run_id']}"
    window.page.goto(dag_run)
    # the tab, which comes later than the link of the same name in the navigation
    window.page.locator("a[href$='/plugin/clubs-of-run']").click()
    expect(window.frame.get_by_role("row", name=re.compile("Padel Bordeaux Lac"))).to_contain_text(
        "done"
    )
    failed = window.frame.get_by_role("row", name=re.compile("Pádel Chamartín")).first
    expect(failed).to_contain_text("failed")
    window.page.goto(f"{dag_run}/tasks/retry_club/mapped/0")
    window.page.locator("a[href$='/plugin/clubs-of-task']").click()
    expect(window.frame.get_by_role("link", name="Pádel Chamartín").first).to_be_visible()
    expect(window.frame.get_by_role("link", name="Padel Bordeaux Lac")).to_have_count(0)
    log = stack.api.log("sync_playtomic", run["dag_run_id"], "retry_club", index=0, attempt=1)
    page, runbook = sorted(set(re.findall(r"http\S+/plugin/clubs/\S+", log)), key=len)
    window.page.goto(page)
    expect(window.frame.get_by_role("heading", level=1)).to_have_text("Pádel Chamartín")
    window.page.goto(runbook)
    expect(window.frame.get_by_role("link", name="Pádel Chamartín").first).to_be_visible()


def test_the_api_takes_a_token_and_refuses_strangers(stack: Stack) -> None:
    passwords = json.loads((stack.var / "airflow" / "passwords.json").read_text())
    url = f"http://127.0.0.1:{stack.environment['CLUBSYNC_PORT']}"
    with requests.Session() as session:
        session.trust_env = False
        clubs = f"{url}/clubsync/api/v1/clubs"
        assert session.get(clubs).status_code == requests.codes.unauthorized
        login = {"username": "viewer", "password": passwords["viewer"]}
        token = session.post(f"{url}/auth/token", json=login).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        registry = load_config(Path(stack.environment["CLUBSYNC_CONFIG"]))
        listed = {c["club"] for c in session.get(clubs).json()["clubs"] if c["state"] != "gone"}
        assert listed == {club.id for club in registry.clubs}
        refused = session.post(f"{clubs}/{OURS}/pause")
        assert refused.status_code == requests.codes.forbidden
