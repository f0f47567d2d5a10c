"""Airflow's server with FAB in place of the simple auth manager: who gets in, who may what, and whose name is kept.

The server, both databases and the first account are made as `make up` and Docker Compose make them.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests
import yaml

from clubsync.store import embedded
from stack import accounts, environment, migrate
from stack.processes import BIN
from tests.e2e.running import OURS, free_ports, until, write_ours

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

FIRST = "admin"
PEOPLE = {"vera": "Viewer", "sam": "User", "olga": "Op", "cleo": "Support", "paul": "Public"}
"""Accounts that the administrator makes, and their roles. *Support* is a role of the club's own."""
SUPPORT = [
    {"action": "can_read", "resource": "DAGs"},
    {"action": "can_edit", "resource": "DAGs"},
    {"action": "can_read", "resource": "DAG Runs"},
    {"action": "can_create", "resource": "DAG Runs"},
]
CLUB = f"/clubsync/api/v1/clubs/{OURS}"
PAGES = "/clubsync/pages"


@dataclass
class Site:
    """A server with FAB."""

    url: str
    base: str
    passwords: dict[str, str] = field(default_factory=dict)

    def session(self) -> requests.Session:
        made = requests.Session()
        made.trust_env = False  # never through a proxy: it is this machine
        return made

    def program(self, user: str) -> requests.Session:
        """A program with a token of that account."""
        session = self.session()
        login = {"username": user, "password": self.passwords[user]}
        token = session.post(f"{self.url}/auth/token", json=login, timeout=60)
        assert token.status_code == 201, token.text
        session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        return session

    def browser(self, user: str, page: str) -> tuple[requests.Session, requests.Response]:
        """A browser that asks for a page, is told to log in, does so, and what it then sees."""
        session = self.session()
        refused = session.get(self.url + page, timeout=60)
        assert refused.status_code == 401
        link = re.search(r'href="([^"]+)"[^>]*>Log in', refused.text)
        assert link is not None
        form = session.get(self.url + html.unescape(link[1]), timeout=60)
        assert form.url.startswith(f"{self.url}/auth/login/"), "the login of FAB"
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
        assert token is not None
        sent = {"username": user, "password": self.passwords[user], "csrf_token": token[1]}
        return session, session.post(form.url, data=sent, timeout=60)

    def acts(self) -> list[tuple[str, str]]:
        """Who did what, in order."""
        with psycopg.connect(self.base, autocommit=True) as driver:
            return driver.execute("select actor, kind from sync.act order by act").fetchall()


@pytest.fixture(scope="module")
def site(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    var = tmp_path_factory.mktemp("fab")
    instance = environment.Instance(var, int(free_ports("CLUBSYNC_PORT")["CLUBSYNC_PORT"]))
    settings = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CLUBSYNC"))},
        **environment.of_one_machine(instance, postgres),
        "AIRFLOW__CORE__AUTH_MANAGER": environment.FAB,
        "AIRFLOW__FAB__CUSTOM_ROLES": json.dumps({"Support": SUPPORT}),
        "CLUBSYNC_CONFIG": str(_clubs(var)),
        "AIRFLOW_CONN_OUR_OWN": json.dumps(
            {"conn_type": "clubsync_csv", "host": (var / "our-own").as_uri()}
        ),
    }
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    owning = environment.as_owner(settings, postgres)
    migrate.create_databases(owning)
    try:
        migrate.migrate(owning, instance.logs)
        made = accounts.prepare(settings)
        assert made.keys() == {FIRST}
        assert accounts.prepare(settings) == {}, "only once"
        assert accounts.stored(settings) == {}, "the password is readable nowhere"
        assert not instance.passwords.exists()
        _sync(settings)
        with _server(settings, instance):
            site = Site(instance.url, postgres.conninfo("clubsync"), made)
            _make_accounts(site)
            yield site
    finally:
        for name in ("airflow", "clubsync"):
            postgres.drop_database(name)


def _clubs(var: Path) -> Path:
    """clubs.yaml with one club, which exports a file."""
    club = {
        "id": OURS,
        "name": "Our Own",
        "erp": "csv",
        "connection": "our_own",
        "settings": {"customers": "customers.csv", "fields": {"id": "id", "email": "email"}},
    }
    path = var / "clubs.yaml"
    path.write_text(yaml.safe_dump({"clubs": [club]}))
    write_ours(var, range(20))
    return path


def _sync(settings: Mapping[str, str]) -> None:
    command = [str(BIN / "clubsync"), "sync", OURS]
    ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@contextmanager
