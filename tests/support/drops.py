"""Folders with exports in them, and connectors that read them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from connectors.registry import connector_class
from connectors.sdk.base import Club, Connection, Connector
from connectors.sdk.model import Reading


class DropOptions(TypedDict, total=False):
    """What a `FileDrop` takes beside its connection."""

    timeout: float
    max_bytes: int
    until: datetime


PARIS = Club(id="paris-11", timezone=ZoneInfo("Europe/Paris"), country="FR")


def put(
    folder: Path,
    name: str,
    text: str | bytes,
    *,
    at: datetime | None = None,
    rows: int | None = None,
) -> Path:
    """A file of the drop, last written at that time, with a `.rows` file where `rows` is given."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    if rows is not None:
        path.with_name(f"{path.name}.rows").write_text(f"{rows}\n")
    if at is not None:
        os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def connector(
    name: str, folder: Path, settings: Mapping[str, Any] | None = None, *, club: Club = PARIS
) -> Connector[Any]:
    """The connector of that name, for a folder of this machine."""
    kind = connector_class(name)
    return kind(
        Connection("drop", folder.as_uri()),
        kind.settings_type.model_validate(dict(settings or {})),
        club,
        now=lambda: datetime.now(UTC),
    )


def people(reading: Reading) -> dict[str, dict[str, Any]]:
    """erp_id -> the record."""
    return {row["erp_id"]: row for row in reading.customers.iter_rows(named=True)}
