"""Testing clubs' connections: log in to the ERP and look, storing nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from clubsync.config import ClubConfig
from clubsync.errors import SyncError
from clubsync.extract.reader import connector_of
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, ErpUnreachable
from connectors.sdk.messages import message

AT_A_TIME = 8

_NO_ANSWER = message("There was no answer within {:g} seconds.")
_ASK = message("Try again; where it lasts, ask whoever runs the ERP.")

T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """What came of one club's test.

    :param found: what was found, or what is wrong: one or more sentences without secrets.
    :param remedy: what to do about it; None where all is well.
    """

    club: ClubConfig
    ok: bool
    found: str
    remedy: str | None = None


def check(club: ClubConfig, resolve: Callable[[str], Connection]) -> Checked:
    """Test one club's connection with its settings; whatever is wrong is in the answer."""
    try:
        return Checked(club, True, connector_of(club, resolve).check())
    except (SyncError, ConnectorError) as error:
        return Checked(club, False, error.what, error.remedy)


def check_all(
    clubs: Sequence[ClubConfig],
    resolve: Callable[[str], Connection],
    *,
    patience: float | None = None,
) -> list[Checked]:
    """Test several clubs' connections, a few at a time; answers in the order of the clubs.

    :param patience: seconds for all together; who has no answer by then is told of as such. None: no end.
    """
    pool = ThreadPoolExecutor(max_workers=AT_A_TIME)
    try:
        asked = {club.id: pool.submit(check, club, resolve) for club in clubs}
        done, _ = wait(asked.values(), patience)
        return [
            asked[club.id].result()
            if asked[club.id] in done
            else Checked(
                club,
                False,
                _NO_ANSWER.format(patience),
                _ASK,
            )
            for club in clubs
        ]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def within(patience: float, look: Callable[[], T]) -> T:
    """What `look` finds, for somebody who waits no longer than that.

    :param patience: seconds.
    :raises ErpUnreachable: it had not found anything by then.
    """
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(look).result(patience)
    except TimeoutError:
        raise ErpUnreachable(_NO_ANSWER.format(patience), remedy=_ASK) from None
    finally:
        pool.shutdown(wait=False)
