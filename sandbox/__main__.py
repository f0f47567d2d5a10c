"""`python -m sandbox`: every simulated ERP of the demo in one process, until SIGTERM.

It serves HTTP (Playtomic, the proxy in front of Tryton, faults, health) and SFTP, writes the exports, and runs
Tryton with its feeder. Settings come from the environment, see `sandbox.demo.Sandbox`. Everything listens on
127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import uvicorn

from sandbox import files, sftp
from sandbox import tryton as tryton_server
from sandbox.app import create_app
from sandbox.demo import CLUBS, PASSWORD, SFTP_USER, Sandbox, zone
from sandbox.faults import Faults
from sandbox.playtomic import Player, Venue, players_of
from sandbox.ticker import Exporter
from sandbox.world import ClubState, World

log = logging.getLogger("sandbox")


class Running:
    """The demo's world, and the state of the processes around it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.faults = Faults()
        self.world = World(
            sandbox.seed,
            [c.spec for c in CLUBS],
            _epoch(sandbox.folder),
            sandbox.events_per_hour,
        )
        self.tryton = "starting" if sandbox.tryton else "off"
        self.exports = 0
        self.stopping = threading.Event()
        self._exporter = Exporter(sandbox.drop, self.state, self.faults)

    def state(self, club: str) -> ClubState:
        """The current state of a club."""
        return self.world.club(club, datetime.now(UTC))

    def players(self, club: str) -> list[Player]:
        """The current players of a club."""
        return players_of(self.state(club), zone(club))

    def health(self) -> dict[str, object]:
        """The body of `/health`: `ready` once every ERP of the demo can be read."""
        ready = self.exports > 0 and self.tryton in ("ready", "off")
        return {"ready": ready, "tryton": self.tryton, "clubs": [c.id for c in CLUBS]}

    def repeat(self, name: str, work: Callable[[], int]) -> None:
        """Run `work` at every tick until the sandbox stops; a failure is retried at the next tick.

        :param work: returns how many things it did, which is logged.
        """
        while not self.stopping.is_set():
            try:
                done = work()
                if done:
                    log.info("%s: %d", name, done)
            except Exception:
                log.exception("%s failed", name)
            self.stopping.wait(self.sandbox.tick)

    def export(self) -> int:
        """Bring every export up to date; returns how many files were written."""
        written = self._exporter.tick()
        self.exports += 1
        return written

    def run_tryton(self) -> None:
        """Run Tryton and its feeder until the sandbox stops."""
        folder, port = self.sandbox.tryton_folder, self.sandbox.tryton_port
        clubs = [c.id for c in CLUBS if c.erp == "tryton"]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            tryton_server.create_database(folder, PASSWORD)
            with tryton_server.serve(folder, port) as url, _client(url) as client:
                feeders = [tryton_server.Feeder(self.world, club, client) for club in clubs]

                def feed() -> int:
                    touched = sum(f.catch_up(datetime.now(UTC)) for f in feeders)
                    self.tryton = "ready"
                    return touched

                self.repeat("parties created or edited", feed)
        except Exception:
            log.exception("Tryton stopped")
            self.tryton = "stopped"


@contextlib.contextmanager
def _client(url: str) -> Iterator[tryton_server.Client]:
    client = tryton_server.Client(url, tryton_server.LOGIN, PASSWORD)
    try:
        yield client
    finally:
        client.close()


def _epoch(folder: Path) -> datetime:
    """When this sandbox first started; stored, so that its clubs continue after a restart.

    A damaged file is replaced: the clubs then start from the beginning.
    """
    path = folder / "epoch"
    with contextlib.suppress(FileNotFoundError, ValueError):
        return datetime.fromisoformat(path.read_text().strip())
    now = datetime.now(UTC)
    files.put(path, now.isoformat().encode())
    return now


class _Server(uvicorn.Server):
    """Leaves signals to `serve`, which has to stop more than HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(sandbox: Sandbox) -> None:
    """Run the sandbox until SIGTERM or SIGINT."""
    running = Running(sandbox)
    sandbox.drop.mkdir(parents=True, exist_ok=True)
    app = create_app(
        {
            c.id: Venue(c.id, PASSWORD, partial(running.players, c.id))
            for c in CLUBS
            if c.erp == "playtomic"
        },
        {
            c.id: f"http://127.0.0.1:{sandbox.tryton_port}/{tryton_server.DATABASE}"
            for c in CLUBS
            if c.erp == "tryton"
        },
        running.faults,
        {c.id for c in CLUBS},
        running.health,
    )
    server = _Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=sandbox.port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, partial(setattr, server, "should_exit", True))
    files = await sftp.start(
        sandbox.drop,
        user=SFTP_USER,
        password=PASSWORD,
        var=sandbox.folder,
        port=sandbox.sftp_port,
    )
    work = [loop.run_in_executor(None, running.repeat, "exports written", running.export)]
    if sandbox.tryton:
        work.append(loop.run_in_executor(None, running.run_tryton))
    try:
        await server.serve()
    finally:
        running.stopping.set()
        await asyncio.gather(*work)
        await files.stop()


def main() -> None:
    """Run with the settings from the environment."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(serve(Sandbox.from_environment()))


if __name__ == "__main__":
    main()
