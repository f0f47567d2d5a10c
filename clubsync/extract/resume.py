"""Interrupted readings, and how the next reading resumes them (R14; see `connectors.sdk.resume`).

The responses that a reading has received are stored below `_unfinished/` of the store: a folder for each reading
and a file for each response, written whole or not at all. They are personal data for a few minutes. Of a response
only what the sync needs is kept (R19). A folder is removed when its reading is done, when somebody is erased (R20),
when the club is removed (R28), and when the reading has expired: by the club's next reading, or by upkeep, which runs
every minute. A response in which the ERP still sends an erased person is not stored, nor is any after it. Requests are
stored as keyed hashes only, because some contain keys. A file is used only if it is the one that was written (R21).

A reading is resumed only for the same address, the same credentials and the same settings, in the same epoch, and
only while nobody has asked for the club again (R27) or read it completely: they would get data from before they
asked.

Two processes that read one club at the same time may use the same folder. That does no harm: each request follows
from the responses before it, and a response that does not belong to the next request is ignored.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
#: responses from which on they are stored: fewer are requested again sooner.
WORTH = 8
#: a response that contains one of our keys is not stored; a shorter value is not a key.
_KEY = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OURS = re.compile(r"([a-z0-9-]+)_(\d+)_(\d+)_([0-9a-f]+)")


@dataclass(frozen=True)
class Folder:
    """Where the responses of one reading are stored; its name says all that has to be known about them.

    :param ends: when it expires.
    :param asked: keyed hash of the address, the credentials and the settings.
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
    """All folders, or those of a club, the oldest first."""
    names = store.names(ROOT, f"{club}_" if club else "")
    parts = [ours.groups() for name in names if (ours := _OURS.fullmatch(name))]
    found = [Folder(of, _moment(begun), _moment(ends), asked) for of, begun, ends, asked in parts]
    return sorted(found, key=lambda folder: folder.begun)


def sweep(store: Store, now: datetime) -> int:
    """Remove expired folders; returns how many."""
    over = [folder for folder in folders(store) if folder.ends <= now]
    for folder in over:
        store.remove(folder.path)
    return len(over)


def forget(store: Store, club: str) -> None:
    """Remove all folders of a club."""
    for folder in folders(store, club):
        store.remove(folder.path)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))


#: A block in which nobody of the club is erased: whether nobody was since the reading began.
Alone = Callable[[], AbstractContextManager[bool]]


def _alone() -> AbstractContextManager[bool]:
    return nullcontext(True)


def _nobodys(_: bytes) -> bool:
    return False


