"""Airflow's connections, in the form that connectors expect."""

from __future__ import annotations

import functools
import json
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.sdk.base import Connection

tested_id: ContextVar[str | None] = ContextVar("tested_id", default=None)
"""The real id of a connection that the api-server tests under a generated one."""


def resolve(conn_id: str) -> Connection:
    """The connection of that id from any backend of Airflow, in a task or in the api-server.

    A task looks each connection up once: that costs 10 ms in Airflow's database, and Airflow does not cache it. The
    api-server runs for weeks and looks it up each time.

    :raises clubsync.errors.ConnectionMissing: it does not exist, or its extra is not a JSON object.
    """
    return _once(conn_id) if _in_a_task() else _look_up(conn_id)


def _in_a_task() -> bool:
    """Whether this process runs one task, and has a supervisor."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return getattr(runner, "SUPERVISOR_COMMS", None) is not None


def _look_up(conn_id: str) -> Connection:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    from clubsync.connections import from_fields
    from clubsync.errors import ConnectionMissing

    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConnectionMissing(
            f"The connection {conn_id!r} does not exist.",
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
            f"The connection {conn_id!r} is not valid: {error}.",
            remedy="Correct it in Airflow (Admin, Connections).",
        ) from None


_once = functools.cache(_look_up)