def _server(settings: Mapping[str, str], instance: environment.Instance) -> Iterator[None]:
    log = instance.logs / "api-server.log"
    with log.open("wb") as output:
        command = [str(BIN / "airflow"), "api-server"]
        server = subprocess.Popen(
            command, env=settings, stdout=output, stderr=output, start_new_session=True
        )

    def healthy() -> bool | None:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(f"{instance.url}/api/v2/monitor/health", timeout=10)
                return answer.ok or None
        except requests.RequestException:
            return None

    try:
        until(healthy)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _make_accounts(site: Site) -> None:
    """As an administrator does it under *Security*; here by the API of FAB."""
    admin = site.program(FIRST)
    for user, role in PEOPLE.items():
        site.passwords[user] = f"{user} has a password"
        account = {
            "username": user,
            "first_name": user.title(),
            "last_name": "Martin",
            "email": f"{user}@our.example.org",
            "roles": [{"name": role}],
            "password": site.passwords[user],
        }
        made = admin.post(f"{site.url}/auth/fab/v1/users", json=account, timeout=60)
        assert made.status_code in (200, 201), made.text


# --- who gets in -------------------------------------------------------------------------------


def test_nobody_gets_in_without_a_login_or_with_a_wrong_password(site: Site) -> None:
    stranger = site.session()
    for path in (CLUB, f"{PAGES}/clubs", f"{PAGES}/clubs/{OURS}"):
        answer = stranger.get(site.url + path, timeout=60)
        assert answer.status_code == 401, path
        assert "Our Own" not in answer.text
    assert stranger.post(f"{site.url}{CLUB}/pause", timeout=60).status_code == 401
    for user in ("vera", "somebody"):
        login = {"username": user, "password": "a guess"}
        assert stranger.post(f"{site.url}/auth/token", json=login, timeout=60).status_code == 401


def test_the_link_to_log_in_leads_to_fab_and_back_to_the_page(site: Site) -> None:
    page = f"{PAGES}/clubs/{OURS}?act=1"
    browser, seen = site.browser("vera", page)
    assert seen.url == site.url + page
    assert seen.status_code == 200
    assert "Our Own" in seen.text
    assert {cookie.name for cookie in browser.cookies} >= {"_token", "session"}


# --- who may what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "reads", "acts", "erases"),
    [
        ("paul", 403, 403, 403),
        ("vera", 200, 403, 403),
        ("cleo", 200, 200, 403),
        ("sam", 200, 200, 403),
        ("olga", 200, 200, 200),
        (FIRST, 200, 200, 200),
    ],
)
def test_roles_of_fab_may_what_those_of_the_simple_auth_manager_may(
    site: Site, user: str, reads: int, acts: int, erases: int
) -> None:
    """R18: whoever did something is named as they log in, never by the number that FAB gives them."""
    program, before = site.program(user), site.acts()
    for path in (CLUB, f"{PAGES}/clubs", f"{PAGES}/clubs/{OURS}", f"{CLUB}/holds"):
        assert program.get(site.url + path, timeout=60).status_code == reads, path
    people = program.post(f"{site.url}{CLUB}/findings/shown", timeout=60)
    assert people.status_code == acts, "personal data is for those who may act"
    for what in ("pause", "resume"):
        assert program.post(f"{site.url}{CLUB}/{what}", timeout=60).status_code == acts
    # an id that nobody has: whoever is allowed to is told so
    erasure = program.post(f"{site.url}{CLUB}/erase", json={"erp_id": "none"}, timeout=60)
    assert erasure.status_code == (409 if erases == 200 else 403)
    done = site.acts()[len(before) :]
    assert {who for who, _ in done} == ({user} if acts == 200 else set())
    if acts == 200:
        assert {"pause", "resume"} <= {kind for _, kind in done}


def test_r20_whoever_erases_a_person_is_named(site: Site) -> None:
    answer = site.program("olga").post(f"{site.url}{CLUB}/erase", json={"erp_id": "7"}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert ("olga", "erase") in site.acts()


def test_r18_an_action_of_a_browser_is_the_users_who_logged_in(site: Site) -> None:
    browser, page = site.browser("sam", f"{PAGES}/clubs/{OURS}")
    token = page.text.split('name="token" value="')[1].split('"')[0]
    pause = f"{site.url}{PAGES}/clubs/{OURS}/do/pause"
    ours = {"sec-fetch-site": "same-origin"}
    others = {"sec-fetch-site": "cross-site"}
    for headers, sent in ((ours, {}), (others, {"token": token})):
        assert browser.post(pause, data=sent, headers=headers, timeout=60).status_code == 403
    before = len(site.acts())
    done = browser.post(pause, data={"token": token}, headers=ours, timeout=60)
    assert done.status_code == 200
    assert site.acts()[before:] == [("sam", "pause")]
    assert "sam" in done.text, "the page names who did it"


@pytest.mark.parametrize("user", ["vera", "sam", "olga"])
def test_clubs_is_in_the_navigation_of_every_role(site: Site, user: str) -> None:
    """FAB alone shows what plugins add to Op and Admin only."""
    plugins = site.program(user).get(f"{site.url}/api/v2/plugins", timeout=60)
    assert plugins.status_code == 200
    views = [v["name"] for p in plugins.json()["plugins"] for v in p["external_views"]]
    assert "Clubs" in views
    menus = site.program(user).get(f"{site.url}/ui/auth/menus", timeout=60).json()
    assert ("Required Actions" in menus["authorized_menu_items"]) == (user != "vera")
