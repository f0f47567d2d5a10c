"""Airflow's connections, handed to the sync in its own form."""

from __future__ import annotations

import functools
import json
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.sdk.base import Connection

tested_id: ContextVar[str | None] = ContextVar("tested_id", default=None)
"""While the api-server tests a connection under a made-up id: the id that it has or will have."""


def resolve(conn_id: str) -> Connection:
    """The connection of that id, from wherever Airflow keeps it; in a task and in the api-server alike.

    A task asks once: a connection in Airflow's data base costs 10 ms, and Airflow keeps none. The
    api-server lives for weeks, and asks each time.

    :raises clubsync.errors.ConnectionMissing: there is none, or its extra is not a JSON object.
    """
    return _once(conn_id) if _in_a_task() else _ask(conn_id)


def _in_a_task() -> bool:
    """Whether this process was started for one task, and has a supervisor to ask."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None) is not None


def _ask(conn_id: str) -> Connection:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from clubsync.connections import from_fields
    from clubsync.errors import ConnectionMissing

    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConnectionMissing(
            f"There is no connection {conn_id!r}.",
            remedy=f"Add it in Airflow (Admin, Connections) under the id {conn_id}.",
        ) from None
    fields: dict[str, object] = {
        "host": found.host,
        "login": found.login,
        "password": found.password,
        "port": found.port,
        "extra": found.extra,
    }
    try:
        return from_fields(conn_id, fields)
    except (ValueError, json.JSONDecodeError) as error:
        raise ConnectionMissing(
            f"The connection {conn_id!r} cannot be understood: {error}.",
            remedy="Correct it in Airflow (Admin, Connections).",
        ) from None


_once = functools.cache(_ask)
