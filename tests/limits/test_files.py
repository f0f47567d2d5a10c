"""Small files, large costs: each is refused with a sentence, and takes no more memory than it should.

Memory is measured in a process of its own; the bounds are generous, and what the same file cost without the limit is
many times more.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sdk.errors import ConnectorError, ContractChanged, FileBroken, LimitExceeded
from connectors.sdk.files import folder, parts, tabular
from connectors.sdk.files.folder import Content
from connectors.sdk.files.limits import FileLimits
from tests.support.drops import connector, people, put
from tests.support.measured import MEGABYTE, Measured, measured
from tests.support.workbooks import workbook

SETTINGS = {"customers": "c.*", "fields": {"id": "id", "email": "mail"}}
SMALL = workbook(["id", "mail"], [1, "a@x.fr"])


def rewritten(sheet: Callable[[bytes], bytes]) -> bytes:
    """The small workbook with another sheet."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(SMALL)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, sheet(content) if name.endswith("sheet1.xml") else content)
    return out.getvalue()


def at_the_corner(xml: bytes) -> bytes:
    return xml.replace(b'r="A2"', b'r="XFD1048576"')


def at_the_corner_in_other_words(xml: bytes) -> bytes:
    """The same cell, by a namespace, other quotes and a place without a column that is written out."""
    xml = xml.replace(b"</row></sheetData>", b"</row>@</sheetData>")
    cells = b"<c/>" * 16_383 + b'<c t="n"><v>1</v></c>'
    return xml.replace(b"@", b'<row r="1048576">' + cells + b"</row>")


