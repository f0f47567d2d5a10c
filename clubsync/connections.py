"""Connections for the command line, looked up as Airflow does: the variable AIRFLOW_CONN_<ID> first.

If it is not set, the `airflow` command is asked, which knows secrets backends and Airflow's database; that
takes seconds per connection. Within Airflow, `plugins/connections/resolver.py` does this instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from clubsync.errors import ConnectionMissing
from connectors.sdk.base import Connection


def resolve(conn_id: str) -> Connection:
    """The connection with this id.

    :raises ConnectionMissing: there is none, or its environment variable is not valid.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper().replace('-', '_')}"
    value = os.environ.get(variable)
    if value:
        try:
            return parse(conn_id, value)
        except ValueError as error:
            raise ConnectionMissing(
                f"The environment variable {variable} is not a valid connection: {error}.",
                remedy='Write it as JSON: {"conn_type": "…", "host": "…", "login": "…", "password": "…"}.',
            ) from None
    found = _ask_airflow(conn_id)
    if found is None:
        raise ConnectionMissing(
            f"There is no connection {conn_id!r}.",
            remedy=f"Add it in Airflow (Admin, Connections), or set {variable}.",
        )
    return found


def parse(conn_id: str, value: str) -> Connection:
    """A connection from Airflow's JSON or URI form.

    :raises ValueError: it is neither; the message quotes nothing of the value, which may be secret.
    """
    value = value.strip()
    if value.startswith("{"):
        try:
            fields = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"the JSON is not valid at character {error.pos}") from None
        return from_fields(conn_id, fields)
    parts = urlsplit(value)
    if not parts.scheme:
        raise ValueError("it is neither JSON nor a URI")
    query = dict(parse_qsl(parts.query))
    extra = _extra(query.pop("__extra__")) if "__extra__" in query else query
    try:
        port = parts.port
    except ValueError:
        # a password whose slash or @ is not percent-encoded may be parsed as the port
        raise ValueError("the port is not a number") from None
    return Connection(
        id=conn_id,
        host=unquote(parts.hostname or ""),
        login=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        port=port,
        extra=extra,
    )


def from_fields(conn_id: str, fields: dict[str, object]) -> Connection:
    """A connection from the fields of Airflow's JSON form; `extra` is an object or JSON text.

    :raises ValueError: a field is not valid.
    """
    extra = _extra(fields.get("extra") or {})
    port = fields.get("port")
    if port and not str(port).isdecimal():
        raise ValueError("the port is not a number")
    return Connection(
        id=conn_id,
        host=str(fields.get("host") or ""),
        login=str(fields["login"]) if fields.get("login") else None,
        password=str(fields["password"]) if fields.get("password") else None,
        port=int(str(port)) if port else None,
        extra=extra,
    )


def _extra(extra: object) -> dict[str, Any]:
    """A connection's extra from an object or its JSON text, without the fields that a form left empty."""
    if isinstance(extra, str):
        try:
            extra = json.loads(extra)
        except json.JSONDecodeError:
            raise ValueError("the extra is not valid JSON") from None
    if not isinstance(extra, dict):
        raise ValueError("the extra is not a JSON object")
    return {key: value for key, value in extra.items() if value is not None and value != ""}


def _ask_airflow(conn_id: str) -> Connection | None:
    airflow = Path(sys.executable).with_name("airflow")
    if not airflow.exists() or not os.environ.get("AIRFLOW_HOME"):
        return None
    answer = subprocess.run(
        [str(airflow), "connections", "get", conn_id, "-o", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    start = answer.stdout.find("[")
    if answer.returncode or start < 0:
        return None
    return from_fields(conn_id, json.loads(answer.stdout[start:])[0])
