"""Who may what: every route of the application, for everybody, and from another site."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from tests.pages.conftest import Site

WEBHOOK = "/webhooks/{club}"
"""Signed by the ERP: nobody is logged in there."""
HEALTH = "/health"
"""For monitors, which do not log in: counts, and no club."""
ASKING = {"/api/v1/why", "/api/v1/clubs/{club}/why", "/pages/why"}
"""A POST so that no name stands in an address; it changes nothing, and a viewer may ask."""
ERASING = {"/api/v1/clubs/{club}/erase", "/pages/clubs/{club}/erase"}
QUERY = {"/api/v1/airflow": "?dag=d&run=r", "/pages/airflow": "?dag=d&run=r"}
CROSS = {"sec-fetch-site": "cross-site"}


def routes(site: Site) -> list[tuple[str, APIRoute]]:
    """(method, route) of everything that can be asked."""
    return [
        (method, route)
        for route in site.app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"})
    ]


def path(route: APIRoute, club: str, site: Site | None = None) -> str:
    """The route's path for a club, with things in it that the club has."""
    hold, run = (_hold(site), _run(site)) if site else (1, 1)
    what = "accept" if "{number}" in route.path else "sync"
    values = {"club": club, "hold": hold, "run": run, "act": 1, "request": 1, "number": 1}
    values["chain"] = "0" * 16
    values["name"] = "erp-down" if "runbooks" in route.path else "docs/operating"
    plain = route.path.replace("{name:path}", "{name}")
    return plain.format(what=what, **values) + QUERY.get(route.path, "")


def _hold(site: Site) -> int:
    ((hold,),) = site.club.rows("select hold from sync.hold where club = %s", site.club.number)
    return int(hold)


def _run(site: Site) -> int:
    ((run,),) = site.club.rows("select max(run) from sync.run where club = %s", site.club.number)
    return int(run)


def test_nobody_gets_in_without_a_login(site: Site) -> None:
    stranger = site.as_(None)
    for method, route in routes(site):
        if route.path in (WEBHOOK, HEALTH):
            continue
        answer = stranger.request(method, path(route, site.club.id, site))
        assert answer.status_code == 401, (method, route.path, answer.text)
        assert "Durand" not in answer.text


def test_a_viewer_reads_everything_and_acts_nowhere(site: Site) -> None:
    """Also with the token of a page, which a viewer's pages carry for nothing."""
    viewer = site.program("viewer")
    before = site.club.rows("select count(*) from sync.act where club = %s", site.club.number)
    for method, route in routes(site):
        if route.path == WEBHOOK:
            continue
        sent: dict[str, Any] = {}
        if route.path in ASKING:
            sent = {"json": {"who": "2"}} if "/api/" in route.path else {"data": {"who": "2"}}
        answer = viewer.request(method, path(route, site.club.id, site), **sent)
        if method == "GET" or route.path in ASKING:
            missing = "{act}" in route.path or "{chain}" in route.path
            wanted = {404} if missing else {200, 307}
            if route.path == "/pages/clubs/{club}/person":
                wanted = {422}  # whom is not said
        else:
            wanted = {403}
        assert answer.status_code in wanted, (method, route.path, answer.text[-300:])
    after = site.club.rows("select count(*) from sync.act where club = %s", site.club.number)
    assert after == before, "who was refused has done nothing"
    assert site.started == []


def test_another_site_cannot_act_in_somebodys_name(site: Site) -> None:
    """By the cookie alone; with a token that was read somewhere, from another site; with another's token."""
    support = site.as_("support")
    mine, others = _token(site, "support"), _token(site, "admin")
    acting = [
        (method, route)
        for method, route in routes(site)
        if method != "GET" and route.path not in ASKING | ERASING | {WEBHOOK}
    ]
    assert len(acting) > 30
    for method, route in acting:
        where = path(route, site.club.id, site)
        for headers in (
            {},
            {"X-CSRF-Token": "made up"},
            {"X-CSRF-Token": others},
            {"X-CSRF-Token": mine, **CROSS},
            {"X-CSRF-Token": mine, "origin": "https://elsewhere.example"},
        ):
            answer = support.request(method, where, headers=headers)
            assert answer.status_code == 403, (route.path, headers, answer.status_code)
    assert site.started == []
    pause = f"/pages/clubs/{site.club.id}/do/pause"
    good = {"sec-fetch-site": "same-origin", "origin": "http://testserver"}
    assert support.post(pause, data={"token": mine}, headers=good).status_code == 303


def _token(site: Site, role: str) -> str:
    text = site.page(role, "")
    return text.split('name="token" value="')[1].split('"')[0]


