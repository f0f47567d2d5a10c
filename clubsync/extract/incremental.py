"""When changes are enough, and when everything has to be read (R14).

An ERP whose quota is small is asked for changes most of the time (`Connector.answers_changes`). Changes say
nothing of who is gone, of merges, and of those whose day has come without any change (R3): so everything is
read as often as the club's `full_read` says, and as each day of its calendar begins.

A reading of changes always starts from the last complete one, not from the reading before: one that was lost,
or failed half way, is made good by the next, and nothing has to be remembered between them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from clubsync.config import ClubConfig

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow

#: of `full_read`: when a complete reading did not come out complete, it is tried again after this part of it.
AGAIN = 24


def since(
    club: ClubConfig, state: ClubStateRow, tried: datetime | None, now: datetime
) -> datetime | None:
    """From when on changes are enough; None: everything is to be read.

    :param state: the club's row of sync.club_state.
    :param tried: `as_of` of the last reading of everything, whole or not, of this epoch.
    """
    complete: datetime | None = state["certified_as_of"]
    if complete is None or state["confirmed_empty"] or state["confirmed_same_club"]:
        return None
    same_day = complete.astimezone(club.zone).date() == now.astimezone(club.zone).date()
    if same_day and now - complete < club.full_read:
        return complete
    # A reading that cannot be certified must not eat up in an hour what the quota gives for a day.
    if tried is not None and tried > complete:
        again = max(club.every, club.full_read / AGAIN)
        return complete if now - tried < again else None
    return None
