"""Configured groups that the ERP does not have (R3): for `clubs check` and `connector try`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from difflib import get_close_matches

import polars as pl

from clubsync.config import ClubConfig
from clubsync.errors import SyncError
from clubsync.extract.reader import connector_of
from clubsync.store.database import Base, fetch, queries
from clubsync.validate.affected import absent_groups
from connectors.sdk import words
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError
from connectors.sdk.files.drop import DropConnector
from connectors.sdk.messages import message
from connectors.sdk.model import GROUP_SCHEMA, Reading


def absent(club: ClubConfig, reading: Reading) -> list[str]:
    """The configured groups of former customers that a reading does not have, sorted."""
    found = absent_groups(club.former_groups, reading.groups, reading.customers["groups"])
    return sorted(found)


def check(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    open_base: Callable[[], AbstractContextManager[Base]],
) -> tuple[str, str] | None:
    """What is wrong with a club's configured groups, and what to do; None: nothing that can be told.

    A file is read for it. Of an ERP with an API the groups of the last sync are taken: reading everything costs
    requests.

    :param open_base: the database.
    """
    if not club.former_groups:
        return None
    try:
        groups, held = _groups(club, resolve, open_base)
    except (SyncError, ConnectorError):
        return None  # the test of the connection has said so
    missing = sorted(absent_groups(club.former_groups, groups, held)) if groups.height else []
    if not missing:
        return None
    names = ", ".join(missing)
    found = message(f"The ERP does not have these groups of former customers: {names}.")
    return found, remedy(missing, groups["name"])


def remedy(missing: Iterable[str], names: Iterable[str]) -> str:
    """What to do about groups that are not there.

    :param names: of the groups that the ERP has.
    """
    spelled = {words.word(name): name for name in names}
    similar = [
        spelled[near]
        for name in missing
        for near in get_close_matches(words.word(name), spelled, n=1, cutoff=0.75)
    ]
    if not similar:
        return message("Correct former_groups in clubs.yaml.")
    near_names = ", ".join(dict.fromkeys(similar))
    return message(
        f"Correct former_groups in clubs.yaml; the ERP has groups of similar names: {near_names}."
    )


def _groups(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    open_base: Callable[[], AbstractContextManager[Base]],
) -> tuple[pl.DataFrame, pl.Series]:
    """The groups that there are, and those that records hold."""
    connector = connector_of(club, resolve)
    if isinstance(connector, DropConnector):
        reading = connector.read(full=True)
        return reading.groups, reading.customers["groups"]
    schema = {**GROUP_SCHEMA, "listed": pl.Boolean(), "group_id": pl.Int64()}
    with open_base() as base:
        with base.transaction() as driver:
            number = queries().find_club(driver, club_id=club.id)
        if number is None:
            return GROUP_SCHEMA.to_frame(), pl.Series([], dtype=pl.String)
        with base.club(number) as driver:
            known = fetch(driver, queries().erp_groups, schema, club=number)
    return known.filter("listed"), pl.Series([], dtype=pl.String)
