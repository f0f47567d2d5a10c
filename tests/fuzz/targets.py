"""Every parser at the door, and inputs for it: each takes any input, and reads it or says why not.

A target lets nothing out but the errors that are made for people; whatever else comes out is a fault of ours.
"""

from __future__ import annotations

import base64
import gzip
import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from clubsync import emails
from clubsync.config import load_config
from clubsync.errors import SyncError
from connectors.sdk import fields, moments, words
from connectors.sdk.base import Club
from connectors.sdk.dates import Dates, Kind
from connectors.sdk.errors import ConnectorError
from connectors.sdk.files import archives, confined, tabular
from connectors.sdk.files.folder import Content
from connectors.sdk.files.limits import FileLimits
from connectors.sdk.http import HttpLimits, requested_wait
from connectors.sdk.http.responses import TryAgain, as_utf8, parsed
from connectors.sdk.http.sizes import check_json
from connectors.sdk.model import assemble, customers_frame, groups_frame
from connectors.sdk.webhooks import BadSecret, NotVerified, verify
from plugins.web import parameters
from tests.support.workbooks import workbook

#: What a target may say.
TOLD = (ConnectorError, SyncError, NotVerified, BadSecret, TryAgain, ValidationError)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FILES = FileLimits(
    max_bytes=2**20, max_records=1_000, max_columns=50, max_cells=10_000, max_memory=2**28
)
JSON = HttpLimits(max_values=5_000, max_depth=20)
CLUB = Club("gym", ZoneInfo("America/New_York"), "US", no_end=("2099-12-31", "ever"))


@dataclass(frozen=True)
class Target:
    """A parser, what it is given, and how many inputs of a hundred are its."""

    name: str
    inputs: st.SearchStrategy[Any]
    parse: Callable[[Any], object]
    share: int = 10


# Inputs -------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=200)
PIECES = [
    *(
        "id;mail\n",
        "id,mail\n",
        '"',
        '""',
        ";",
        ",",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\0",
        "\x1a",
        "\ufeff",
        "sep=;\n",
    ),
    *(
        "1",
        "a@x.fr",
        "é",
        "Ã©",
        "=1+1",
        '="0001"',
        "#N/A",
        "<html>",
        "{",
        "x" * 300,
        "\n\n",
        "Total",
        "\u202e",
    ),
]
TABLES = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
ENCODINGS = st.sampled_from(
    ["utf-8", "utf-16", "utf-16-le", "cp1252", "cp850", "utf-32", "mac_roman"]
)
CSV = st.one_of(
    st.binary(max_size=500),
    TABLES.map(str.encode),
    st.tuples(TABLES, ENCODINGS).map(lambda one: one[0].encode(one[1], "replace")),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
ODD_JSON = [
    *(
        b"",
        b"[",
        b"{",
        b"]" * 9,
        b"NaN",
        b"1e999",
        b"9" * 5_000,
        b'"\\ud800"',
        b"\xed\xa0\x80",
        b"\xff",
    ),
    *(
        b"[" * 3_000,
        b'{"a":' * 3_000,
        b"<html>",
        b"{}{}",
        b'{"data":[{"id":1},{"id":{}},3,null]}',
        b"\xef\xbb\xbf[]",
    ),
]


@st.composite
def damaged(draw: st.DrawFn, of: st.SearchStrategy[bytes]) -> bytes:
    """A valid input with some bytes changed, left out or repeated."""
    data = bytearray(draw(of))
    for _ in range(draw(st.integers(0, 6))):
        if not data:
            break
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                del data[at : at + draw(st.integers(1, 50))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 50))]
            case _:
                data[at:at] = draw(st.binary(max_size=8))
    return bytes(data)


ANSWERS = st.one_of(
    st.binary(max_size=300), st.sampled_from(ODD_JSON), damaged(VALUES.map(msgspec.json.encode))
)


