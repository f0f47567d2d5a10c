"""Configured groups that the ERP does not have (R3): for `clubs check` and `connector try`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from clubsync.config import ClubConfig
from clubsync.errors import SyncError
from clubsync.extract.reader import connector_of
from clubsync.store.database import Base, fetch, queries
from clubsync.validate.affected import ERP_GROUPS, absent_groups
from connectors.sdk import words
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError
from connectors.sdk.files.drop import DropConnector
from connectors.sdk.messages import message
from connectors.sdk.model import GROUP_SCHEMA, Reading

#: The settings of clubs.yaml that name groups.
FORMER, ACCESS, AUTOMATIC = "former_groups", "access_groups", "automatic_groups"


@dataclass(frozen=True)
class Missing:
    """Configured groups that a club's ERP does not have.

    :param groups: setting -> the groups, sorted; never empty.
    :param found, remedy: what is wrong and what to do, in sentences.
    """

    groups: dict[str, list[str]]
    found: str
    remedy: str


def absent(configured: Iterable[str], reading: Reading) -> list[str]:
    """The configured groups that a reading does not have, sorted."""
    return sorted(absent_groups(configured, reading.groups, reading.customers["groups"]))


def check(
    club: ClubConfig,
    resolve: Callable[[str], Connection],
    open_base: Callable[[], AbstractContextManager[Base]],
) -> Missing | None:
    """The club's configured groups that its ERP does not have; None: none that can be told.

    A file is read for it. Of an ERP with an API the groups of the last sync are taken: reading everything costs
    requests.

    :param open_base: the database.
    """
    if not club.group_names:
        return None
    try:
        groups, held = _groups(club, resolve, open_base)
    except (SyncError, ConnectorError):
        return None  # the test of the connection has said so
    if not groups.height:
        return None
    wrong = {
        setting: missing
        for setting, names in (
            (FORMER, club.former_groups),
            (ACCESS, club.access_groups),
            (AUTOMATIC, club.automatic_groups),
        )
        if (missing := sorted(absent_groups(names, groups, held)))
    }
    if not wrong:
        return None
    found = " ".join(told(setting, missing) for setting, missing in wrong.items())
    to_do = " ".join(remedy(setting, missing, groups["name"]) for setting, missing in wrong.items())
    return Missing(wrong, found, to_do)


def told(setting: str, missing: Iterable[str]) -> str:
    """:param missing: groups that the setting names and the ERP does not have."""
    names = ", ".join(missing)
    if setting == FORMER:
        return message(f"The ERP does not have these groups of former customers: {names}.")
    if setting == ACCESS:
        return message(f"The ERP does not have these groups that give access: {names}.")
    return message(f"The ERP does not have these groups that feed automatic groups: {names}.")


def remedy(setting: str, missing: Iterable[str], names: Iterable[str]) -> str:
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
        return message(f"Correct {setting} in clubs.yaml.")
    near_names = ", ".join(dict.fromkeys(similar))
    return message(
        f"Correct {setting} in clubs.yaml; the ERP has groups of similar names: {near_names}."
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
    with open_base() as base:
        with base.transaction() as driver:
            number = queries().find_club(driver, club_id=club.id)
        if number is None:
            return GROUP_SCHEMA.to_frame(), pl.Series([], dtype=pl.String)
        with base.club(number) as driver:
            known = fetch(driver, queries().erp_groups, ERP_GROUPS, club=number)
    return known.filter("listed"), pl.Series([], dtype=pl.String)
