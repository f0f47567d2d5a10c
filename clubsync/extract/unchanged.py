"""Readings that the last one said all of: the stored snapshot stands for them (R17; `connectors.sdk.unchanged`).

What is compared is one keyed hash per reading, kept in the row of its snapshot. It goes with that row, and when
somebody is erased (R20). Part of its key is whatever else decides what a reading becomes: the address, the credentials
and the settings, what the connector knows of the club, the day in the club's calendar, the source of its ids (R1), who
was erased, and the code of this version of clubsync with the libraries that it is locked to. So a club is parsed once
a day at least.

A reading takes part only if it was of everything, in pages, certified, and all its records had ids; and if its
snapshot is the newest, and the one that is loaded. Nobody shares a chain's tenant (R29), and it was not resumed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from clubsync import clock
from connectors.sdk.unchanged import Received

if TYPE_CHECKING:
    from clubsync.store.queries import ComparableReadingRow
    from connectors.sdk.base import Connector
    from connectors.sdk.model import Reading

#: Records up to which a reading is looked through before anything is made of it: so long its responses are held.
MOST = 20_000
_ROOT = Path(__file__).resolve().parents[2]
#: What makes a snapshot of responses.
_CODE = (
    "connectors",
    "clubsync/extract",
    "clubsync/store/snapshots.py",
    "clubsync/pipeline/extract.py",
)
_LOCK = "requirements-runtime.lock"


@lru_cache(maxsize=1)
def code_hash() -> bytes:
    """Of the code that makes a snapshot of responses, and of the versions of what it uses."""
    made = hashlib.blake2b(digest_size=32)
    found = [_ROOT / name for name in _CODE]
    files = [*(f for one in found for f in one.rglob("*.py")), *(f for f in found if f.is_file())]
    for file in sorted({*files, _ROOT / _LOCK}):
        if file.is_file():
            made.update(f"{file.relative_to(_ROOT)}\0".encode())
            made.update(file.read_bytes())
    return made.digest()


@dataclass
class Comparison:
    """What a reading is compared with, and what it was.

    :param last: what is known of the club's last reading.
    """

    last: ComparableReadingRow
    _received: Received | None = None
    _days: tuple[date, date] | None = None
    _connector: Connector[Any] | None = field(default=None, repr=False)

    def start(self, connector: Connector[Any]) -> None:
        """Let a connector compare what it receives."""
        last = self.last
        self._connector, self._days = connector, _days(connector)
        few = last["customers"] is not None and 0 < last["customers"] <= MOST
        received = Received(self._key(connector), last["reading_hash"] if few else None)
        connector.received = self._received = received
        known = connector.known

        def consulted() -> Any:
            # what is asked for then follows from the base too
            received.spoil()
            return known()

        connector.known = consulted

    def stop(self) -> None:
        """The next reading is compared with nothing."""
        self._received = None

    @property
    def is_same_day(self) -> bool:
        """Whether it still is the day that it was when the reading began."""
        return self._connector is not None and self._days == _days(self._connector)

    def hash_of(self, reading: Reading, orders: int) -> bytes | None:
        """What the next reading may be compared with; None: nothing.

        :param reading: as it is stored.
        :param orders: the last erasure that is filtered out of it.
        """
        takes_part = (
            reading.certificate.complete
            and reading.paged
            and reading.since is None
            and reading.file is None
            and reading.without_id is None
            and reading.others is None
            and not reading.notes
            and not reading.customers.is_empty()
        )
        if self._received is None or not takes_part or orders != self.last["orders"]:
            return None
        return self._received.hash if self.is_same_day else None

    def _key(self, connector: Connector[Any]) -> bytes:
        """What decides, besides the responses, what is made of them."""
        last, to, club = self.last, connector.connection, connector.club
        text = msgspec.json.encode(
            (
                *(code_hash().hex(), connector.name, last["epoch"], last["orders"], last["erased"]),
                *(to.id, to.host, to.port, to.login, to.password, dict(to.extra)),
                connector.settings.model_dump(mode="json"),
                *(club.id, club.timezone.key, club.country, club.group_names, club.no_end),
                *(repr(club.members), self._days),
            ),
            order="deterministic",
        )
        return hashlib.blake2b(text, key=last["hash_key"].bytes, digest_size=64).digest()


def _days(connector: Connector[Any]) -> tuple[date, date]:
    """Today, by the club's calendar and in UTC."""
    now: datetime = clock.now()
    return now.astimezone(connector.club.timezone).date(), now.date()
