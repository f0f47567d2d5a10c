"""Reading only what changed, for ERPs whose quota does not require it: a club's own choice."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from connectors.sdk.base import Settings


class ChangesSettings(Settings):
    """Settings of a connector that can read only what changed.

    :param changes: between two full readings (`full_read` of the club) read changes only. This spares a
        large club's ERP work; records that were deleted or merged wait for the next full reading.
    :param overlap: how much earlier than necessary changes are requested, in seconds or ISO 8601 (`PT10M`): a
        record's stamp is the time at which its change started, and it is visible when the change is committed.
    """

    changes: bool = False
    overlap: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(0))

    def since(self, given: datetime | None, *, full: bool) -> datetime | None:
        """The time from which changes are read; None: everything is read.

        :param given: the connector's `since`.
        """
        return given if self.changes and not full else None