@lru_cache
def _zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c.csv", "id;mail\n1;a@x.fr\n" * 20)
    return out.getvalue()


@lru_cache
def _book() -> bytes:
    return workbook(["id", "mail"], [1, "a@x.fr"], [2, 3.5], [None, True])


ARCHIVES = damaged(st.sampled_from([_zipped(), gzip.compress(b"id;mail\n1;a@x.fr\n"), _book()]))


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """A workbook whose parts are whole, and one of them damaged inside."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_book())) as old, zipfile.ZipFile(out, "w") as new:
        chosen = draw(st.sampled_from(old.namelist()))
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, draw(damaged(st.just(content))) if name == chosen else content)
    return out.getvalue()


#: What a cell of a workbook may hold.
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(date(1950, 1, 1)),
    st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=40),
)


@st.composite
def books(draw: st.DrawFn) -> bytes:
    """A whole workbook, with any cells."""
    rows = draw(st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=6))
    return workbook(["id", "mail"], *rows)


_LIKE_A_DATE = (
    r"[-+]?[0-9]{1,6}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ][0-9:.]{0,12}(Z|[+-][0-9:]{0,6})?)?"
)
DATES = st.one_of(
    TEXTS,
    st.integers(),
    st.floats(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.dates().map(str),
    st.datetimes().map(str),
    st.from_regex(
        _LIKE_A_DATE,
        fullmatch=True,
    ),
    VALUES,
)
ADDRESSES = st.one_of(
    TEXTS,
    st.emails(),
    st.tuples(TEXTS, st.sampled_from(["@", "@x.fr", "@xn--a", "@.", "@[::1]", ";a@x.fr"])).map(
        "".join
    ),
)
YAML_PIECES = [
    *(
        "clubs:",
        "defaults:",
        "\n",
        " ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "&a ",
        "*a",
        "!!int ",
        "!!binary ",
        "|\n",
    ),
    *(
        "id: x",
        "name: X",
        "erp: csv",
        "connection: c",
        "every: 5m",
        "guard: {share: 10%}",
        "timezone: Europe/Paris",
    ),
    *(
        "<<: *a",
        "? ",
        "# x",
        "%YAML 1.2\n---\n",
        "0x",
        "1e999",
        "2026-99-99",
        "~",
        "'",
        '"',
        "\t",
        "\u2028",
        "no_end: [1]",
    ),
]
YAML = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(YAML_PIECES), max_size=30).map("".join).map(str.encode),
)
ERPS = st.sampled_from(["magicline", "mindbody", "resamania", "square", "rest", "tryton"])
HEADER_NAMES = st.sampled_from(
    [
        *("webhook-id", "webhook-timestamp", "webhook-signature", "authorization", "x-api-key"),
        *("x-mindbody-signature", "x-square-hmacsha256-signature"),
    ]
)
WEBHOOKS = st.tuples(
    ERPS,
    st.one_of(
        st.text(max_size=40), st.binary(max_size=32).map(lambda b: base64.b64encode(b).decode())
    ),
    st.dictionaries(HEADER_NAMES, st.text(max_size=60), max_size=4),
    st.binary(max_size=200) | VALUES.map(msgspec.json.encode),
)
WAITS = st.dictionaries(
    st.sampled_from(
        ["Date", "Retry-After", "RateLimit-Reset", "X-RateLimit-Remaining", "X-Quota-Reset"]
    ),
    TEXTS | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(str),
)


# Targets ------------------------------------------------------------------------------------------


def _csv(data: bytes) -> None:
    table = tabular.parse(
        Content("c.csv", data, NOW, None), tabular.Layout(limits=FILES, columns=("id", "mail"))
    )
    assert table.frame.height <= FILES.max_records
    assert table.frame.width <= FILES.max_columns


def _archive(data: bytes) -> None:
    found, _ = archives.unpacked(data, "c.zip", FILES)
    assert len(found) <= max(FILES.max_bytes, len(data))


def parse_sheet(data: bytes) -> None:
    if data.startswith(confined.RISKY):
        confined.parse(data, "c.xlsx", 0, FILES)


def _json(one: bytes) -> None:
    content = as_utf8(one, "application/json; charset=latin-1")
    check_json(content, JSON, "here")
    parsed(content, dict[str, list[_Row]], "here")


class _Row(msgspec.Struct):
    id: int | str
    mail: str | None = None


def _record(values: list[Any]) -> None:
    """Whatever stands in the fields of records, as a connector hands them on."""
    texts = [
        str(value).encode("utf-8", "replace").decode() if value is not None else None
        for value in values
    ]
    rows = [
        {"erp_id": one, "email": one, "first_name": one, "last_name": one, "phone": one, "status": "active",
         "groups": [{"id": one, "valid_from": None, "valid_until": None}]}
        for one in texts
    ]  # fmt: skip
    groups = groups_frame([{"id": one, "name": one, "active": True} for one in texts if one])
    reading = assemble(customers_frame(rows), groups, as_of=NOW, paged=True, pages=1)
    assert not reading.customers["erp_id"].str.contains("\0", literal=True).any()


def _date(value: Any) -> None:
    dates = Dates(CLUB)
    for kind in Kind:
        day = dates.day(value, kind)
        assert not isinstance(day, datetime)
        assert not hasattr(day, "year") or moments.day_in_range(day)  # type: ignore[arg-type]
    found = dates.moment(value)
    assert not isinstance(found, datetime) or moments.in_range(found) is not None
    text = str(value).encode("utf-8", "replace").decode()
    dates.read(pl.DataFrame({"birth_date": [text], "valid_until": [text], "created_at": [text]}))


def _email(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    found = emails.evaluate(pl.Series([clean]), ["*@y.fr", "no?@*"])
    normalised = found["email_norm"][0]
    assert normalised is None or len(normalised) <= 320


def _words(one: tuple[str, str]) -> None:
    cell, other = (text.encode("utf-8", "replace").decode() for text in one)
    assert words.word(words.word(cell)) == words.word(cell)
    words.split_names(cell, [",", " - ", ";"], words.words([other, "a, b"]))
    words.one_spelling({cell: 1, other: 2})
    fields.split_names(pl.Series([cell, other]))
    fields.phones(pl.Series([cell, other]), "FR")


def _yaml(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clubs.yaml"
        path.write_bytes(data)
        load_config(path)


def _webhook(one: tuple[str, str, dict[str, str], bytes]) -> None:
    verify(*one)


def _wait(headers: dict[str, str]) -> None:
    requested_wait(headers, NOW)


_PARAMETERS = [
    TypeAdapter(kind)
    for kind in (parameters.Text, parameters.RequiredText, parameters.Code, parameters.Hash)
]


def _parameter(text: str) -> None:
    for adapter in _PARAMETERS:
        try:
            taken = adapter.validate_python(text)
        except ValidationError:
            continue
        assert len(taken) <= 200
        assert "\0" not in taken


TARGETS = (
    Target("CSV", CSV, _csv, 20),
    Target("archives", ARCHIVES, _archive),
    Target("workbooks, in their process", st.one_of(books(), sheets()), parse_sheet, 0),
    Target("JSON responses", ANSWERS, _json, 14),
    Target("fields of records", st.lists(VALUES, min_size=1, max_size=6), _record, 4),
    Target("dates", DATES, _date),
    Target("emails", ADDRESSES, _email),
    Target("words, names and phones", st.tuples(TEXTS, TEXTS), _words, 6),
    Target("clubs.yaml", YAML, _yaml, 8),
    Target("webhooks", WEBHOOKS, _webhook),
    Target("headers that ask to wait", WAITS, _wait, 4),
    Target("parameters of pages and API", TEXTS, _parameter, 4),
)
