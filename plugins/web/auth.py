"""Who may what, asked of Airflow's auth manager; and that a person, not another site, asked for an act.

| | Airflow's own right | its simple auth manager's roles |
|---|---|---|
| read, masked | to see runs of `sync_one` | viewer and above |
| act; see personal data | to start runs of `sync_one` | user (support) and above |
| erase a person | to delete connections | op and admin |

Acts by the log-in cookie have to come from our own pages: same origin, and with the token that those carry. A
request with a bearer token is no browser's doing, and needs neither.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from fastapi import Depends, Request
from itsdangerous import BadData, URLSafeTimedSerializer

from plugins.dag_ids import SYNC_ONE
from plugins.web.errors import Refused

HEADER = "X-CSRF-Token"
FIELD = "token"
VALID = 12 * 3600
"""Seconds for which the token of a page that lies open is taken."""


@dataclass(frozen=True)
class Person:
    """Who asks.

    :param name: as Airflow knows them; what the audit says.
    """

    name: str
    may_act: bool
    may_erase: bool

    @property
    def token(self) -> str:
        """What the forms of this person's pages carry."""
        return _signer().dumps(self.name)


def reader(user: GetUserDep) -> Person:
    """:raises Refused: 403: they may not see runs of `sync_one`."""
    manager = get_auth_manager()
    details = DagDetails(id=SYNC_ONE, team_name=_team())

    def may_runs(method: str) -> bool:
        return manager.is_authorized_dag(
            method=method,  # type: ignore[arg-type]  # one of ResourceMethod's words, given below
            access_entity=DagAccessEntity.RUN,
            details=details,
            user=user,
        )

    if not may_runs("GET"):
        raise Refused(403, "Not allowed", "You may not see runs of sync_one in Airflow.")
    return Person(
        name=user.get_name(),
        may_act=may_runs("POST"),
        may_erase=manager.is_authorized_connection(
            method="DELETE", details=ConnectionDetails(), user=user
        ),
    )


Reader = Annotated[Person, Depends(reader)]


async def actor(person: Reader, request: Request) -> Person:
    """:raises Refused: 403: they may not start runs of `sync_one`, or another site asks in their name."""
    if not person.may_act:
        raise Refused(403, "Not allowed", "You may look, but not act: ask whoever runs Airflow.")
    await _from_our_pages(person, request)
    return person


Actor = Annotated[Person, Depends(actor)]


async def eraser(person: Actor) -> Person:
    """:raises Refused: 403: they do not administer this Airflow."""
    if not person.may_erase:
        raise Refused(403, "Not allowed", "Erasing a person is for those who administer Airflow.")
    return person


Eraser = Annotated[Person, Depends(eraser)]


async def _from_our_pages(person: Person, request: Request) -> None:
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    given = request.headers.get(HEADER)
    if given is None and request.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    ):
        given = str((await request.form()).get(FIELD, ""))
    if not _same_origin(request) or not _is_token(given or "", person.name):
        raise Refused(
            403,
            "Not from this page",
            "The page is too old, or another site asked. Reload it and try again.",
        )


def _same_origin(request: Request) -> bool:
    """By what browsers say of a request by themselves; what says nothing has the token alone to show."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    return urlsplit(origin).netloc in hosts


def _is_token(given: str, name: str) -> bool:
    try:
        return bool(_signer().loads(given, max_age=VALID) == name)
    except BadData:
        return False


@functools.cache
def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), "clubs pages")


def _team() -> str | None:
    """Whose Dag `sync_one` is, where Airflow is shared by teams."""
    if not conf.getboolean("core", "multi_team", fallback=False):
        return None
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(SYNC_ONE)
