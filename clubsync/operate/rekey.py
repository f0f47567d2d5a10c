"""Encrypt the snapshot store with the first of its keys: what is not encrypted, or with an older key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from clubsync.errors import ActionRejected
from clubsync.extract import resume
from clubsync.store.database import Base, queries
from clubsync.store.encryption import VARIABLE
from clubsync.store.snapshots import Store


class Rekeyed(TypedDict):
    """How many files were encrypted, and how many were already."""

    encrypted: int
    already: int


def rekey(base: Base, store: Store, progress: Callable[[str, int], None]) -> Rekeyed:
    """Encrypt every file of the store that is not encrypted with the first key.

    Each file is replaced as a whole, under its club's lock, so that nobody who is erased meanwhile comes back (R20).
    Killed anywhere, run again: it continues with what is left. Interrupted reads are left out: they last for minutes.

    :param progress: called with the club and the number of files that are done.
    :raises ActionRejected: there is no key.
    :raises SnapshotUnreadable: a file needs a key that is not given, or was changed.
    """
    if not store.keys:
        raise ActionRejected(
            f"{VARIABLE} is not set: there is no key to encrypt with.",
            remedy="`clubsync store key` makes one. Keep a copy where the store is not.",
        )
    with base.transaction() as driver:
        numbers = {row["club_id"]: row["club"] for row in queries().club_numbers(driver)}
    done = Rekeyed(encrypted=0, already=0)
    for club in store.names("", ""):
        if club == resume.ROOT:
            continue
        for place in store.files(club):
            progress(club, done["encrypted"] + done["already"])
            if store.is_current(place):
                done["already"] += 1
            elif _encrypt(base, store, numbers.get(club), place):
                done["encrypted"] += 1
    return done


def _encrypt(base: Base, store: Store, club_no: int | None, place: str) -> bool:
    """Replace one file; False: it is gone."""
    with base.transaction() as driver:
        if club_no is not None:
            queries().lock_club(driver, club=club_no)
        return store.rewrite(place)
