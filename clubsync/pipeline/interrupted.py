"""Runs whose process is gone: killed, or with its machine. They are closed by the club's next run, and by upkeep."""

from __future__ import annotations

from datetime import timedelta

from clubsync import clock
from clubsync.store.database import Base, Driver, queries
from connectors.sdk.messages import message

#: No run takes longer.
LONGEST = timedelta(days=1)


def close(driver: Driver, club_no: int) -> int:
    """Close the club's runs whose process is gone.

    A run is loaded and ended in one transaction: of one that is still running, nothing was loaded.

    :param driver: inside a transaction of the club.
    :returns: how many.
    """
    at = clock.now()
    return queries().close_interrupted_runs(
        driver,
        club=club_no,
        at=at,
        before=at - LONGEST,
        error=message(
            "Interrupted: the process of this run ended before the run did. Nothing of it was loaded."
        ),
        remedy=message("No action needed: the next sync reads the club again."),
        runbook="base-unreachable",
    )


def close_all(base: Base) -> int:
    """Close the runs of all clubs whose process is gone.

    :returns: how many.
    """
    with base.reader() as driver:
        clubs = [row["club"] for row in queries().clubs_with_running_runs(driver)]
    closed = 0
    for club_no in clubs:
        with base.club(club_no) as driver:
            closed += close(driver, club_no)
    return closed
