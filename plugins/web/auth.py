"""Authorization by Airflow's auth manager, and protection against requests that another site makes in a user's name.

| | permission in Airflow | roles of its simple auth manager and of FAB |
|---|---|---|
| read, masked | see runs of `sync_one` | viewer and above |
| act; see personal data | start runs of `sync_one` | user (support) and above |
| erase a person | delete connections | op and admin |

Permissions are asked for, never roles by their name, so that any auth manager will do (docs/operating.md, Login).

Actions of a browser, which is logged in by a cookie, must come from our own pages: from the same origin, with the
token that those pages contain. A request with a bearer token is not a browser's and needs neither.
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
from plugins.web.errors import ProblemError

HEADER = "X-CSRF-Token"
FIELD = "token"
VALID = 12 * 3600
"""Seconds that the token of an open page is valid."""


@dataclass(frozen=True)
class User:
    """A user of Airflow.

    :param name: what they log in with; it names them in the audit. An auth manager may also number them: not that.
    """

    name: str
    may_act: bool
    may_erase: bool

    @property
    def token(self) -> str:
        """The token in the forms of this user's pages."""
        return _signer().dumps(self.name)


def reader(user: GetUserDep) -> User:
    """:raises ProblemError: 403: the user has no permission to see runs of `sync_one`."""
    manager = get_auth_manager()
    details = DagDetails(id=SYNC_ONE, team_name=_team())

    def allowed(method: str) -> bool:
        return manager.is_authorized_dag(
            method=method,  # type: ignore[arg-type]  # one of ResourceMethod's words, given below
            access_entity=DagAccessEntity.RUN,
            details=details,
            user=user,
        )

    if not allowed("GET"):
        raise ProblemError(
            403, "Not allowed", "You have no permission in Airflow to see runs of sync_one."
        )
    return User(
        name=user.get_name(),
        may_act=allowed("POST"),
        may_erase=manager.is_authorized_connection(
            method="DELETE", details=ConnectionDetails(), user=user
        ),
    )


Reader = Annotated[User, Depends(reader)]


async def actor(user: Reader, request: Request) -> User:
    """:raises ProblemError: 403: the user has no permission to start runs of `sync_one`, or another site asks."""
    if not user.may_act:
        raise ProblemError(
            403,
            "Not allowed",
            "You have read-only access. Ask the administrator of Airflow for the role User.",
        )
    await _from_our_pages(user, request)
    return user


Actor = Annotated[User, Depends(actor)]


async def viewer_of_personal_data(user: Reader, request: Request) -> User | None:
    """The user who is shown personal data: whoever asks for a page by POST. By GET it is masked.

    :raises ProblemError: 403: as for `actor`.
    """
    return await actor(user, request) if request.method == "POST" else None


ShownTo = Annotated[User | None, Depends(viewer_of_personal_data)]


async def eraser(user: Actor) -> User:
    """:raises ProblemError: 403: the user is no administrator of Airflow."""
    if not user.may_erase:
        raise ProblemError(
            403, "Not allowed", "Only administrators of Airflow are allowed to erase a person."
        )
    return user


Eraser = Annotated[User, Depends(eraser)]


async def _from_our_pages(user: User, request: Request) -> None:
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    given = request.headers.get(HEADER)
    if given is None and request.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    ):
        given = str((await request.form()).get(FIELD, ""))
    if not _same_origin(request) or not _is_token(given or "", user.name):
        raise ProblemError(
            403,
            "Page expired",
            "The page is too old, or the request came from another site. Reload the page and try again.",
        )


def _same_origin(request: Request) -> bool:
    """As browsers declare it of each request. A request without such headers has only the token."""
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
    """The team that owns `sync_one`, where Airflow has teams."""
    if not conf.getboolean("core", "multi_team", fallback=False):
        return None
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(SYNC_ONE)
