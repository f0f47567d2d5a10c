"""The newest file of a drop, or none (R14)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Unpack

import pytest

from connectors.sdk.base import Connection
from connectors.sdk.errors import (
    ErpUnreachable,
    FileBroken,
    FileMissing,
    FileOutside,
    LimitExceeded,
    SettingsWrong,
)
from connectors.sdk.files import inside
from connectors.sdk.files.folder import FileDrop
from tests.support.drops import DropOptions, put

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EARLIER = NOON - timedelta(hours=1)


def drop(folder: Path | str, **options: Unpack[DropOptions]) -> FileDrop:
    host = folder.as_uri() if isinstance(folder, Path) else folder
    return FileDrop(Connection("boulder", host), **options)


def test_the_newest_file_counts_and_its_time_is_as_of(tmp_path: Path) -> None:
    put(tmp_path, "customers-b.csv", "new", at=NOON)
    put(tmp_path, "customers-c.csv", "old", at=EARLIER)
    content = drop(tmp_path).read_newest("customers-*.csv")
    assert (content.name, content.data, content.modified) == ("customers-b.csv", b"new", NOON)


def test_of_two_files_of_one_moment_the_last_by_name_counts(tmp_path: Path) -> None:
    for name in ("c-20261120.csv", "c-20261121.csv"):
        put(tmp_path, name, name, at=NOON)
    assert drop(tmp_path).read_newest("c-*.csv").name == "c-20261121.csv"


def test_a_plain_path_is_a_host_too(tmp_path: Path) -> None:
    put(tmp_path / "a folder", "c.csv", "x")
    assert drop(str(tmp_path / "a folder")).read_newest("c.csv").data == b"x"
    assert drop(tmp_path / "a folder").read_newest("c.csv").data == b"x"


def test_wildcards_stay_within_one_segment(tmp_path: Path) -> None:
    put(tmp_path, "2026/11/c.csv", "nov", at=NOON)
    put(tmp_path, "2026/10/c.csv", "oct", at=EARLIER)
    assert [f.name for f in drop(tmp_path).find("2026/*/c.csv")] == [
        "2026/11/c.csv",
        "2026/10/c.csv",
    ]
    assert drop(tmp_path).find("*.csv") == []


@pytest.mark.parametrize(
    "leftover", ["c.csv.part", "c.csv.tmp", ".c.csv", "~$c.csv", "c.csv.rows", "c.csv.filepart"]
)
def test_unfinished_uploads_and_the_like_are_not_exports(tmp_path: Path, leftover: str) -> None:
    put(tmp_path, "c.csv", "x", at=EARLIER)
    put(tmp_path, leftover, "1", at=NOON)
    assert [f.name for f in drop(tmp_path).find("*")] == ["c.csv"]


def test_the_rows_file_beside_it_is_read(tmp_path: Path) -> None:
    put(tmp_path, "c.csv", "x", rows=12)
    put(tmp_path, "d.csv", "x")
    assert drop(tmp_path).read_newest("c.csv").rows == 12
    assert drop(tmp_path).read_newest("d.csv").rows is None


def test_a_rows_file_without_a_number_is_a_broken_file(tmp_path: Path) -> None:
    put(tmp_path, "c.csv", "x")
    put(tmp_path, "c.csv.rows", "")
    with pytest.raises(FileBroken, match=r"c\.csv\.rows does not hold a number"):
        drop(tmp_path).read_newest("c.csv")


def test_no_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(
        FileMissing,
        match=r"No file matching `customers\*\.csv` in the folder of connection boulder",
    ):
        drop(tmp_path).read_newest("customers*.csv")
    with pytest.raises(FileMissing):
        drop(tmp_path).check("customers*.csv")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="does not exist"):
        drop(tmp_path / "nowhere").read_newest("c.csv")


class Meanwhile(FileDrop):
    """A drop in which something happens while a file is read."""

    path: Path

    def _read(self, fs: object, name: str, most: int) -> bytes:
        data = super()._read(fs, name, most)
        self.happens()
        return data

    def happens(self) -> None:
        raise NotImplementedError


class Growing(Meanwhile):
    def happens(self) -> None:
        with self.path.open("ab") as f:
            f.write(b"more")


class Replaced(Meanwhile):
    def happens(self) -> None:
        """Another content of the same length: only the time tells."""
        self.path.write_bytes(b"yy")
        os.utime(self.path, (NOON.timestamp(), NOON.timestamp()))


class Removed(Meanwhile):
    def happens(self) -> None:
        self.path.unlink()


@pytest.mark.parametrize("kind", [Growing, Replaced, Removed])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, kind: type[Meanwhile]
) -> None:
    reader = kind(Connection("boulder", tmp_path.as_uri()))
    reader.path = put(tmp_path, "c.csv", "xx", at=EARLIER)
    with pytest.raises(FileBroken, match="being written") as refused:
        reader.read_newest("c.csv")
    assert refused.value.transient


def test_a_file_beyond_the_cap_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "c.csv", "x" * 1000)
    with pytest.raises(LimitExceeded, match="the limit is"):
        drop(tmp_path, max_bytes=999).read_newest("c.csv")
    assert len(drop(tmp_path, max_bytes=1000).read_newest("c.csv").data) == 1000


@pytest.mark.parametrize("pattern", ["../other/c.csv", "a/../../c.csv", "/etc/hosts", "", ".."])
def test_nothing_outside_of_the_folder_can_be_named(tmp_path: Path, pattern: str) -> None:
    """R21: one club's settings cannot name another club's file."""
    with pytest.raises(SettingsWrong):
        drop(tmp_path).find(pattern)


@pytest.mark.parametrize(
    "host", ["", "ftp://server/x", "https://server/x", "sftp:///x", "s3://", "file://data/drop"]
)
def test_hosts_that_cannot_work(host: str) -> None:
    with pytest.raises(SettingsWrong):
        drop(host)


def test_check_says_what_is_there(tmp_path: Path) -> None:
    put(tmp_path, "c1.csv", "x", at=EARLIER)
    put(tmp_path, "c2.csv", "x", at=NOON)
    said = drop(tmp_path).check("c*.csv")
    assert said == "2 files, newest c2.csv of 2026-11-21 12:00 UTC, 1 kB."


def test_an_s3_server_that_does_not_answer_is_unreachable() -> None:
    connection = Connection(
        "boulder",
        "s3://bucket/in",
        "key",
        "secret",
        extra={"endpoint_url": "http://127.0.0.1:9", "region_name": "eu-west-3"},
    )
    with pytest.raises(ErpUnreachable), FileDrop(connection, timeout=5) as there:
        there.read_newest("c.csv")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("customers.csv", "Customers.CSV"),
        ("clients*.csv", "CLIENTS 2026.Csv"),
        ("adhérents.csv", "adhe\u0301rents.csv"),
        ("adhe\u0301rents*.csv", "Adhérents.csv"),
        ("Export/c.csv", "export/C.csv"),
        ("export[1].csv", "export[1].csv"),
        ("export[1].csv", "export1.csv"),
        ("a[b]/*.csv", "a[b]/c.csv"),
    ],
)
def test_names_match_in_any_case_and_unicode_form(tmp_path: Path, pattern: str, name: str) -> None:
    """R3's one form; and a plain name with brackets is no pattern."""
    put(tmp_path, name, "x")
    assert [f.name for f in drop(tmp_path).find(pattern)] == [name]


