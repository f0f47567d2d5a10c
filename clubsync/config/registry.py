"""The clubs of clubs.yaml, looked up by id or by ERP."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Protocol

from clubsync.config.model import ClubConfig, Common, WebhookConfig
from clubsync.errors import UnknownClub

DEFAULT_PATH = "config/clubs.yaml"

#: What may be meant as a club's id: a word or a name, no email and no phone number.
_LIKE_A_CLUB = re.compile(r"(?!.*\d{5})[\w .'-]{1,80}")

#: The largest number of clubs that a summary names.
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """What Airflow needs to know of clubs that a Dag syncs. They are not made for it: each Dag file needs one at each
    parse, and with ten thousand clubs that takes most of a second.

    :param every: the shortest of their intervals.
    :param within: the shortest of the times within which they are to be read (R25).
    :param names: id -> name in the order of the file; empty if they are more than `MOST_NAMED`.
    """

    count: int
    every: timedelta
    within: timedelta
    names: dict[str, str]


def summary_of(clubs: Sequence[ClubConfig]) -> Summary | None:
    """None: there are no clubs."""
    if not clubs:
        return None
    named = clubs if len(clubs) <= MOST_NAMED else ()
    return Summary(
        count=len(clubs),
        every=min(club.every for club in clubs),
        within=min(club.promised.read or timedelta.max for club in clubs),
        names={club.id: club.name for club in named},
    )


class Source(Protocol):
    """Where the clubs come from: a part of them is not read before somebody asks for it."""

    @property
    def erps(self) -> dict[str, str]:
        """Club id -> ERP, in the order of the file."""

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        """The clubs of one ERP, in the order of the file."""

    def everything(self) -> tuple[ClubConfig, ...]:
        """All clubs, in the order of the file."""

    def summary(self, erp: str | None) -> Summary | None:
        """Of the clubs of one ERP, or of all; None if there are none."""


class Given:
    """Clubs that are at hand."""

    def __init__(self, clubs: Iterable[ClubConfig]) -> None:
        self._clubs = tuple(clubs)

    @property
    def erps(self) -> dict[str, str]:
        return {club.id: club.erp for club in self._clubs}

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        return tuple(club for club in self._clubs if club.erp == erp)

    def everything(self) -> tuple[ClubConfig, ...]:
        return self._clubs

    def summary(self, erp: str | None) -> Summary | None:
        return summary_of(self._clubs if erp is None else self.of_erp(erp))


class Config:
    """clubs.yaml as a whole.

    :param clubs: in the order of the file.
    :param source: where they come from, instead of `clubs`.
    :param path: the file, or the folder of files.
    """

    def __init__(
        self,
        clubs: Iterable[ClubConfig] = (),
        *,
        defaults: Common | None = None,
        webhooks: Iterable[WebhookConfig] = (),
        path: Path = Path(DEFAULT_PATH),
        source: Source | None = None,
    ) -> None:
        self.defaults = defaults or Common()
        self.webhooks = tuple(webhooks)
        self.path = path
        self._source: Source = source or Given(clubs)
        self._of_erp: dict[str, tuple[ClubConfig, ...]] = {}

    @cached_property
    def clubs(self) -> tuple[ClubConfig, ...]:
        """All clubs, in the order of the file. Of thousands, `club` and `of_erp` cost less."""
        return self._source.everything()

    @cached_property
    def erps(self) -> dict[str, str]:
        """Club id -> ERP, in the order of the file; cheaper than `clubs`."""
        return self._source.erps

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        """The clubs of one ERP, in the order of the file."""
        if erp not in self._of_erp:
            self._of_erp[erp] = self._source.of_erp(erp)
        return self._of_erp[erp]

    def summary(self, erp: str | None = None) -> Summary | None:
        """What a Dag is made from; of the clubs of one ERP, or of all. None if there are none."""
        return self._source.summary(erp)

    def club(self, club_id: str) -> ClubConfig:
        """The club with this id.

        :raises UnknownClub: there is none; the message suggests similar ids.
        """
        if (found := self._by_id.get(club_id)) is not None:
            return found
        if (erp := self.erps.get(club_id)) is not None:
            self._by_id.update({club.id: club for club in self.of_erp(erp)})
            return self._by_id[club_id]
        similar = get_close_matches(club_id, list(self.erps), n=3)
        # an address or a form may hold anything, and this message is logged and shown (R19)
        asked = club_id if _LIKE_A_CLUB.fullmatch(club_id) else "…"
        raise UnknownClub(
            f"{self.path} has no club {asked!r}.",
            remedy=f"Did you mean {' or '.join(similar)}?"
            if similar
            else "`clubsync clubs` lists all clubs.",
        )

    @cached_property
    def _by_id(self) -> dict[str, ClubConfig]:
        return {}

    def __repr__(self) -> str:
        return f"Config({len(self.erps)} clubs of {self.path})"
