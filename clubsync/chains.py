"""R29: chains, the clubs that share one ERP tenant and are read together.

Clubs of one ERP, connection and settings are a chain where they say which records are theirs (`members`). A chain is
read once, whatever the number of its clubs; each club's rows are still seen by its own run alone (R21).

Cheap to import: every Dag file imports it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clubsync.config import ClubConfig, is_list_of_clubs, load_config


@dataclass(frozen=True)
class Chain:
    """The clubs of one tenant.

    :param key: `ClubConfig.tenant` of its clubs.
    :param name: the connection's id, by which people know the tenant.
    :param clubs: all of them, as clubs.yaml orders them.
    """

    key: str
    name: str
    clubs: tuple[ClubConfig, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(club.id for club in self.clubs)

    @property
    def words(self) -> Mapping[str, tuple[str, ...]]:
        """Club id -> the words by which the tenant names the club."""
        return {club.id: club.members.own for club in self.clubs if club.members}

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The words of clubs that are not synced here."""
        named = [word for club in self.clubs if club.members for word in club.members.elsewhere]
        return tuple(dict.fromkeys(named))


def chains(clubs: Iterable[ClubConfig]) -> dict[str, Chain]:
    """Club id -> its chain, of the clubs that are in one."""
    together: dict[str, list[ClubConfig]] = defaultdict(list)
    for club in clubs:
        if club.members is not None:
            together[club.tenant].append(club)
    found = (Chain(key, of[0].connection, tuple(of)) for key, of in together.items())
    return {club.id: chain for chain in found for club in chain.clubs}


def chain_in(path: Path, club: ClubConfig) -> Chain | None:
    """The chain of a club in a clubs.yaml; in a draft of a single club, that club alone. None: it is in none.

    :raises ConfigError: the file is not valid.
    """
    if club.members is None:
        return None
    alone = chains([club])[club.id]
    if not is_list_of_clubs(path):
        return alone
    return chains(load_config(path).clubs).get(club.id, alone)


def readings(chain: Chain, wanted: Iterable[str]) -> list[list[ClubConfig]]:
    """The clubs of a chain that one reading serves: those of one country and calendar, by which days and phones are
    read.

    :param wanted: ids of the clubs to read.
    """
    ids, together = set(wanted), defaultdict(list)
    for club in chain.clubs:
        if club.id in ids:
            together[club.timezone, club.country, club.no_end].append(club)
    return list(together.values())
