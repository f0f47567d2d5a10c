"""`python -m sandbox`: every simulated ERP of the demo in one process, until TERM.

HTTP (Playtomic, the door to Tryton, faults, health), SFTP, the exports, and Tryton with its feeder. Settings
come from the environment, see `sandbox.demo.Sandbox`. Everything listens on 127.0.0.1 only.
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
from typing import Any

import uvicorn

from sandbox import sftp
from sandbox import tryton as tryton_server
from sandbox.app import create_app
from sandbox.demo import CLUBS, PASSWORD, SFTP_USER, Sandbox, zone
from sandbox.faults import Faults
from sandbox.playtomic import Player, Venue, players_of
from sandbox.ticker import Exporter
from sandbox.world import ClubState, World

log = logging.getLogger("sandbox")


class Running:
    """The demo's world, and what is known of the processes around it."""

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
        """The club now."""
        return self.world.club(club, datetime.now(UTC))

    def players(self, club: str) -> list[Player]:
        """The club's players now."""
        return players_of(self.state(club), zone(club))

    def health(self) -> dict[str, Any]:
        """What `/health` says: `ready` once every ERP of the demo can be read."""
        ready = self.exports > 0 and self.tryton in ("ready", "off")
        return {"ready": ready, "tryton": self.tryton, "clubs": [c.id for c in CLUBS]}

    def repeat(self, name: str, work: Callable[[], int]) -> None:
        """Work at every tick until the sandbox stops; what fails once is tried at the next tick."""
        while not self.stopping.is_set():
            try:
                done = work()
                if done:
                    log.info("%s: %d", name, done)
            except Exception:
                log.exception("%s failed", name)
            self.stopping.wait(self.sandbox.tick)

    def export(self) -> int:
        """One tick of the exports."""
        written = self._exporter.tick()
        self.exports += 1
        return written

    def run_tryton(self) -> None:
        """Tryton and its feeder, until the sandbox stops."""
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

                self.repeat("parties entered or edited", feed)
        except Exception:
            log.exception("Tryton ended")
            self.tryton = "ended"


@contextlib.contextmanager
def _client(url: str) -> Iterator[tryton_server.Client]:
    client = tryton_server.Client(url, tryton_server.LOGIN, PASSWORD)
    try:
        yield client
    finally:
        client.close()


def _epoch(folder: Path) -> datetime:
    """When this sandbox began: kept, so that its clubs go on where they were."""
    path = folder / "epoch"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(datetime.now(UTC).isoformat())
    return datetime.fromisoformat(path.read_text().strip())


class _Server(uvicorn.Server):
    """Leaves signals to `serve`, which has more to stop than HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(sandbox: Sandbox) -> None:
    """Run the sandbox until TERM or INT."""
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
    """Start as the environment says."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(serve(Sandbox.from_environment()))


if __name__ == "__main__":
    main()
