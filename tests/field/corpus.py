"""The corpus of real shapes: what the YAML files of this folder hold, and how a case is read by its real connector.

A file holds several cases of one kind, and what they share (`connector`, `settings`, `club`). README.md describes
the keys, and how to add a case.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import polars as pl
from openpyxl import Workbook
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from starlette.responses import JSONResponse, Response

from clubsync import emails
from clubsync.extract import identity
from connectors.registry import connector_class
from connectors.sdk.base import Club, Connection
from connectors.sdk.model import Reading
from tests.support.api import Api, Asked
from tests.support.drops import put

HERE = Path(__file__).parent
#: Exports are of that moment, and readings take place at `NOW`.
WRITTEN, NOW = datetime(2026, 11, 28, 22, 30, tzinfo=UTC), datetime(2026, 11, 29, 4, tzinfo=UTC)
#: `{U+00AD}` is that character, `{0xE9}` that byte.
_CHARACTER, _BYTE = re.compile(r"\{U\+([0-9A-F]{4,6})\}"), re.compile(rb"\{0x([0-9A-F]{2})\}")
_QUICK = {"attempts": 1, "backoff": 0, "longest_wait": 0.1}
_ENVELOPE = {"json", "text", "status", "headers", "when"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Export(_Strict):
    """A file of the drop: its text, or bytes, or the rows of a workbook."""

    name: str = "customers.csv"
    file: str | None = None
    encoding: str | tuple[str, ...] = "utf-8"
    line_end: str = "\n"
    base64: str | None = None
    rows: list[list[Any]] | None = None
    sheets: dict[str, list[list[Any]]] | None = None
    zipped: str | None = None
    cut: int = 0
    counted: int | None = None
    written: datetime = WRITTEN

    def content(self) -> bytes:
        """Its bytes."""
        data = self._zipped()
        return data[: len(data) - self.cut]

    def _zipped(self) -> bytes:
        data = self._plain()
        if self.zipped is None:
            return data
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(self.zipped, data)
        return out.getvalue()

    def _plain(self) -> bytes:
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        if self.rows is not None or self.sheets is not None:
            return _workbook(self.sheets or {"Sheet1": self.rows or []})
        assert self.file is not None
        return _encoded(self.file.replace("\n", self.line_end), self.encoding)


class Expected(_Strict):
    """The right reading. What is not named has to be absent: doubts, unreadable fields, notes, odd ids.

    :param customers: by id, or in order for files without ids, the columns that the case is about; or the ids alone.
    :param groups: all of them: name -> whether it is active; a list: all are.
    :param without_id: the numbers of the rows without an id.
    :param ambiguous: how many records no key tells apart, of a file without ids.
    :param error: the class of the error that refuses the reading; `says`: parts of its message.
    """

    customers: dict[str | int, dict[str, Any] | None] | list[dict[str, Any] | str | int] | None = (
        None
    )
    groups: dict[str, bool | None] | list[str] | None = None
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    without_id: tuple[int, ...] = ()
    ambiguous: int | None = None
    consistency: Literal["moment", "by id", "by position"] | None = None
    error: str | None = None
    says: tuple[str, ...] = ()


class Case(Export):
    """A real shape, and its right reading.

    :param kind: what kind it stands for, in one line.
    :param xfail: why clubsync does not read it rightly yet.
    """

    kind: str
    connector: Literal["csv", "rest"]
    settings: dict[str, Any] = Field(default_factory=dict)
    club: dict[str, Any] = Field(default_factory=dict)
    also: tuple[Export, ...] = ()
    answers: dict[str, list[Any]] | list[Any] | None = None
    expect: Expected
    xfail: str | None = None

    def read(self, folder: Path, server: Api) -> Reading:
        """It, read by the real connector."""
        host = server.url
        settings = self.settings
        if self.connector == "csv":
            for export in (*self.also, self):
                data = export.content()
                put(folder, export.name, data, at=export.written, rows=export.counted)
            host = folder.as_uri()
        else:
            server.answers = {
                path: _in_turn(answers)
                for path, answers in _by_path(self.answers, settings).items()
            }
            settings = {"http": _QUICK, **settings}
        kind = connector_class(self.connector)
        connection = Connection("field", host, password="secret")
        valid = kind.settings_type.model_validate(settings)
        return kind(connection, valid, self._club(), now=lambda: NOW).read()

    def _club(self) -> Club:
        own = {"timezone": "Europe/Paris", "country": "FR", **self.club}
        return Club(
            id="field",
            timezone=ZoneInfo(own["timezone"]),
            country=own["country"],
            group_names=tuple(own.get("group_names", ())),
            no_end=tuple(own.get("no_end", ())),
        )


def cases() -> dict[str, Case]:
    """All cases, by the name of their file and their number in it."""
    found = {}
    for path in sorted(HERE.glob("*.yaml")):
        document = _spelled_out(YAML(typ="safe", pure=True).load(path.read_text("utf-8")))
        shared = {
            key: document[key] for key in ("connector", "settings", "club") if key in document
        }
        for number, case in enumerate(document["cases"], 1):
            found[f"{path.stem}-{number}"] = Case.model_validate(_merged(shared, case))
    return found


def compare(reading: Reading, expected: Expected) -> None:
    """Compare a reading with the right one.

    :raises AssertionError: they differ.
    """
    certificate = reading.certificate
    _each_once(certificate.doubts, expected.doubts)
    assert certificate.complete is not bool(expected.doubts)
    _each_once(reading.notes, expected.notes)
    assert reading.conflicting_ids == expected.duplicate
    lacking = reading.without_id["row"].to_list() if reading.without_id is not None else []
    assert lacking == list(expected.without_id)
    if expected.customers is not None:
        _compare_customers(reading.customers, expected.customers)
    if expected.groups is not None:
        _compare_groups(reading.groups, expected.groups)
    if expected.consistency is not None:
        assert str(reading.consistency) == expected.consistency
    if expected.ambiguous is not None:
        _, _, twins = identity.resolve(reading.customers, [], b"secret")
        assert len(twins) == expected.ambiguous


def _each_once(found: Sequence[str], parts: Sequence[str]) -> None:
    """Each part is in a sentence of its own, and there are no others."""
    assert len(found) == len(parts), found
    assert all(any(part in one for one in found) for part in parts), found


def _compare_customers(
    customers: pl.DataFrame,
    expected: dict[str | int, dict[str, Any] | None] | list[dict[str, Any] | str | int],
) -> None:
    rows = _shown(customers)
    if isinstance(expected, list) and not any(isinstance(one, dict) for one in expected):
        assert sorted(row["erp_id"] for row in rows) == sorted(map(str, expected))
        return
    if isinstance(expected, list):
        pairs = list(zip(rows, expected, strict=True))
    else:
        wanted = {str(key): value or {} for key, value in expected.items()}
        assert {row["erp_id"] for row in rows} == set(wanted)
        pairs = [(row, wanted[row["erp_id"]]) for row in rows]
    for row, want in pairs:
        want = {"unreadable": [], **cast("dict[str, Any]", want)}
        assert {name: row[name] for name in want} == {n: _plain(v) for n, v in want.items()}


def _shown(customers: pl.DataFrame) -> list[dict[str, Any]]:
    """The customers as cases write them; `address`: their email as R2 has it, or why it is none."""
    judged = emails.evaluate(customers["email"])
    out = []
    for row, (norm, state, about) in zip(
        customers.iter_rows(named=True), judged.iter_rows(), strict=True
    ):
        out.append(
            {
                **{name: _plain(value) for name, value in row.items()},
                "groups": [_span(one) for one in row["groups"]],
                "unreadable": sorted({one["field"] for one in row["unreadable"]}),
                "address": norm or " ".join(filter(None, (state, about))),
            }
        )
    return out


def _span(held: Mapping[str, Any]) -> str:
    """A group with its dates: `Gold`, `Gold 2026-01-01..2026-12-31`, `Gold ..2026-12-31`."""
    first, last = held["valid_from"] or "", held["valid_until"] or ""
    return f"{held['id']} {first}..{last}" if first or last else str(held["id"])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _compare_groups(groups: pl.DataFrame, expected: dict[str, bool | None] | list[str]) -> None:
    found = dict(groups.select("name", "active").iter_rows())
    assert found == (expected if isinstance(expected, dict) else dict.fromkeys(expected, True))


# what a case writes -> what is read -------------------------------------------------------------


def _spelled_out(value: Any) -> Any:
    """Everything that a file says, with `{U+00AD}` as that character."""
    if isinstance(value, str):
        return _CHARACTER.sub(lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, dict):
        return {_spelled_out(key): _spelled_out(inner) for key, inner in value.items()}
    return [_spelled_out(item) for item in value] if isinstance(value, list) else value


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(shared)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merged(out[key], value) if both else value
    return {key: value for key, value in out.items() if value != "omitted"}


def _encoded(text: str, encoding: str | Iterable[str]) -> bytes:
    """Text as bytes; of several encodings, written in the first, read in the second, written in the third, …"""
    first, *rest = [encoding] if isinstance(encoding, str) else encoding
    data = text.encode(first)
    for wrong, again in zip(rest[::2], rest[1::2], strict=True):
        data = data.decode(wrong).encode(again)
    return _BYTE.sub(lambda match: bytes([int(match[1], 16)]), data)


def _workbook(sheets: Mapping[str, list[list[Any]]]) -> bytes:
    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _by_path(
    answers: dict[str, list[Any]] | list[Any] | None, settings: Mapping[str, Any]
) -> dict[str, list[Any]]:
    if isinstance(answers, dict):
        return answers
    return {settings["customers"]["path"]: answers or []}


def _in_turn(answers: list[Any]) -> Callable[[Asked], Response]:
    """One answer after the other; those with `when` to the requests with these parameters. Behind the last: 404."""
    left = [one if _is_envelope(one) else {"json": one} for one in answers]

    def answer(asked: Asked) -> Response:
        at = next((n for n, one in enumerate(left) if _is_for(one, asked)), None)
        if at is None:
            return JSONResponse({"error": "not found"}, 404)
        said = left[at] if "when" in left[at] else left.pop(at)
        body = said["text"] if "text" in said else json.dumps(said.get("json"))
        data = _encoded(body, "utf-8")
        return Response(data, said.get("status", 200), said.get("headers"), "application/json")

    return answer


def _is_envelope(answer: Any) -> bool:
    return isinstance(answer, dict) and bool(answer) and set(answer) <= _ENVELOPE


def _is_for(answer: Mapping[str, Any], asked: Asked) -> bool:
    return all(asked.query.get(k) == str(v) for k, v in answer.get("when", {}).items())
