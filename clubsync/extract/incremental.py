"""When reading changes is enough, and when everything has to be read (R14).

From an ERP with a small quota only changes are read most of the time (`Connector.answers_changes`). Changes do not
show departures, merges, or memberships that end without a change (R3). So everything is read once per `full_read`
of the club, and once per day of its calendar.

A read of changes always starts from the last complete read, not from the read before. So the next read makes up for
a read that was lost or failed half way, and no state is kept between them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from clubsync.config import ClubConfig

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow

#: A read of everything that turns out incomplete is repeated after this part of `full_read`.
RETRY_PART = 24


def since(
    club: ClubConfig,
    state: ClubStateRow,
    tried: datetime | None,
    now: datetime,
    *,
    suspected: bool = False,
) -> datetime | None:
    """The time from which changes have to be read; None: read everything.

    :param state: the club's row of sync.club_state.
    :param tried: `as_of` of the last read of everything in this epoch, complete or not.
    :param suspected: whether something awaits a second reading (R14), which has to be complete.
    """
    complete: datetime | None = state["certified_as_of"]
    if complete is None or state["confirmed_empty"] or state["confirmed_same_club"]:
        return None
    same_day = complete.astimezone(club.zone).date() == now.astimezone(club.zone).date()
    if same_day and now - complete < club.full_read and not suspected:
        return complete
    # a read that is never complete must not use up the quota of a day within an hour
    if tried is not None and tried > complete:
        again = max(club.every, club.full_read / RETRY_PART)
        return complete if now - tried < again else None
    return None
