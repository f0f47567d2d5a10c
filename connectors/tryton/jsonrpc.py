"""Tryton's JSON-RPC: one address, a session, errors in responses of status 200."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    SettingsWrong,
)
from connectors.sdk.http import Http
from connectors.tryton.queries import BY_ID, HIGHEST_FIRST, Domain, context_of

T = TypeVar("T")


class _Response(msgspec.Struct, Generic[T]):
    result: T | None = None
    error: list[Any] | None = None


class JsonRpc:
    """Queries over JSON-RPC."""

    most_ids = 5000

    def __init__(self, http: Http) -> None:
        self._http = http

    def call(self, method: str, params: list[Any], into: type[T], *, login: bool = True) -> T:
        """One call.

        :param into: the type of its result.
        :raises ConnectorError: as `Http.json`, and for errors in responses of status 200.
        """
        response = self._http.json(
            "POST",
            "/rpc/",
            _Response[into],  # type: ignore[valid-type]  # a type made at run time, for msgspec
            body={"id": 0, "method": method, "params": params},
            login=login,
        )
        if response.error is not None:
            raise _error(method, response.error)
        if response.result is None:
            raise ContractChanged(f"Tryton returned no result for {method}.")
        return response.result

    def log_in(self, login: str | None, password: str | None) -> str:
        """A new session, as the Authorization header's value."""
        try:
            user, session = self.call(
                "common.db.login",
                [login, {"password": password}],
                tuple[int, str, Any],
                login=False,
            )[:2]
        except SettingsWrong as error:
            if not error.what.endswith("(HTTP 404)."):
                raise
            raise SettingsWrong(
                "The Tryton server has no such database.",
                remedy="Correct the connection's host or the setting database.",
            ) from None
        return "Session " + base64.b64encode(f"{login}:{user}:{session}".encode()).decode()

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """`model.<model>.search_read`."""
        return self.call(
            f"model.{model}.search_read",
            [domain, 0, limit, BY_ID, ["id", *names], context_of(model)],
            into,
        )

    def highest(self, model: str, domain: Domain) -> int:
        """`model.<model>.search`."""
        found = self.call(
            f"model.{model}.search", [domain, 0, 1, HIGHEST_FIRST, context_of(model)], list[int]
        )
        return found[0] if found else 0

    def count(self, model: str, domain: Domain) -> int:
        """`model.<model>.search_count`."""
        return self.call(f"model.{model}.search_count", [domain, 0, None, context_of(model)], int)

    def close(self) -> None:
        """End the session, so that Tryton does not collect one per run; if that fails, it will expire."""
        try:
            self._http.json(
                "POST",
                "/rpc/",
                _Response[Any],
                body={"id": 0, "method": "common.db.logout", "params": []},
                once=True,
            )
        except ConnectorError:
            pass


def _error(method: str, error: list[Any]) -> ConnectorError:
    """The error in a response of status 200. Its own text may name people and is left out (R19)."""
    kind = error[0] if error else None
    if kind == "LoginException":
        return CredentialsRefused("Tryton asks for more than a password to log in.")
    if kind in ("UserError", "UserWarning"):
        return CredentialsRefused(
            f"Tryton denied us {method} ({kind}).",
            remedy="Grant the connection's user the permission to read parties, categories, contact "
            "mechanisms and relations.",
        )
    return ErpUnreachable(
        f"Tryton failed at {method}.",
        remedy="Tryton's own log has the cause. If it persists, that Tryton lacks a module or field that "
        "the connector reads, or the setting domain is wrong.",
    )
