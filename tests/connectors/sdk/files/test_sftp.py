"""A drop on a real SFTP server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.sdk.base import Connection
from connectors.sdk.errors import (
    CredentialsRefused,
    ErpUnreachable,
    FileBroken,
    FileMissing,
    FileOutside,
    SettingsWrong,
)
from connectors.sdk.files import host_keys
from connectors.sdk.files.folder import Content, FileDrop
from sandbox.sftp import Server, serving
from tests.support.drops import put

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drop")
    put(root, "club/customers-1.csv", "old", at=datetime(2026, 11, 20, tzinfo=UTC))
    put(root, "club/customers-2.csv", "new", at=NOON, rows=0)
    put(root, "other/customers-3.csv", "another club's")
    return root


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    var = tmp_path_factory.mktemp("var")

    def grow(path: str) -> None:
        if path.endswith("growing.csv"):
            with (folder / "club/growing.csv").open("ab") as f:
                f.write(b"more")

    with serving(folder, user="club", password="s3cret", var=var, before_open=grow) as running:
        yield running


@pytest.fixture
def connection(server: Server) -> Connection:
    return Connection("boulder", f"{server.url}club", "club", "s3cret")


def read(connection: Connection, pattern: str = "customers-*.csv", timeout: float = 20) -> Content:
    with FileDrop(connection, timeout=timeout) as drop:
        return drop.read_newest(pattern)


def test_the_newest_file_with_its_time_and_rows(connection: Connection) -> None:
    content = read(connection)
    assert content == Content("customers-2.csv", b"new", NOON, 0)


def test_the_port_may_stand_beside_the_host(connection: Connection, server: Server) -> None:
    beside = replace(connection, host="sftp://127.0.0.1/club", port=server.port)
    assert read(beside).name == "customers-2.csv"


def test_no_file_and_no_folder(connection: Connection, server: Server) -> None:
    with pytest.raises(FileMissing, match=r"members\*\.csv"):
        read(connection, "members*.csv")
    with pytest.raises(FileMissing):
        read(replace(connection, host=f"{server.url}nowhere"))


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"login": "root"}, {"password": None}])
def test_a_wrong_log_in_is_refused_and_not_said(
    connection: Connection, wrong: dict[str, Any]
) -> None:
    with pytest.raises(
        CredentialsRefused, match="rejected the credentials of connection boulder"
    ) as refused:
        read(replace(connection, **wrong))
    assert "s3cret" not in str(refused.value)
    assert "guess" not in str(refused.value)
    assert not refused.value.transient


def test_a_connection_without_log_in_never_uses_this_machines_user(connection: Connection) -> None:
    with pytest.raises(SettingsWrong, match="no login"):
        read(replace(connection, login=None))


def test_nobody_listens(connection: Connection, unused_port: int) -> None:
    with pytest.raises(ErpUnreachable, match="could not be reached"):
        read(replace(connection, host=f"sftp://127.0.0.1:{unused_port}/club"))


def test_a_server_that_says_nothing(connection: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"sftp://127.0.0.1:{silent.getsockname()[1]}/club"
        with pytest.raises(ErpUnreachable, match=r"did not respond within 0\.5 seconds"):
            read(replace(connection, host=host), timeout=0.5)


def test_a_known_server_is_read_and_another_key_is_not(
    connection: Connection, server: Server, tmp_path: Path
) -> None:
    known = replace(connection, extra={"known_hosts": server.known_hosts})
    assert read(known).name == "customers-2.csv"
    as_file = put(tmp_path, "known_hosts", server.known_hosts)
    assert read(replace(connection, extra={"known_hosts": str(as_file)})).name == "customers-2.csv"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    posed = replace(connection, extra={"known_hosts": f"[127.0.0.1]:{server.port} {other}"})
    with pytest.raises(CredentialsRefused, match="not the one in known_hosts"):
        read(posed)


def test_blank_fields_of_a_form_are_none(connection: Connection) -> None:
    """The server's key is then kept when it is first seen, as without the field."""
    blank = {"known_hosts": "", "private_key": ""}
    assert read(replace(connection, extra=blank)).name == "customers-2.csv"