def ods(rows: str) -> bytes:
    """An OpenDocument sheet."""
    content = (
        '<?xml version="1.0"?><office:document-content '
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="s">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    return out.getvalue()


CELL = '<table:table-cell {} office:value-type="string"><text:p>x</text:p></table:table-cell>'
REPEATED = ods(
    '<table:table-row table:number-rows-repeated="1048576">'
    + CELL.format('table:number-columns-repeated="1000"')
    + "</table:table-row>"
)


def zipped(*files: tuple[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", way) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def lies_about_its_size(data: bytes) -> bytes:
    """A zip whose directory says that its file unpacks to ten bytes."""
    size = len(b"0" * 2**26).to_bytes(4, "little")
    return data.replace(size, (10).to_bytes(4, "little"))


HOSTILE: dict[str, tuple[bytes, type[ConnectorError], str]] = {
    "one cell at the corner": (rewritten(at_the_corner), LimitExceeded, "max_columns"),
    "a corner that is not written out": (
        rewritten(at_the_corner_in_other_words),
        LimitExceeded,
        "max_memory_megabytes",
    ),
    "an ODS that repeats a cell": (REPEATED, FileBroken, "not a valid"),
    "a zip bomb": (zipped(("c.csv", b"0" * 2**25)), FileBroken, "times its size"),
    "a gzip bomb": (gzip.compress(b"0" * 2**25), FileBroken, "times its size"),
    "a large archive": (
        zipped(*((f"{i}.csv", os.urandom(2**10) * 100) for i in range(600))),
        LimitExceeded,
        "max_megabytes",
    ),
    "a zip that lies": (
        lies_about_its_size(zipped(("c.csv", b"0" * 2**26))),
        FileBroken,
        "damaged",
    ),
    "a workbook that is a bomb": (
        zipped(("[Content_Types].xml", b" " * 2**24), ("xl/workbook.xml", b" " * 2**24)),
        FileBroken,
        "times its size",
    ),
    "many files": (zipped(*((f"{i}.csv", b"") for i in range(3_000))), FileBroken, "3000 files"),
    "a zip in a zip": (
        zipped(("c.zip", zipped(("c.csv", b"id\n")))),
        FileBroken,
        "another archive",
    ),
    "a gzip in a gzip": (
        gzip.compress(gzip.compress(b"id\n")),
        FileBroken,
        "another archive",
    ),
    "LZMA": (zipped(("c.csv", b"id\n"), way=zipfile.ZIP_LZMA), FileBroken, "not supported"),
    "a workbook cut short": (SMALL[:-100], FileBroken, "not a valid"),
    "an old workbook of noise": (
        b"\xd0\xcf\x11\xe0" + bytes(range(256)) * 100,
        FileBroken,
        "not a valid Excel file",
    ),
}


def parse(data: bytes, limits: FileLimits | None = None, name: str = "c.csv") -> tabular.Table:
    content = Content(name, data, datetime.now(UTC), None)
    return tabular.parse(content, tabular.Layout(limits=limits or FileLimits()))


@pytest.mark.parametrize("what", HOSTILE)
def test_a_risky_file_is_refused_and_costs_little(tmp_path: Path, what: str) -> None:
    """Its own process may take what `max_memory_megabytes` says, and ours nothing."""
    data, kind, says = HOSTILE[what]
    put(tmp_path, "c.bin", data)
    found = read_file(tmp_path / "c.bin", "FileLimits(max_bytes=50 * 2**20, max_memory=2**29)")
    assert (found.kind, says in found.said) == (kind.__name__, True), found.said
    assert "c.bin" in found.said
    assert found.grown < 600 * MEGABYTE


def read_file(path: Path, limits: str = "FileLimits()") -> Measured:
    """Parse a file of this machine in a process of its own."""
    before = f"""
from datetime import UTC, datetime
from pathlib import Path
from connectors.sdk.files import folder, parts, tabular
from connectors.sdk.files.folder import Content
from connectors.sdk.files.limits import FileLimits
data = Path({str(path)!r}).read_bytes()
"""
    return measured(
        f'content = Content("{path.name}", data, datetime.now(UTC), None)\n'
        f"tabular.parse(content, tabular.Layout(limits={limits}))",
        before,
    )


def test_a_parser_that_does_not_end_is_ended() -> None:
    """The limit is of the process that parses, whatever the parser is busy with."""
    rows = [["id", *map(str, range(200))]] + [["x"] * 201] * 2_000
    with pytest.raises(LimitExceeded, match=r"within 0\.01 seconds") as told:
        parse(workbook(*rows), FileLimits(seconds=0.01))
    assert told.value.setting == "timeout"


def test_an_ordinary_workbook_is_read_as_ever() -> None:
    assert parse(SMALL).frame.rows() == [("1", "a@x.fr")]
    # the least that the setting allows is enough for an ordinary one
    assert parse(SMALL, FileLimits(max_memory=256 * MEGABYTE)).frame.rows() == [("1", "a@x.fr")]
    assert parse(zipped(("c.xlsx", SMALL))).frame.rows() == [("1", "a@x.fr")]


def test_errors_come_out_of_the_process_as_they_are() -> None:
    content = Content("c.xlsx", SMALL, datetime.now(UTC), None)
    with pytest.raises(ContractChanged, match="has no sheet 'other'") as told:
        tabular.parse(content, tabular.Layout(sheet="other"))
    assert "Set `sheet`" in told.value.remedy


def test_the_process_gets_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a task of Airflow's has keys and passwords of all clubs."""
    told = tmp_path / "told"
    spy = tmp_path / "sitecustomize.py"
    spy.write_text(f"import os; open({str(told)!r}, 'w').write(repr(dict(os.environ)))")
    monkeypatch.setenv("AIRFLOW_CONN_GYM", "s3cret")
    monkeypatch.syspath_prepend(str(tmp_path))
    parse(SMALL)
    assert "POLARS_MAX_THREADS" in told.read_text()
    assert "s3cret" not in told.read_text()


@pytest.mark.parametrize(
    ("data", "setting"),
    [
        (b"," * 20_000_000, "max_columns"),
        (b"id,mail\n1," + b"x" * 20_000_000 + b"\n", "max_columns"),
        (b'id,mail\n1,"' + b"x\n" * 10_000_000 + b'"\n', "max_"),
        (b"id,mail\n" + b'"\n",' * 4_000_000, "max_"),
        (b";".join(b"c%d" % i for i in range(100_000)) + b"\n", "max_columns"),
        (b"id\n" + b"1\n" * 2_100_000, "max_records"),
        (
            b",".join(b"c%d" % i for i in range(900)) + b"\n" + (b"," * 899 + b"\n") * 12_000,
            "cells",
        ),
        (b",".join(b"c%d" % i for i in range(900)) + b"\n" + b"1\n" * 400_000, "max_cells"),
    ],
    ids=[
        "a line of commas",
        "a long cell",
        "a quoted cell of lines",
        "a row of quoted line ends",
        "100,000 columns",
        "many rows",
        "many blank cells",
        "short rows of a wide table",
    ],
)
def test_a_text_of_little_content(tmp_path: Path, data: bytes, setting: str) -> None:
    """Less than twelve times its size, where 60 MB of commas took 4 GB."""
    put(tmp_path, "c.csv", data)
    limits = "FileLimits(max_cells=10_000_000)"
    found = read_file(tmp_path / "c.csv", limits)
    assert found.kind in ("LimitExceeded", "FileBroken"), found.said
    assert setting in found.said or "cannot be parsed" in found.said, found.said
    assert re.search(r"c\.csv", found.said)
    assert found.grown < 12 * len(data) + 150 * MEGABYTE


def test_words_without_an_end_are_no_words(tmp_path: Path) -> None:
    """Recognising an encoding looks at words: one of 16 million letters once took its square."""
    put(tmp_path, "c.csv", b"id\n" + (b"a" * 900_000 + b"\n") * 2 + b"\xe9\n")
    found = read_file(tmp_path / "c.csv")
    assert found.kind in (None, "FileBroken")


@pytest.mark.parametrize("name", ["c.csv", "c.csv.rows"])
def test_a_pipe_is_no_file(tmp_path: Path, name: str) -> None:
    """Opening one waits for a writer, who never comes."""
    if name.endswith(".rows"):
        put(tmp_path, "c.csv", "id;mail\n")
    os.mkfifo(tmp_path / name)
    with pytest.raises(FileBroken, match=f"{re.escape(name)} is not a regular file"):
        connector("csv", tmp_path, {**SETTINGS, "customers": "c.csv"}).read()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/stdin"])
def test_a_link_to_a_device_is_no_file(tmp_path: Path, device: str) -> None:
    """A device has no end."""
    (tmp_path / "c.csv").symlink_to(device)
    found = measured(
        f"drop = FileDrop(Connection('gym', {tmp_path.as_uri()!r}))\ndrop.read_newest('c.csv')",
        "from connectors.sdk.base import Connection\nfrom connectors.sdk.files.folder import FileDrop",
    )
    assert found.kind in ("FileBroken", "FileOutside")
    assert found.grown < 50 * MEGABYTE


def test_a_file_that_becomes_a_device_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and opening; what is open is looked at once more."""
    put(tmp_path, "c.csv", "id;mail\n")
    opened = os.open

    def swapped(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        return opened("/dev/zero" if str(path).endswith("c.csv") else path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(FileBroken, match="not a regular file"):
        connector("csv", tmp_path, {**SETTINGS, "customers": "c.csv"}).read()


def test_never_more_than_was_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that grows without an end is read to the size that it had, and one byte more."""
    path = put(tmp_path, "c.csv", "id;mail\n")
    opened = os.open

    def grown(name: str, flags: int, *, dir_fd: int | None = None) -> int:
        with path.open("ab") as file:
            file.truncate(2**33)
        return opened(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", grown)
    with pytest.raises(FileBroken, match="still being written"):
        connector("csv", tmp_path, {**SETTINGS, "customers": "c.csv"}).read()


def test_parts_count_together(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        put(tmp_path, f"c-{number}.csv", "id;mail\n" + "x" * 400_000)
    settings = {**SETTINGS, "customers": "c-*.csv", "parts": True, "max_megabytes": 1}
    with pytest.raises(LimitExceeded, match="the limit is 1 MB"):
        connector("csv", tmp_path, settings).read()


def test_a_part_of_a_high_number_is_not_counted_up_to(tmp_path: Path) -> None:
    found = folder.FoundFile("c-2.csv", 1, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(FileBroken, match="Part 3"):
        parts._check_numbers([1, 2, 10**15], [found])


def test_a_name_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "c-1.csv", "id;mail\n1;a@x.fr\n", at=datetime(2026, 1, 1, tzinfo=UTC))
    (tmp_path / os.fsdecode(b"c-\xff.csv")).write_text("id;mail\n2;b@x.fr\n")
    found = connector("csv", tmp_path, {**SETTINGS, "customers": "c-*.csv"}).read()
    assert list(people(found)) == ["1"]


@pytest.mark.parametrize("seconds", [-(2**55), -62_135_596_800, 253_402_300_799])
def test_a_time_that_no_clock_shows_is_told(tmp_path: Path, seconds: int) -> None:
    with pytest.raises(FileBroken, match="does not say when"):
        folder._found("c.csv", {"size": 1, "mtime": float(seconds)})


def test_limits_are_settings(tmp_path: Path) -> None:
    put(tmp_path, "c.csv", "id;mail\n1;a@x.fr\n2;b@x.fr\n")
    for name in ("max_records", "max_columns", "max_cells"):
        settings = {**SETTINGS, "customers": "c.csv", name: 1}
        with pytest.raises(LimitExceeded, match=r"c\.csv has \d") as told:
            connector("csv", tmp_path, settings).read()
        assert told.value.setting == name
        assert told.value.runbook == "limit-exceeded"
