"""Airflow's connections, handed to the sync in its own form."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.base import Connection


@functools.cache
def resolve(conn_id: str) -> Connection:
    """The connection of that id, from wherever Airflow keeps it.

    Asked once per task: a connection in Airflow's data base costs 10 ms, and Airflow keeps none.

    :raises clubsync.errors.ConnectionMissing: there is none, or its extra is not a JSON object.
    """
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
