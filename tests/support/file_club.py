"""A club whose ERP exports files into a folder; everything is real."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clubsync.config import ClubConfig, Config
from clubsync.model import Step
from clubsync.pipeline.engine import Pipeline
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection
from tests.support.club import Club

FIELDS = {
    "id": "id",
    "email": "email",
    "first_name": "first",
    "last_name": "last",
    "phone": "phone",
    "birth_date": "born",
    "status": "status",
    "groups": "groups",
    "valid_from": "from",
    "valid_until": "until",
}


class FileClub(Club):
    """One club on the real engine and the real `csv` connector.

    :param folder: where its exports are.
    :param settings: of the connector.
    """

    def __init__(
        self,
        base: Base,
        store: Path,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        fields: Sequence[str] = ("id", "email", "first_name", "last_name", "status", "groups"),
    ) -> None:
        super().__init__(base, store, monkeypatch)
        self.folder = folder
        self.files: dict[str, object] = {
            "customers": "customers.csv",
            "fields": {name: FIELDS[name] for name in fields},
        }

    @property
    def config(self) -> ClubConfig:
        return ClubConfig(
            id=self.id,
            name="Club",
            erp="csv",
            connection=self.id,
            settings=self.files,
            **self._settings,
        )

    def pipeline(self) -> Pipeline:
        return Pipeline(
            Config(clubs=(self.config,)),
            self._base,
            Store(str(self._store), base=self._base),
            resolve=lambda conn_id: Connection(id=conn_id, host=self.folder.as_uri()),
        )

    def export(
        self,
        text: str | bytes,
        *,
        name: str = "customers.csv",
        ago: timedelta = timedelta(0),
        rows: int | None = None,
    ) -> None:
        """An export five minutes later, written that long before."""
        self.later()
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.touch(path, self.now - ago)
        if rows is not None:
            path.with_name(path.name + ".rows").write_text(str(rows))

    def touch(self, path: Path, at: datetime) -> None:
        os.utime(path, (at.timestamp(), at.timestamp()))

    def read(self) -> Step:
        """One run of all four stages, whatever comes of it."""
        (step,) = self.pipeline().sync([self.id], "test")
        self.last = step
        return step

    def load(self, text: str | bytes, **how: object) -> Step:
        """An export and the run that reads it, which must go well."""
        self.export(text, **how)  # type: ignore[arg-type]  # they are those of `export`
        step = self.read()
        assert step["error"] is None, step["error"]
        return step


def table(*rows: str, columns: str = "id;email;first;last;status;groups") -> str:
    """A CSV of these rows."""
    return "\n".join((columns, *rows)) + "\n"


def people(*numbers: int) -> list[str]:
    """Rows of made-up people."""
    return [f"{n};p{n}@x.fr;First{n};Last{n};active;" for n in numbers]
