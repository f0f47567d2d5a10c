"""The authenticator: from a connection and `auth:` to headers, parameters or a login.

OAuth 2 client credentials are RFC 6749, section 4.4. A token is requested once per reading, and again when it
expires (`connectors.sdk.http`); it is kept in memory only.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from connectors.rest import templates
from connectors.rest.errors import error_check_of
from connectors.rest.settings import (
    BasicAuth,
    BearerAuth,
    HeaderAuth,
    OAuth2,
    QueryAuth,
    RestSettings,
    SessionAuth,
)
from connectors.rest.templates import PART
from connectors.sdk.base import Connection
from connectors.sdk.errors import ContractChanged, CredentialsRefused, SettingsWrong
from connectors.sdk.http import Http, HttpLimits, Login, RequestRejected
from connectors.sdk.paths import getter, text

#: statuses besides 401 by which a server rejects a login.
_LOGIN_REJECTED = frozenset({400, 422})


def part_of(connection: Connection, setting: str) -> Callable[[str], str]:
    """The function from the name of a value of the connection to the value.

    :raises SettingsWrong: when it is called: the connection lacks it.
    """

    def part(name: str) -> str:
        value: Any = connection.extra.get(name.removeprefix("extra."))
        if name in ("login", "password"):
            value = getattr(connection, name)
        if value is None or value == "":
            raise SettingsWrong(
                f"settings: {setting} needs {{{name}}}, which the connection {connection.id} lacks.",
                remedy="Add it to the connection, or correct the setting.",
            )
        return str(value)

    return part


def filled(template: str, connection: Connection, setting: str) -> str:
    """A template with the values of the connection filled in.

    :raises SettingsWrong: the connection lacks one.
    """
    part = part_of(connection, setting)
    return PART.sub(lambda found: part(found[1]), template)


def filled_params(
    params: Mapping[str, Any], connection: Connection, setting: str
) -> dict[str, Any]:
    """Parameters with the values of the connection filled in."""
    return {
        name: filled(value, connection, f"{setting}.{name}") if isinstance(value, str) else value
        for name, value in params.items()
    }


def headers_of(settings: RestSettings, connection: Connection) -> dict[str, str]:
    """The headers of every request, before any login."""
    out = {
        name: filled(value, connection, f"headers.{name}")
        for name, value in settings.headers.items()
    }
    auth = settings.auth
    match auth:
        case HeaderAuth():
            out |= {
                name: filled(value, connection, f"auth.headers.{name}")
                for name, value in auth.headers.items()
            }
        case BasicAuth():
            out["Authorization"] = _basic(auth, connection)
        case BearerAuth():
            out["Authorization"] = f"Bearer {filled(auth.token, connection, 'auth.token')}"
    for name, value in out.items():
        if not name.isascii() or not value.isascii() or "\n" in value or "\r" in value:
            raise SettingsWrong(f"settings: the value of header {name} is not valid in a header.")
    return out


def params_of(settings: RestSettings, connection: Connection) -> dict[str, Any]:
    """The parameters of every request for a list."""
    out = filled_params(settings.params, connection, "params")
    if isinstance(settings.auth, QueryAuth):
        out |= filled_params(settings.auth.params, connection, "auth.params")
    return out


def login_of(
    settings: RestSettings, connection: Connection, now: Callable[[], Any]
) -> Login | None:
    """The login that precedes the first request for data; None: there is none."""
    auth = settings.auth
    if isinstance(auth, OAuth2):
        return lambda http: _token(http, auth, settings, connection, now)
    if isinstance(auth, SessionAuth):
        return lambda http: _session(http, auth, settings, connection)
    return None


def _basic(auth: BasicAuth, connection: Connection) -> str:
    login = filled(auth.login, connection, "auth.login")
    if ":" in login:
        raise SettingsWrong(
            "settings: auth.login has a colon, which HTTP Basic does not allow in a name."
        )
    pair = f"{login}:{filled(auth.password, connection, 'auth.password')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _part(connection: Connection, name: str) -> str:
    return filled(f"{{{name}}}", connection, "auth")


def _token(
    http: Http, auth: OAuth2, settings: RestSettings, connection: Connection, now: Callable[[], Any]
) -> dict[str, str]:
    form = {"grant_type": "client_credentials", **auth.params}
    headers = {}
    if auth.scope:
        form["scope"] = auth.scope
    client, secret = _part(connection, "login"), _part(connection, "password")
    if auth.client == "form":
        form |= {"client_id": client, "client_secret": secret}
    else:
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()

    def request(server: Http, path: str) -> Any:
        return server.request(
            "POST", path, dict[str, Any], form=form, headers=headers, login=False
        ).value

    try:
        if auth.url.startswith("/"):
            response = request(http, auth.url)
        else:
            parts = urlsplit(auth.url)
            base = f"{parts.scheme}://{parts.netloc}"
            limits: HttpLimits = settings.http
            with Http(base, settings.name, limits, now=now) as server:
                response = request(server, parts.path or "/")
    except RequestRejected as error:
        if error.status == HTTPStatus.BAD_REQUEST:
            raise CredentialsRefused(
                f"{settings.name} issued no token for our credentials (HTTP 400)."
            ) from None
        raise
    return {"Authorization": f"Bearer {_token_at(response, auth.token, 'auth.token')}"}


def _session(
    http: Http, auth: SessionAuth, settings: RestSettings, connection: Connection
) -> dict[str, str]:
    sent: Any = templates.filled(auth.send, {}, part_of(connection, "auth.send"))
    try:
        reply = http.request(
            "POST",
            auth.path,
            object,
            body=None if auth.form else sent,
            form=sent if auth.form else None,
            login=False,
            error_check=error_check_of(settings),
        )
    except RequestRejected as error:
        if error.status in _LOGIN_REJECTED:
            raise CredentialsRefused(
                f"{settings.name} rejected our credentials (HTTP {error.status})."
            ) from None
        raise
    if auth.token_header is not None:
        token = reply.headers.get(auth.token_header, "")
        if not token:
            raise CredentialsRefused(
                f"The response to the login has no header {auth.token_header}: {settings.name} rejected our "
                "credentials, or settings: auth.token_header is wrong."
            )
    elif auth.token is not None:
        token = _token_at(reply.value, auth.token, "auth.token")
    else:
        return {}
    return {name: value.replace("{token}", token) for name, value in auth.headers.items()}


def _token_at(response: Any, path: str, setting: str) -> str:
    token = text(getter(path)(response), setting)
    if not token:
        raise ContractChanged(
            f"The response to the login has no token at {path}.",
            remedy=f"Correct settings: {setting}.",
        )
    return token