def test_another_club_has_none_of_this_ones(site: Site) -> None:
    """404 for a club that is not there, and for the hold, run, act and request of another club."""
    admin = site.program("admin")
    bodies = {
        "/api/v1/clubs/{club}/holds/{hold}/approve": {"list_hash": "ab", "comment": "c"},
        "/api/v1/clubs/{club}/holds/{hold}/reject": {"list_hash": "ab", "comment": "c"},
        "/api/v1/clubs/{club}/runs/{run}/undo": {},
        "/api/v1/clubs/{club}/why": {"who": "2"},
        "/api/v1/clubs/{club}/why/shown": {"who": "2"},
        "/api/v1/clubs/{club}/erase": {"erp_id": "2"},
        "/api/v1/clubs/{club}/similar/ignore": {"one": "1", "other": "22"},
        "/api/v1/clubs/{club}/reused/decide": {"erp_id": "1", "decision": "keep"},
        "/api/v1/clubs/{club}/webhooks/resume": {"webhook": "w", "message": "m"},
    }
    forms = {
        "/pages/clubs/{club}/holds/{hold}/decide": {
            "what": "approve",
            "list_hash": "ab",
            "comment": "c",
        },
        "/pages/clubs/{club}/similar/ignore": {"one": "1", "other": "22"},
        "/pages/clubs/{club}/reused/decide": {"erp_id": "1", "decision": "keep", "sure": "yes"},
        "/pages/clubs/{club}/erase": {"erp_id": "2", "sure": "yes"},
        "/pages/clubs/{club}/webhooks/resume": {"webhook": "w", "message": "m", "what": "replay"},
    }
    for method, route in routes(site):
        if "{club}" not in route.path:
            continue
        sent: dict[str, Any] = {}
        if route.path in bodies:
            sent = {"json": bodies[route.path]}
        elif route.path in forms:
            sent = {"data": forms[route.path]}
        answer = admin.request(method, path(route, "no-such-club", site), **sent)
        assert answer.status_code == 404, (method, route.path, answer.text[-300:])
        if "{hold}" in route.path or "{run}" in route.path:
            where = route.path.format(club=site.other.id, hold=_hold(site), run=_run(site))
            answer = admin.request(method, where, **sent)
            assert answer.status_code == 404, (method, where, answer.text[-300:])


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_only_who_administers_airflow_erases(site: Site, role: str) -> None:
    answer = site.program(role).post(f"/api/v1/clubs/{site.club.id}/erase", json={"erp_id": "2"})
    assert answer.status_code == 403
    assert "2" in site.club.base()


def test_errors_are_problems(site: Site) -> None:
    """problem+json for programs, with nothing of what was sent; a page for people."""
    viewer = site.as_("viewer")
    for answer in (
        site.as_(None).get("/api/v1/clubs"),
        viewer.get("/api/v1/clubs/nowhere"),
        viewer.get("/api/v1/clubs?page=0"),
        viewer.post("/api/v1/why", json={"who": ["ana@mail.example.org"]}),
        viewer.post(f"/api/v1/clubs/{site.club.id}/pause"),
        viewer.get("/api/v1/nothing/here"),
    ):
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) == {"title", "detail", "status"}
        assert answer.json()["status"] == answer.status_code
        assert "ana@" not in answer.text
    page = viewer.get("/pages/clubs/nowhere")
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (404, True)
    assert "clubs.yaml has no club nowhere." in page.text


def test_a_page_without_a_login_links_to_airflows_which_leads_back(site: Site) -> None:
    """Airflow sends on to the login of its auth manager, whichever that is."""
    stranger = site.as_(None)
    where = f"/pages/clubs/{site.club.id}"
    link = 'href="/api/v2/auth/login?next=' + quote(where + "?state=open", safe="")
    assert link in stranger.get(f"{where}?state=open").text
    # an action cannot be led back to: it would be asked for by GET
    assert 'href="/api/v2/auth/login"' in stranger.post(f"{where}/do/pause").text


def test_pages_let_nothing_in_from_elsewhere(site: Site) -> None:
    """The policy allows our own files only, and the pages keep to it: no inline script or style."""
    for where in (
        "",
        "/findings",
        "/similar",
        "/reused",
        "/people",
        f"/runs/{_run(site)}",
        "/person?erp_id=2",
    ):
        answer = site.as_("admin").get(f"/pages/clubs/{site.club.id}{where}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert "//" not in answer.text.replace("http://www.w3.org", "").split("<body")[1].split(
            "</body>"
        )[0].replace("://testserver", "")
