"""What the simulated ERPs export is what the connectors read; and the faults are those they refuse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from connectors.sdk.errors import ConnectorError, ContractChanged, FileBroken, FileMissing
from sandbox import exports, file_faults
from sandbox.world import ClubSpec, ClubState, World
from tests.support.drops import connector, people

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
AT = EPOCH + timedelta(days=20)


@pytest.fixture(scope="module")
def state() -> ClubState:
    return World(3, [ClubSpec("paris", "Boulder Paris", 200)], EPOCH).club("paris", AT)


def test_the_generic_export_is_read_back(state: ClubState, tmp_path: Path) -> None:
    exports.write_csv(state, tmp_path, mtime=AT)
    reading = connector("csv", tmp_path, exports.CSV_SETTINGS).read()
    assert reading.certificate.complete
    assert reading.certificate.total == len(state.people)
    assert reading.as_of == AT
    read = people(reading)
    for p in state.people:
        record = read[str(p.number)]
        assert (record["first_name"], record["last_name"]) == (p.first_name, p.last_name)
        assert (record["email"], record["phone"], record["birth_date"]) == (
            *(p.email, p.phone),
            p.birth_date,
        )
        assert record["guardian_id"] == (p.guardian and str(p.guardian))
        assert record["replaced_by"] == (p.replaced_by and str(p.replaced_by))
        assert record["created_at"] == p.created_at
    assert reading.groups.rows() == [(p.id, p.name, p.active) for p in state.products]


@pytest.mark.parametrize("excel", [False, True])
def test_the_eversports_export_is_read_back(state: ClubState, tmp_path: Path, excel: bool) -> None:
    exports.write_eversports(state, tmp_path, excel=excel)
    reading = connector("eversports", tmp_path, {"memberships": "memberships*"}).read()
    assert reading.certificate.complete
    read = people(reading)
    today = AT.date()
    assert not any(
        str(p.number) in read for p in state.people if p.status == "archived" and not p.replaced_by
    )
    for p in state.people:
        if p.status != "active":
            continue
        record = read[str(p.number)]
        assert (record["status"], record["phone"], record["email"]) == ("active", p.phone, p.email)
        spans = [
            g
            for g in record["groups"]
            if (g["valid_from"] is None or g["valid_from"] <= today)
            and (g["valid_until"] is None or g["valid_until"] >= today)
        ]
        holds = any(m.start <= today and (m.end is None or m.end >= today) for m in p.memberships)
        assert bool(spans) == holds, p.number
    assert any(r["placeholder"] for r in read.values())


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig"])
def test_the_planity_export_is_read_back(state: ClubState, tmp_path: Path, encoding: str) -> None:
    exports.write_planity(state, tmp_path, encoding=encoding)
    reading = connector("planity", tmp_path).read()
    assert reading.certificate.complete
    cards = [p for p in state.people if p.status != "archived"]
    assert reading.customers["last_name"].to_list() == [p.last_name for p in cards]
    assert reading.customers["phone"].to_list() == [p.phone for p in cards]


def test_files_are_written_only_when_something_changed(state: ClubState, tmp_path: Path) -> None:
    """So a file's time is the time of its last change."""
    writers: list[Callable[[ClubState, Path], list[Path]]] = [
        exports.write_csv,
        exports.write_eversports,
        partial(exports.write_eversports, excel=True),
        exports.write_planity,
    ]
    fewer = ClubState(state.people[:-1], state.products, state.at)
    for n, write in enumerate(writers):
        folder = tmp_path / str(n)
        assert write(state, folder)
        assert write(state, folder) == []
        assert write(fewer, folder)
        assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (file_faults.cut, FileBroken),
        (file_faults.cut_between_rows, FileBroken),
        (file_faults.html, FileBroken),
        (file_faults.empty, FileBroken),
        (file_faults.no_rows, FileBroken),
        (partial(file_faults.wrong_rows, rows=3), FileBroken),
        (file_faults.wrong_columns, ContractChanged),
        (file_faults.missing, FileMissing),
    ],
)
def test_every_fault_is_refused(
    state: ClubState, tmp_path: Path, fault: Callable[[Path], None], error: type[ConnectorError]
) -> None:
    exports.write_csv(state, tmp_path)
    fault(tmp_path / "customers.csv")
    with pytest.raises(error) as refused:
        connector("csv", tmp_path, exports.CSV_SETTINGS).read()
    # R19: whatever went wrong, nobody is named.
    assert not any(p.email and p.email in str(refused.value) for p in state.people)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (file_faults.cut, FileBroken),
        (file_faults.html, FileBroken),
        (file_faults.empty, FileBroken),
        (file_faults.wrong_columns, ContractChanged),
        (file_faults.missing, FileMissing),
    ],
)
def test_every_fault_of_a_workbook_is_refused(
    state: ClubState, tmp_path: Path, fault: Callable[[Path], None], error: type[ConnectorError]
) -> None:
    exports.write_eversports(state, tmp_path, excel=True)
    fault(tmp_path / "customers.xlsx")
    with pytest.raises(error) as refused:
        connector("eversports", tmp_path, {"memberships": "memberships*"}).read()
    assert not any(p.email and p.email in str(refused.value) for p in state.people)


@pytest.mark.parametrize("fault", [file_faults.no_rows, file_faults.cut_between_rows])
def test_a_workbook_without_some_rows_is_a_workbook(
    state: ClubState, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    """Nothing in the file reveals it: only what the club had before does."""
    exports.write_eversports(state, tmp_path, excel=True)
    whole = connector("eversports", tmp_path).read().customers.height
    fault(tmp_path / "customers.xlsx")
    assert connector("eversports", tmp_path).read().customers.height < whole


@pytest.mark.parametrize(
    "damage",
    [
        file_faults.cut,
        file_faults.cut_between_rows,
        file_faults.html,
        file_faults.empty,
        file_faults.no_rows,
        file_faults.wrong_columns,
        file_faults.missing,
        lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)),  # an archive of no files
        lambda path: _flip(path),
    ],
)
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (exports.write_csv, "customers.csv"),
        (exports.write_eversports, "customers.csv"),
        (partial(exports.write_eversports, excel=True), "customers.xlsx"),
        (exports.write_planity, "clients.csv"),
    ],
)
def test_an_export_replaces_whatever_lies_in_its_place(
    state: ClubState,
    tmp_path: Path,
    damage: Callable[[Path], None],
    write: Callable[[ClubState, Path], list[Path]],
    name: str,
) -> None:
    write(state, tmp_path)
    damage(tmp_path / name)
    assert tmp_path / name in write(state, tmp_path)
    assert write(state, tmp_path) == []


def _flip(path: Path) -> None:
    """A bit of the middle of the file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("keep", [0.1, 0.35, 0.6, 0.85, 0.99])
def test_a_cut_inside_a_row_needs_no_rows_file_to_be_seen(
    state: ClubState, tmp_path: Path, keep: float
) -> None:
    exports.write_eversports(state, tmp_path)
    file_faults.cut(tmp_path / "customers.csv", keep=keep)
    with pytest.raises(FileBroken):
        connector("eversports", tmp_path).read()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_another_encoding_is_no_fault(state: ClubState, tmp_path: Path, encoding: str) -> None:
    exports.write_csv(state, tmp_path)
    file_faults.recode(tmp_path / "customers.csv", encoding)
    reading = connector("csv", tmp_path, exports.CSV_SETTINGS).read()
    assert reading.customers["last_name"].to_list() == [p.last_name for p in state.people]