class Kept(Bookmark):
    """A bookmark in the store.

    :param place: when a reading began -> the folder to write to.
    :param folder: the one to resume; None: the reading starts.
    :param secrets: values that no file may contain.
    :param worth: responses from which on they are stored.
    :param alone: a block in which nobody is erased, and whether nobody was since the reading began (R20).
    :param erased: whether a response holds an erased person's data.
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
        alone: Alone = _alone,
        erased: Callable[[bytes], bool] = _nobodys,
    ) -> None:
        super().__init__(folder.begun if folder else None)
        #: responses that came from the ERP in this reading.
        self.asked = 0
        self._store, self._key, self._place, self._worth = store, key, place, worth
        self._alone, self._erased = alone, erased
        self._secrets = [s.encode() for one in secrets for s in (one, quote_plus(one))]
        self._names = _in_order(store.names(folder.path, "")) if folder else []
        self._at = 0
        self._waiting: list[tuple[str, bytes]] = []
        self._there = folder is not None
        self._open = True

    @property
    def kept(self) -> int:
        """Responses that were stored when the reading started."""
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
        if self._erased(response):
            self._close()
            return
        self._waiting.append((self._name(request), response))
        self._at += 1
        if self._at < self._worth and not self._there:
            return
        folder = self._folder
        with self._alone() as alone:
            if not alone or (self._there and not self._store.names(ROOT, folder.name)):
                # somebody was erased meanwhile: nothing of theirs is stored again
                self._close()
                return
            try:
                for name, content in self._waiting:
                    self._store.put(folder.path, name, content)
            except OSError as error:
                log.warning("%s: responses are not stored (%s)", folder.club, type(error).__name__)
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
        """The reading is done, or cannot be used."""
        self._close()
        if self._there:
            self._store.remove(self._folder.path)


def _in_order(names: Sequence[str]) -> list[str]:
    """The files from the first one, up to the first gap."""
    whole = [name for name in names if not name.endswith(".part")]
    return [
        name
        for number, name in itertools.takewhile(
            lambda one: one[1].startswith(f"{one[0]:06d}-"), enumerate(whole)
        )
    ]


@dataclass(frozen=True)
class Shelf:
    """The interrupted readings of one club.

    :param key: the club's key for its keyed hashes.
    :param alone, erased: see `Kept`.
    """

    store: Store
    club: str
    key: uuid.UUID
    epoch: int
    worth: int = WORTH
    alone: Alone = _alone
    erased: Callable[[bytes], bool] = _nobodys

    def read(
        self, make: Callable[[], Connector[Any]], now: datetime, fresh_from: datetime | None
    ) -> Reading:
        """Read the club; resume an interrupted reading where there is one and that is sound.

        A resumed reading that is not complete is discarded, and the club is read from the start. So a cursor that
        the ERP has forgotten costs one request. A reading that was interrupted because the ERP could not be reached
        stays for the next one.

        :param make: a new connector.
        :param fresh_from: a reading that started before is not resumed.
        :raises ConnectorError: as `Connector.read`, and where resuming brought no further response.
        """
        connector = make()
        within = connector.resumable_for
        if within is None:
            return connector.read()
        folder = self.found(connector, now, fresh_from)
        if folder is not None:
            reading = self._resumed(connector, folder, within)
            if reading is not None:
                return reading
            connector = make()
        connector.bookmark = mark = self._mark(connector, within, None)
        with _tidied(mark):
            return connector.read()

    def _resumed(
        self, connector: Connector[Any], folder: Folder, within: timedelta
    ) -> Reading | None:
        """Resume the reading of a folder; None: it cannot be used."""
        connector.bookmark = mark = self._mark(connector, within, folder)
        note = f"Resuming the read started at {folder.begun:%H:%M:%S} UTC ({mark.kept} responses already fetched)."
        log.info("%s: %s", self.club, note)
        reading = None
        try:
            with _tidied(mark):
                reading = connector.read()
            why: str = next(iter(reading.certificate.doubts), "")
        except RequestDiffers:
            why = "the requests are different now"
        except ConnectorError as error:
            why = error.what
        if reading is not None:
            reading = replace(reading, notes=(*reading.notes, note))
            if _whole(reading):
                return reading
        if mark.error is not None and _stays(mark) and connector.now() < folder.ends:
            if reading is None or not mark.asked:
                raise mark.error  # no response at all is a failure, not a reading
            return reading
        mark.remove()
        log.info("%s: reading from the start: %s", self.club, why)
        return None

    def found(
        self, connector: Connector[Any], now: datetime, fresh_from: datetime | None
    ) -> Folder | None:
        """The newest folder of this club that such a reading may resume; removes expired ones.

        :param fresh_from: a reading that started before is not resumed.
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
            alone=self.alone,
            erased=self.erased,
        )

    def _asked(self, connector: Connector[Any]) -> str:
        """Address, credentials and settings as a keyed hash: never the secret itself."""
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
    """Remove what the reading leaves behind, except what the next one may resume; a killed process leaves
    everything."""
    try:
        yield
    except (
        Exception
    ):  # raised again below; a process told to stop (no Exception) leaves everything too
        if not _stays(mark):
            mark.remove()
        raise
    if not _stays(mark):
        mark.remove()


def _stays(mark: Kept) -> bool:
    """Whether the reading was interrupted by something that may pass.

    The cause of any other end may be in the stored responses themselves.
    """
    return mark.error is not None and mark.error.transient


def _whole(reading: Reading) -> bool:
    """Certified, or it would be if it were of everything."""
    return all(doubt.startswith(ONLY_CHANGES) for doubt in reading.certificate.doubts)


def _secrets(connection: Connection) -> list[str]:
    told = [value for value in connection.extra.values() if isinstance(value, str)]
    found = [value for value in told if len(value) >= _KEY]
    return [*found, connection.password] if connection.password else found
