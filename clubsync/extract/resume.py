"""Interrupted readings, and how the next reading resumes them (R14; see `connectors.sdk.resume`).

The answers that a reading has had so far lie below `_unfinished/` of the store, a folder for each reading and a
file for each answer, written whole or not at all. They are personal data, for a few minutes: of an answer
only what the sync needs (R19), in the folder of the snapshots, gone when the reading is done, when somebody is
erased (R20: what an ERP goes on sending of them lies there again, while a later reading lasts), when the club is
removed (R28), and when the reading's time is over, by whoever comes by: the club's next reading, or upkeep, every
minute. Of the questions there are keyed hashes only: some hold keys.

Only what was asked of the same address, with the same log-in and the same settings, in the same epoch, is gone
on with, and only while nobody has asked for the club anew (R27) or read it whole: they would be told of what was
before they came.

Two processes that read one club at a time may come upon the same folder. That does no harm: each question
follows from the answers before it, and what is no answer to the next one is left alone.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import msgspec

from clubsync.store.snapshots import Store
from connectors.sdk.base import Connection, Connector
from connectors.sdk.errors import ConnectorError
from connectors.sdk.model import ONLY_CHANGES, Reading
from connectors.sdk.resume import Bookmark, RequestDiffers

log = logging.getLogger(__name__)

#: below the store's root; no club's id has an underscore.
ROOT = "_unfinished"
#: answers from which on they are written: fewer are sooner asked for again.
WORTH = 8
#: an answer that repeats one of our keys is not kept; what is shorter than this is no key.
_KEY = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OURS = re.compile(r"([a-z0-9-]+)_(\d+)_(\d+)_([0-9a-f]+)")


@dataclass(frozen=True)
class Folder:
    """Where one reading's answers lie; all that has to be known of them stands in its name.

    :param ends: when its time is over.
    :param asked: keyed hash of whom was asked for what.
    """

    club: str
    begun: datetime
    ends: datetime
    asked: str

    @property
    def name(self) -> str:
        return f"{self.club}_{_micros(self.begun)}_{_micros(self.ends)}_{self.asked}"

    @property
    def path(self) -> str:
        return f"{ROOT}/{self.name}"


def folders(store: Store, club: str | None = None) -> list[Folder]:
    """All there are, or a club's, the oldest first."""
    names = store.names(ROOT, f"{club}_" if club else "")
    parts = [ours.groups() for name in names if (ours := _OURS.fullmatch(name))]
    found = [Folder(of, _moment(begun), _moment(ends), asked) for of, begun, ends, asked in parts]
    return sorted(found, key=lambda folder: folder.begun)


def sweep(store: Store, now: datetime) -> int:
    """Remove what no reading may go on with any more; how many there were."""
    over = [folder for folder in folders(store) if folder.ends <= now]
    for folder in over:
        store.remove(folder.path)
    return len(over)


def forget(store: Store, club: str) -> None:
    """Remove all of a club's."""
    for folder in folders(store, club):
        store.remove(folder.path)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))


class Kept(Bookmark):
    """A bookmark in the store.

    :param place: when a reading began -> the folder to write to.
    :param folder: the one to go on with; None: the reading begins.
    :param secrets: what no file may hold.
    :param worth: answers from which on they are written.
    """

    def __init__(
        self,
        store: Store,
        key: bytes,
        place: Callable[[datetime], Folder],
        *,
        folder: Folder | None = None,
        secrets: Sequence[str] = (),
        worth: int = WORTH,
    ) -> None:
        super().__init__(folder.begun if folder else None)
        #: answers that are the ERP's own, of this reading.
        self.asked = 0
        self._store, self._key, self._place, self._worth = store, key, place, worth
        self._secrets = [s.encode() for one in secrets for s in (one, quote_plus(one))]
        self._names = _in_order(store.names(folder.path, "")) if folder else []
        self._at = 0
        self._waiting: list[tuple[str, bytes]] = []
        self._there = folder is not None
        self._open = True

    @property
    def kept(self) -> int:
        """Answers that were there when the reading began."""
        return len(self._names)

    @property
    def _folder(self) -> Folder:
        assert self.started_at is not None
        return self._place(self.started_at)

    def recall(self, request: bytes) -> bytes | None:
        if self._at >= len(self._names):
            return None
        name = self._names[self._at]
        answer = self._store.get(self._folder.path, name)
        if name != self._name(request) or answer is None:
            raise RequestDiffers
        self._at += 1
        return answer

    def keep(self, request: bytes, response: bytes) -> None:
        self.asked += 1
        if any(secret in response for secret in self._secrets):
            self._close()
        if not self._open:
            return
        self._waiting.append((self._name(request), response))
        self._at += 1
        if self._at < self._worth and not self._there:
            return
        folder = self._folder
        if self._there and not self._store.names(ROOT, folder.name):
            # somebody was erased meanwhile: nothing of theirs is written again
            self._close()
            return
        try:
            for name, content in self._waiting:
                self._store.put(folder.path, name, content)
        except OSError as error:
            log.warning("%s: answers are not kept (%s)", folder.club, type(error).__name__)
            self._close()
            return
        self._there = True
        self._waiting.clear()

    def _name(self, request: bytes) -> str:
        asked = hashlib.blake2b(request, key=self._key, digest_size=16).hexdigest()
        return f"{self._at:06d}-{asked}"

    def _close(self) -> None:
        self._open = False
        self._waiting.clear()

    def remove(self) -> None:
        """The reading is done, or nothing can be made of it."""
        self._close()
        if self._there:
            self._store.remove(self._folder.path)


