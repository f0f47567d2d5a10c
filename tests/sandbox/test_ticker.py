"""The exporter of the demo goes on, whatever it finds in its folders and whenever it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from sandbox import __main__ as process
from sandbox import sftp
from sandbox.demo import CLUBS
from sandbox.faults import Fault, Faults
from sandbox.ticker import FILE_FAULTS, Exporter
from sandbox.world import ClubState, World

ROOT = Path(__file__).resolve().parents[2]
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
AT = EPOCH + timedelta(days=20)
FILE_CLUBS = ["boulder-paris", "yoga-kreuzberg", "salon-graslin", "aviron-annecy"]


@pytest.fixture(scope="module")
def world() -> World:
    return World(3, [club.spec for club in CLUBS], EPOCH)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def exporter(tmp_path: Path, world: World, faults: Faults) -> Exporter:
    return Exporter(tmp_path, lambda club: world.club(club, AT), faults)


def content(folder: Path) -> dict[str, bytes]:
    """What a reader of the CSV files sees, and the size of the others, whose bytes have their time."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.suffix != ".xlsx" else b""
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", sorted(FILE_FAULTS))
def test_every_club_recovers_from_every_fault_of_a_file(
    exporter: Exporter, faults: Faults, tmp_path: Path, kind: str
) -> None:
    exporter.tick()
    whole = content(tmp_path)
    for club in FILE_CLUBS:
        faults.set(club, Fault(kind=kind))
    exporter.tick()
    exporter.tick()
    faults.clear()
    assert exporter.tick() == len(FILE_CLUBS)
    assert exporter.tick() == 0
    assert content(tmp_path) == whole


def test_a_new_process_recovers_from_the_fault_of_a_killed_one(
    exporter: Exporter, faults: Faults, tmp_path: Path, world: World
) -> None:
    exporter.tick()
    for club in FILE_CLUBS:
        faults.set(club, Fault(kind="empty"))
    exporter.tick()
    again = Exporter(tmp_path, lambda club: world.club(club, AT), Faults())
    assert again.tick() == len(FILE_CLUBS)
    assert again.tick() == 0


def test_a_club_whose_export_fails_does_not_stop_the_others(
    tmp_path: Path, world: World, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    def state(club: str) -> ClubState:
        if club == "boulder-paris":
            raise OSError("The disk is full.")
        return world.club(club, AT)

    exporter = Exporter(tmp_path, state, faults)
    assert exporter.tick() > 0
    assert (tmp_path / "aviron-annecy" / "customers.csv").exists()
    assert "The export of boulder-paris failed" in caplog.text


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sandbox import exports
from sandbox.world import ClubSpec, World
epoch = datetime(2026, 11, 1, tzinfo=UTC)
world = World(3, [ClubSpec("paris", "Boulder Paris", 200)], epoch)
print("ready", flush=True)
n = 0
while True:
    n += 1
    exports.write_eversports(world.club("paris", epoch + timedelta(days=n)), Path(sys.argv[1]), excel=n % 2 == 0)
"""


def test_a_killed_writer_leaves_whole_files_and_nothing_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "paris"
    for pause in (0.02, 0.1, 0.25, 0.4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for path in folder.glob("[!.]*.xlsx"):
            with ZipFile(path) as book:
                assert book.testzip() is None
        for path in folder.glob("[!.]*.csv"):
            assert path.read_bytes().endswith(b"\r\n")
    (folder / ".customers.csv.17.part").write_bytes(b"half")
    Exporter(tmp_path, lambda club: ClubState([], [], AT), Faults())
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("left", [b"", b"2026-1", b"\xff"])
def test_a_start_after_a_kill_needs_nobody(tmp_path: Path, left: bytes) -> None:
    """A host key or an epoch that an earlier version was killed in."""
    (tmp_path / "epoch").write_bytes(left)
    (tmp_path / "sftp_host_key").write_bytes(left)
    epoch, key = process._epoch(tmp_path), sftp.host_key(tmp_path)
    assert process._epoch(tmp_path) == epoch
    assert sftp.host_key(tmp_path).export_public_key() == key.export_public_key()
    assert (tmp_path / "sftp_host_key").stat().st_mode & 0o077 == 0
