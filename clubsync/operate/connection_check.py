"""Test clubs' connections: log in to the ERP and look, storing nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from clubsync.config import ClubConfig
from clubsync.errors import SyncError, place_of
from clubsync.extract.reader import connector_of
from connectors.sdk.base import Connection
from connectors.sdk.errors import ConnectorError, ErpUnreachable
from connectors.sdk.messages import message

log = logging.getLogger(__name__)

PARALLEL_TESTS = 8

_NO_RESPONSE = message("There was no response within {:g} seconds.")
_TRY_AGAIN = message("Try again. If it persists, contact the ERP's support.")

T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """The result of one club's connection test.

    :param found: what was found, or what is wrong; sentences without secrets.
    :param remedy: what to do about it; None if nothing is wrong.
    """

    club: ClubConfig
    ok: bool
    found: str
    remedy: str | None = None


def check(club: ClubConfig, resolve: Callable[[str], Connection]) -> Checked:
    """Test one club's connection with its settings; failures are in the result."""
    try:
        return Checked(club, True, connector_of(club, resolve).check())
    except (SyncError, ConnectorError) as error:
        return Checked(club, False, error.what, error.remedy)
    except Exception as error:
        # one club's internal error hides no other club's result; its message may hold an address with credentials
        log.critical("%s: internal error in the connection test: %s", club.id, place_of(error))
        return Checked(
            club,
            False,
            message(f"Internal error ({type(error).__name__}) in the connection test."),
            message("An engineer can find it in the log."),
        )


def check_all(
    clubs: Sequence[ClubConfig],
    resolve: Callable[[str], Connection],
    *,
    timeout: float | None = None,
) -> list[Checked]:
    """Test several clubs' connections, some in parallel; the results are in the order of the clubs.

    :param timeout: seconds for all tests together; clubs without a response by then fail. None: no limit.
    """
    pool = ThreadPoolExecutor(max_workers=PARALLEL_TESTS)
    try:
        tests = {club.id: pool.submit(check, club, resolve) for club in clubs}
        done, _ = wait(tests.values(), timeout)
        return [
            tests[club.id].result()
            if tests[club.id] in done
            else Checked(
                club,
                False,
                _NO_RESPONSE.format(timeout),
                _TRY_AGAIN,
            )
            for club in clubs
        ]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def within(timeout: float, test: Callable[[], T]) -> T:
    """The result of a test, within a time.

    :param timeout: seconds.
    :raises ErpUnreachable: there was no result by then.
    """
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(test).result(timeout)
    except TimeoutError:
        raise ErpUnreachable(_NO_RESPONSE.format(timeout), remedy=_TRY_AGAIN) from None
    finally:
        pool.shutdown(wait=False)