def _in_order(names: Sequence[str]) -> list[str]:
    """The files from the first one on, without a gap."""
    whole = [name for name in names if not name.endswith(".part")]
    return [
        name
        for number, name in itertools.takewhile(
            lambda one: one[1].startswith(f"{one[0]:06d}-"), enumerate(whole)
        )
    ]


@dataclass(frozen=True)
class Shelf:
    """The unfinished readings of one club.

    :param key: the club's own, of its keyed hashes.
    """

    store: Store
    club: str
    key: uuid.UUID
    epoch: int
    worth: int = WORTH

    def read(
        self, make: Callable[[], Connector[Any]], now: datetime, fresh_from: datetime | None
    ) -> Reading:
        """Read the club; go on with a reading that broke off, where there is one and that is sound.

        What comes of going on, and is not whole, is not believed: the club is read from its beginning then. So a
        cursor that the ERP has forgotten costs one question. What broke off because the ERP could not be reached
        stays for the next.

        :param make: a new connector.
        :param fresh_from: what began before is not gone on with.
        :raises ConnectorError: as `Connector.read`, and where going on brought not one answer more.
        """
        connector = make()
        within = connector.resumable_for
        if within is None:
            return connector.read()
        folder = self.found(connector, now, fresh_from)
        if folder is not None:
            reading = self._gone_on(connector, folder, within)
            if reading is not None:
                return reading
            connector = make()
        connector.bookmark = mark = self._mark(connector, within, None)
        with _tidied(mark):
            return connector.read()

    def _gone_on(
        self, connector: Connector[Any], folder: Folder, within: timedelta
    ) -> Reading | None:
        """A reading that goes on with that one; None: nothing can be made of it."""
        connector.bookmark = mark = self._mark(connector, within, folder)
        told = f"Goes on with the reading of {folder.begun:%H:%M:%S} UTC, after its first {mark.kept} answers."
        log.info("%s: %s", self.club, told)
        reading = None
        try:
            with _tidied(mark):
                reading = connector.read()
            why: str = next(iter(reading.certificate.doubts), "")
        except RequestDiffers:
            why = "other questions are asked now"
        except ConnectorError as error:
            why = error.what
        if reading is not None:
            reading = replace(reading, notes=(*reading.notes, told))
            if _whole(reading):
                return reading
        if mark.error is not None and _stays(mark) and connector.now() < folder.ends:
            if reading is None or not mark.asked:
                raise mark.error  # that nothing came is a failure, and no reading
            return reading
        mark.remove()
        log.info("%s: begins anew: %s", self.club, why)
        return None

    def found(
        self, connector: Connector[Any], now: datetime, fresh_from: datetime | None
    ) -> Folder | None:
        """The newest of this club's that such a reading may go on with; those whose time is over go.

        :param fresh_from: what began before is not gone on with.
        """
        asked = self._asked(connector)
        found = None
        for folder in folders(self.store, self.club):
            if folder.ends <= now:
                self.store.remove(folder.path)
            elif folder.asked == asked and folder.begun <= now:
                found = folder
        if found is not None and fresh_from is not None and found.begun <= fresh_from:
            return None
        return found

    def _mark(self, connector: Connector[Any], within: timedelta, folder: Folder | None) -> Kept:
        asked = self._asked(connector)
        return Kept(
            self.store,
            self.key.bytes,
            lambda begun: Folder(self.club, begun, begun + within, asked),
            folder=folder,
            secrets=_secrets(connector.connection),
            worth=self.worth,
        )

    def _asked(self, connector: Connector[Any]) -> str:
        """Whom, as whom and for what, as a keyed hash: never the secret itself."""
        to = connector.connection
        text = msgspec.json.encode(
            (
                *(connector.name, self.epoch, connector.since, connector.until),
                *(to.host, to.port, to.login, to.password, dict(to.extra)),
                connector.settings.model_dump(mode="json"),
            ),
            order="deterministic",
        )
        return hashlib.blake2b(text, key=self.key.bytes, digest_size=16).hexdigest()


@contextmanager
def _tidied(mark: Kept) -> Iterator[None]:
    """Remove what the reading leaves behind, but for what the next one may go on with; a process that is
    killed leaves it all."""
    try:
        yield
    except (
        Exception
    ):  # whatever it is, it goes on up; who is told to stop (no Exception) leaves it all too
        if not _stays(mark):
            mark.remove()
        raise
    if not _stays(mark):
        mark.remove()


def _stays(mark: Kept) -> bool:
    """Whether the reading broke off because of something that may pass.

    What else it ended with may lie in the kept answers themselves.
    """
    return mark.error is not None and mark.error.transient


def _whole(reading: Reading) -> bool:
    """Certified, or it would be if it were of everything."""
    return all(doubt.startswith(ONLY_CHANGES) for doubt in reading.certificate.doubts)


def _secrets(connection: Connection) -> list[str]:
    told = [value for value in connection.extra.values() if isinstance(value, str)]
    found = [value for value in told if len(value) >= _KEY]
    return [*found, connection.password] if connection.password else found
