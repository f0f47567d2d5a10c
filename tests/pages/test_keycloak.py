"""The pages under Airflow's Keycloak auth manager, and a Keycloak that answers as its documentation says.

Its answers are ours, so this shows that our checks ask Keycloak for permissions and name people rightly, not that a
real Keycloak works (docs/operating.md, Login).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from fastapi import Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.environment import KEYCLOAK, SIMPLE
from tests.pages.conftest import Site
from tests.support.servers import serving

READS = {"Dag#GET", "Dag#LIST"}
MAY = {
    "nora": set(),
    "vera": READS,
    "sam": {*READS, "Dag#POST", "Dag#PUT"},
    # by its defaults, Keycloak's role Op has connections, and no Dags beyond reading
    "olga": {*READS, "Connection#DELETE"},
    "ada": {*READS, "Dag#POST", "Dag#PUT", "Connection#DELETE"},
}
"""User -> the permissions that Keycloak grants, as resource#scope."""


async def _token(request: Request) -> Response:
    """The token endpoint: may the owner of this token do that? (grant type uma-ticket)"""
    form = await request.form()
    user = request.headers["authorization"].removeprefix("Bearer of ")
    if user not in MAY or form["audience"] != "clubs":
        return JSONResponse({"error": "invalid_grant"}, 400)
    if form["permission"] not in MAY[user]:
        return JSONResponse({"error": "access_denied"}, 403)
    if str(form["permission"]).startswith("Dag#"):
        assert b'"sync_one"' in base64.b64decode(str(form["claim_token"]))
    return JSONResponse({"access_token": "granted"})


@pytest.fixture
def keycloak(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who asks is a user of Keycloak, of the name that a test gives as the role."""
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.api_fastapi.core_api.security import get_user
    from airflow.providers.keycloak.auth_manager.user import KeycloakAuthManagerUser

    path = "/realms/sport/protocol/openid-connect/token"
    with serving(Starlette(routes=[Route(path, _token, methods=["POST"])])) as url:
        section = "AIRFLOW__KEYCLOAK_AUTH_MANAGER__"
        monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", KEYCLOAK)
        for name, value in (("SERVER_URL", url), ("REALM", "sport"), ("CLIENT_ID", "clubs")):
            monkeypatch.setenv(section + name, value)
        manager = create_auth_manager()
        assert type(manager).__name__ == "KeycloakAuthManager"

        def who(request: Request) -> KeycloakAuthManagerUser:
            name = request.headers["X-Test-Role"]
            number = f"0b5e-{name}"  # Keycloak's own, which is nobody's name
            return KeycloakAuthManagerUser(
                user_id=number, name=name, access_token=f"of {name}", refresh_token=None
            )

        site.app.dependency_overrides[get_user] = who
        yield
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", SIMPLE)
    create_auth_manager()


@pytest.mark.parametrize(
    ("user", "reads", "acts", "erases"),
    [
        ("nora", 403, 403, 403),
        ("vera", 200, 403, 403),
        ("sam", 200, 200, 403),
        ("olga", 200, 403, 403),
        ("ada", 200, 200, 200),
        ("gone", 403, 403, 403),
    ],
)
def test_r18_keycloak_says_who_may_what_and_the_audit_has_the_user_name(
    site: Site, keycloak: None, user: str, reads: int, acts: int, erases: int
) -> None:
    program, club = site.program(user), f"/api/v1/clubs/{site.club.id}"
    query = "select actor from sync.act where club = %s"
    before = len(site.club.rows(query, site.club.number))
    assert program.get(club).status_code == reads
    assert program.get(f"/pages/clubs/{site.club.id}").status_code == reads
    assert program.post(f"{club}/pause").status_code == acts
    assert program.post(f"{club}/erase", json={"erp_id": "2"}).status_code == erases
    done = {
        actor for (actor,) in site.club.rows(query + " order by act", site.club.number)[before:]
    }
    assert done == ({user} if acts == 200 else set())
