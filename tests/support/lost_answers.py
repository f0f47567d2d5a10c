"""A line to PostgreSQL that is cut after a COMMIT has been carried out, before its answer arrives."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from clubsync.store.embedded import SOCKET_PORT

#: The message that commits a transaction: kind, length, text.
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_SOCKET = f".s.PGSQL.{SOCKET_PORT}"


class Line:
    """:param lost: the answer to the how manieth COMMIT is lost; 0: none."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.server, self.folder = server / _SOCKET, folder
        self.lost, self.commits = 0, 0
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database over this line."""
        return f"postgresql+psycopg://clubsync@/{database}?host={quote(str(self.folder))}"

    def lose(self, nth: int) -> None:
        """Lose the answer to the nth COMMIT from now on, and no other."""
        with self._lock:
            self.lost, self.commits = nth, 0

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.server))
            silent = threading.Event()
            for one, other, back in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._carry, args=(one, other, silent, back), daemon=True
                ).start()

    def _carry(
        self, one: socket.socket, other: socket.socket, silent: threading.Event, back: bool
    ) -> None:
        """Carry what one side says to the other.

        :param silent: set once the next word of the server is to be lost.
        :param back: from the server to the client.
        """
        try:
            while said := one.recv(65536):
                if back and silent.is_set():
                    break  # it has been carried out
                if not back and said == _COMMIT and self._is_lost():
                    silent.set()
                other.sendall(said)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if back:
            one.close()
            other.close()

    def _is_lost(self) -> bool:
        with self._lock:
            self.commits += 1
            return self.commits == self.lost


@contextmanager
def line_to(server: Path) -> Iterator[Line]:
    """:param server: the folder of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="cs-line-"))
    line = Line(server, folder)
    try:
        yield line
    finally:
        line.close()
        shutil.rmtree(folder, ignore_errors=True)
