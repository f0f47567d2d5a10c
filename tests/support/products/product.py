"""What tests do with a real server that is not ours, whichever it is.

Such a server is installed apart (`make pocketbase`, `make pretix`, `make vendure`), and started with a club in it. What
it says now is read from its own database, never through the API that clubsync reads.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import requests

from connectors.sdk.base import Connection

ROOT = Path(__file__).parents[3]
#: The groups of every club here.
GROUPS = ("Gold", "Kids", "Pool")
#: Who is a customer by the server's own database: id -> email, and names of groups in order.
Customers = Mapping[str, tuple[str, list[str]]]


@dataclass(frozen=True)
class Person:
    """Somebody who is entered.

    :param groups: names among `GROUPS`.
    :param active: whether they have access, if `groups` give it.
    """

    number: int
    groups: tuple[str, ...] = ("Gold",)
    active: bool = True

    @property
    def email(self) -> str:
        return f"p{self.number}@example.com"

    @property
    def first(self) -> str:
        return f"First{self.number}"

    @property
    def last(self) -> str:
        return f"Last{self.number}"


class Product(ABC):
    """A running server with a club in it. Ids are those of its API.

    :cvar name: of its file in docs/examples: `rest-NAME.yaml`.
    :cvar answers_within: seconds, on a machine that does much else.
    :cvar refuses: what it answers when it refuses a change; nothing was changed then.
    """

    name: ClassVar[str]
    answers_within: ClassVar[float] = 4.0
    refuses: ClassVar[tuple[type[Exception], ...]] = (requests.RequestException,)
    #: of the people it was started with, in order.
    ids: list[str]
    url: str

    def connection(self, url: str) -> Connection:
        """The connection of a reader.

        :param url: the server's own, or that of a line to it.
        """
        login, password = self.key()
        return Connection(self.name, url, login, password)

    @abstractmethod
    def key(self) -> tuple[str, str]:
        """Login and password of the connection."""

    @abstractmethod
    def enter(self, person: Person) -> str:
        """Enter somebody; the id."""

    @abstractmethod
    def change_email(self, who: str, email: str) -> None: ...

    @abstractmethod
    def set_groups(self, who: str, groups: Sequence[str]) -> None: ...

    @abstractmethod
    def deactivate(self, who: str) -> None:
        """Take the access away, so that the record says so."""

    @abstractmethod
    def reactivate(self, who: str) -> None: ...

    @abstractmethod
    def delete(self, who: str) -> None: ...

    @abstractmethod
    def customers(self) -> Customers:
        """What its own database says now."""


class Hand:
    """Requests of one person at work, with a session of their own."""

    def __init__(self, base: str, headers: Mapping[str, str]) -> None:
        self._base = base
        self._session = requests.Session()
        self._session.headers.update(headers)

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        """The response to a request with a JSON body; None: it has none.

        :raises requests.RequestException: the server refuses, or does not answer.
        """
        said = self._session.request(
            method, self._base + path, json=body or None, timeout=60, allow_redirects=False
        )
        said.raise_for_status()
        return said.json() if said.content else None


def unused_port() -> int:
    """A TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> Iterator[Path]:
    """A server process while the block runs; the file of what it writes, which is printed at the end."""
    log = folder / "server.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        print(log.read_text(errors="replace")[-4000:])


def said(log: Path, word: str, seconds: float) -> str:
    """The rest of the line that begins with a word, once the process has written it.

    :raises RuntimeError: it does not.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        whole, _, _ = log.read_text(errors="replace").rpartition(
            "\n"
        )  # the last may be half written
        for line in whole.splitlines():
            if line.startswith(word):
                return line.removeprefix(word)
        time.sleep(0.1)
    raise RuntimeError(f"the server does not start:\n{log.read_text(errors='replace')[-2000:]}")


def as_json(people: Sequence[Person]) -> str:
    """People for a process that starts with them."""
    fields = ("first", "last", "email", "groups", "active")
    return json.dumps([{name: getattr(person, name) for name in fields} for person in people])