def test_an_exact_name_wins_over_the_pattern_and_over_other_spellings(tmp_path: Path) -> None:
    put(tmp_path, "export[1].csv", "exact", at=EARLIER)
    put(tmp_path, "export1.csv", "pattern", at=NOON)
    put(tmp_path, "Export[1].csv", "other", at=NOON)
    assert drop(tmp_path).read_newest("export[1].csv").data == b"exact"


def test_a_link_is_followed_within_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    put(folder, "2026/c.csv", "x", at=NOON)
    (folder / "latest.csv").symlink_to("2026/c.csv")
    (folder / "now").symlink_to("2026")
    (tmp_path / "by-a-link").symlink_to(folder)
    for host in (folder, tmp_path / "by-a-link"):
        assert drop(host).read_newest("latest.csv").data == b"x"
        assert drop(host).read_newest("now/*.csv").data == b"x"


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(
    ("link", "to", "pattern"),
    [
        ("c.csv", "theirs/c.csv", "c.csv"),
        ("c.csv", "theirs/c.csv", "*.csv"),
        ("sub", "theirs", "sub/c.csv"),
        ("sub", "ours-too", "sub/c.csv"),
        ("up", "", "up/theirs/c.csv"),
    ],
)
def test_a_link_out_of_the_folder_is_refused(
    tmp_path: Path, link: str, to: str, pattern: str, absolute: bool
) -> None:
    """Also where the other folder's name begins as ours does."""
    for other in ("theirs", "ours-too"):
        put(tmp_path / other, "c.csv", "another club's", at=NOON)
    folder = tmp_path / "ours"
    put(folder, "older.csv", "ours", at=EARLIER)
    (folder / link).symlink_to(tmp_path / to if absolute else Path("..") / to)
    with pytest.raises(FileOutside, match=r"leads out of the club's folder") as refused:
        drop(folder).read_newest(pattern)
    assert link in refused.value.what
    assert str(tmp_path) not in refused.value.what


@pytest.mark.parametrize("pattern", ["*/c.csv", "s*/*.csv"])
def test_a_wildcard_matches_no_linked_folder(tmp_path: Path, pattern: str) -> None:
    put(tmp_path / "theirs", "c.csv", "another club's")
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "sub").symlink_to("../theirs")
    with pytest.raises(FileMissing):
        drop(folder).read_newest(pattern)


@pytest.mark.parametrize("name", ["sub/deep/c.csv", "sub/c.csv", "c.csv"])
def test_a_link_that_is_made_while_the_file_is_read_is_not_followed(
    tmp_path: Path, name: str
) -> None:
    """R21: whoever can write into the folder may swap a folder for a link after it was looked at."""
    for folder in ("ours", "theirs"):
        put(tmp_path / folder, name, folder)
    root = str(tmp_path / "ours")
    path = inside.local(root, name)
    with os.fdopen(inside.opened(root, path), "rb") as file:
        assert file.read() == b"ours"
    top = name.partition("/")[0]
    (tmp_path / "ours" / top).rename(tmp_path / "away")
    (tmp_path / "ours" / top).symlink_to(tmp_path / "theirs" / top)
    with pytest.raises(OSError, match=r"\[Errno"):
        inside.opened(root, path)


def test_links_over_links_and_counts_by_link_are_refused_too(tmp_path: Path) -> None:
    put(tmp_path / "theirs", "c.csv", "another club's")
    put(tmp_path / "theirs", "n", "1")
    folder = tmp_path / "ours"
    put(folder, "d.csv", "x")
    (folder / "a.csv").symlink_to("b.csv")
    (folder / "b.csv").symlink_to("../theirs/c.csv")
    (folder / "d.csv.rows").symlink_to("../theirs/n")
    for name in ("a.csv", "d.csv"):
        with pytest.raises(FileOutside):
            drop(folder).read_newest(name)
