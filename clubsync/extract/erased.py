"""R20: filter out erased people, by keyed hashes: none of their data is stored, planned or loaded.

Erased people are filtered where a reading is stored, under the club's lock, and again where a stored snapshot is
taken up: by a run that was under way when the order came, by an approval, a replay, a redo or a backfill. Either
way the order is wholly before or wholly after.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import polars as pl

from clubsync import emails
from clubsync.frames import compacted
from clubsync.store import record_index
from clubsync.store.database import Driver, queries
from clubsync.store.snapshots import Snapshot, row_hashes
from connectors.sdk.model import Reading


def key_hash(key: uuid.UUID, text: str) -> str:
    """The keyed hash of an ERP id or an email: 32 hex digits."""
    return hashlib.blake2b(text.encode(), key=key.bytes, digest_size=16).hexdigest()


_PART = re.compile(r"[\w-]+")


def _collect(value: Any, texts: set[str]) -> None:
    """Collect the texts and numbers of plain JSON, keys too, at any depth."""
    if isinstance(value, dict):
        texts.update(value)
        for inner in value.values():
            _collect(inner, texts)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, texts)
    elif isinstance(value, str | int):
        texts.add(str(value))
    elif isinstance(value, float) and value.is_integer():
        texts.add(str(int(value)))


@dataclass(frozen=True)
class Erased:
    """The erased people of a club.

    :param key: the club's key for hashes.
    :param ids: `key_hash` of their ERP ids.
    :param emails: of their normalised emails.
    :param recent: those of the emails whose order is newer than the snapshot or the run in question: a record that
        it shows for the first time under such an email is theirs.
    :param known: the ERP ids that the club's records have; asked for only where there are recent emails.
    """

    key: uuid.UUID
    ids: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    recent: frozenset[str] = frozenset()
    known: Callable[[], pl.Series] = lambda: pl.Series("erp_id", [], dtype=pl.String)

    @classmethod
    def read(
        cls, driver: Driver, club: int, *, snapshot: int | None = None, run: int | None = None
    ) -> Erased:
        """Whom the club's orders name.

        :param driver: inside a transaction of this club, which has read the club's state before.
        :param snapshot: the stored snapshot in question; who was erased before it was stored is not in it.
        :param run: the run that reads, where the snapshot has no number yet.
        """
        sql = queries()
        ids = list(sql.erased_hashes(driver, club=club, snapshot=snapshot))
        found = list(sql.erased_emails(driver, club=club, snapshot=snapshot, run=run))
        return cls(
            key=sql.club_state(driver, club=club)["hash_key"],
            ids=frozenset(row["key_hash"] for row in ids),
            emails=frozenset(row["key_hash"] for row in found),
            recent=frozenset(row["key_hash"] for row in found if row["recent"]),
            known=lambda: record_index.read(driver, club)["erp_id"],
        )

    def __bool__(self) -> bool:
        return bool(self.ids or self.recent)

    def names(self, erp_ids: Iterable[str | None]) -> list[bool]:
        """Whether each of these ids is an erased person's."""
        return [i is not None and key_hash(self.key, i) in self.ids for i in erp_ids]

    def has_email(self, norm: str | None) -> bool:
        """Whether this normalised email is an erased person's."""
        return norm is not None and key_hash(self.key, norm) in self.emails

    def are_in(self, response: bytes) -> bool:
        """Whether an ERP's response, as JSON, has the ERP id or the email of an erased person in any value or key.

        A part of a text counts too: an id may be the end of a path. So does a number that only looks like the id.
        """
        if not self.ids and not self.emails:
            return False
        texts: set[str] = set()
        _collect(msgspec.json.decode(response), texts)
        if any(self.has_email(emails.normalise(text)) for text in texts if "@" in text):
            return True
        parts = texts.union(*(_PART.findall(text) for text in texts))
        return any(self.names(parts))

    def without(self, customers: pl.DataFrame) -> pl.DataFrame:
        """The records of everybody else.

        Who names an erased person as their guardian is a dependant of nobody (R8), and an email that they share with
        that person is left out: it gives nobody access in the erased person's place.

        :param customers: `CUSTOMER_SCHEMA`, or `snapshots.KEPT`; an erp_id may be null.
        """
        if not self or customers.is_empty():
            return customers
        theirs = pl.Series(self.names(customers["erp_id"]), dtype=pl.Boolean)
        if self.recent:
            theirs |= self._newcomers(customers)
        kept = self._without_guardians(customers.filter(~theirs) if theirs.any() else customers)
        # what goes to the next stage is written with all that is in memory
        return kept if kept is customers else compacted(kept)

    def left(self, erp_ids: Collection[str]) -> tuple[str, ...]:
        """These ids, without those of erased people."""
        if not self.ids:
            return tuple(erp_ids)
        gone = self.names(erp_ids)
        return tuple(i for i, theirs in zip(erp_ids, gone, strict=True) if not theirs)

    def of_reading(self, reading: Reading) -> Reading:
        """A reading without the erased people."""
        if not self:
            return reading
        file = reading.file
        return replace(
            reading,
            customers=self.without(reading.customers),
            conflicting_ids=self.left(reading.conflicting_ids),
            ambiguous_ids=self.left(reading.ambiguous_ids),
            file=None if file is None else replace(file, last=self.left(file.last)),
        )

    def of_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """A stored snapshot, or one that this process has read, without the people who were erased since."""
        if not self:
            return snapshot
        return replace(
            snapshot,
            customers=self.without(snapshot.customers),
            conflicting_ids=self.left(snapshot.conflicting_ids),
            ambiguous_ids=self.left(snapshot.ambiguous_ids),
        )

    def _newcomers(self, customers: pl.DataFrame) -> pl.Series:
        """Records that are shown for the first time, under an email whose order came meanwhile."""
        new = ~customers["erp_id"].is_in(self.known().implode()).fill_null(False)
        at = new.arg_true()
        found = emails.evaluate(customers["email"].gather(at))["email_norm"]
        theirs = [e is not None and key_hash(self.key, e) in self.recent for e in found]
        return pl.Series([False] * customers.height, dtype=pl.Boolean).scatter(at, theirs)

    def _without_guardians(self, customers: pl.DataFrame) -> pl.DataFrame:
        named = customers["guardian_id"].drop_nulls().unique()
        gone = named.filter(pl.Series(self.names(named), dtype=pl.Boolean))
        if gone.is_empty():
            return customers
        at = customers["guardian_id"].is_in(gone.implode()).fill_null(False).arg_true()
        wards = customers[at]
        found = emails.evaluate(wards["email"])["email_norm"]
        shared = pl.Series([self.has_email(norm) for norm in found], dtype=pl.Boolean)
        wards = wards.with_columns(
            guardian_id=pl.lit(None, dtype=pl.String),
            email=pl.when(~shared).then("email"),
        )
        if "row_hash" in wards.columns:
            wards = wards.with_columns(row_hashes(wards))
        names = ("guardian_id", "email", "row_hash")
        return customers.with_columns(
            customers[name].scatter(at, wards[name]) for name in names if name in customers.columns
        )