def test_a_key_that_is_none(connection: Connection) -> None:
    with pytest.raises(SettingsWrong, match="private_key"):
        read(replace(connection, extra={"private_key": "rubbish"}))


def test_known_hosts_that_are_none_are_told_before_anybody_is_asked() -> None:
    """A form's field: whatever was pasted."""
    at = Connection("club", "sftp://127.0.0.1:9/x", "club", "pw", extra={"known_hosts": "rubbish"})
    with pytest.raises(SettingsWrong, match="known_hosts of connection club"):
        FileDrop(at, timeout=5).find("*")


def test_a_file_that_grows_while_it_is_read(connection: Connection, folder: Path) -> None:
    put(folder, "club/growing.csv", "id\n")
    with pytest.raises(FileBroken, match="being written"):
        read(connection, "growing.csv")


def test_a_link_is_the_file_it_points_to(connection: Connection, folder: Path) -> None:
    link = folder / "club/linked.csv"
    link.symlink_to("customers-2.csv")
    try:
        assert read(connection, "linked*.csv").modified == NOON
    finally:
        link.unlink()


@pytest.mark.parametrize(
    ("link", "to", "pattern"),
    [
        ("stray.csv", "../other/customers-3.csv", "stray*.csv"),
        ("elsewhere", "../other", "elsewhere/*.csv"),
    ],
)
def test_a_link_out_of_the_folder_is_refused(
    connection: Connection, folder: Path, link: str, to: str, pattern: str
) -> None:
    made = folder / "club" / link
    made.symlink_to(to)
    try:
        with pytest.raises(FileOutside, match="leads out of the club's folder"):
            read(connection, pattern)
    finally:
        made.unlink()


def test_a_server_that_follows_no_links_when_asked_for_a_path(
    connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some answer with the path as it was written: then a link is refused wherever it leads."""

    async def as_written(self: object, path: bytes | str) -> bytes | str:
        return path

    monkeypatch.setattr(asyncssh.SFTPClient, "realpath", as_written)
    made = folder / "club/stray.csv"
    made.symlink_to("../other/customers-3.csv")
    try:
        assert read(connection).name == "customers-2.csv"
        with pytest.raises(FileOutside):
            read(connection, "stray*.csv")
    finally:
        made.unlink()


def test_a_key_is_kept_when_it_is_first_seen_and_another_refused(
    connection: Connection, server: Server
) -> None:
    assert read(connection).name == "customers-2.csv"
    kept = host_keys.path()
    assert (
        kept.read_text() == f"[127.0.0.1]:{server.port} {' '.join(server.host_key.split()[:2])}\n"
    )
    assert kept.stat().st_mode & 0o077 == 0
    assert read(connection).name == "customers-2.csv"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    kept.write_text(f"[127.0.0.1]:{server.port} {other}")
    with pytest.raises(CredentialsRefused, match="another key than when it was first seen") as told:
        read(connection)
    assert "ssh-keygen -R" in told.value.remedy
    kept.unlink()
    assert read(connection).name == "customers-2.csv"


def test_a_key_of_another_kind_is_another_key(connection: Connection, server: Server) -> None:
    """Whoever poses as the server may offer none of the kind that is known."""
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    host_keys.path().write_text(f"[127.0.0.1]:{server.port} {other}")
    # both sides find that they have no kind in common; where the server hangs up first, that is all that is seen
    with pytest.raises((CredentialsRefused, ErpUnreachable), match=r"another key|ConnectionLost"):
        read(connection)


def test_of_several_processes_the_first_key_counts(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        shown = [f"ssh-ed25519 {n}" for n in range(8)]
        found = list(pool.map(lambda key: host_keys._learned("h", key), shown))
    assert len({line for (line,) in found}) == 1
    assert len(host_keys.path().read_text().splitlines()) == 1


def test_no_password_is_sent_to_a_server_whose_key_cannot_be_kept(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUBSYNC_KNOWN_HOSTS", str(tmp_path))
    with pytest.raises(SettingsWrong, match="cannot be kept"):
        read(connection)
