"""Asking for changes, of ERPs that can be asked for them and whose quota does not need it: a choice of the club's."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from connectors.sdk.base import Settings


class ChangesSettings(Settings):
    """What a connector that may be asked for changes adds to its settings.

    :param changes: between two readings of everything (`full_read` of the club) ask for changes only. It spares a
        large club's ERP work, and lets who is gone or was merged wait for the next reading of everything.
    :param overlap: how much earlier than needed changes are asked for, in seconds or as ISO 8601 has it (`PT10M`): a
        record bears the time at which its change began, and shows when it was committed.
    """

    changes: bool = False
    overlap: timedelta = Field(default=timedelta(minutes=10), ge=timedelta(0))

    def since(self, asked: datetime | None, *, full: bool) -> datetime | None:
        """From when on changes are asked for; None: everything is.

        :param asked: the connector's `since`.
        """
        return asked if self.changes and not full else None
