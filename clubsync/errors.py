"""Why a club's sync stopped, named after what happened; the ERP's own failures are in `connectors.sdk.errors`.

Messages hold ids and counts only, never names, emails or phones (R19).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator


def place_of(error: BaseException) -> str:
    """The class of an internal error and, for each frame, file, line and function; its causes likewise.

    What may be logged of it (R19): its message and its source lines may hold a person's data or a secret.
    """
    return "\n".join(_places(error))


def _places(error: BaseException) -> Iterator[str]:
    yield type(error).__qualname__
    # lookup_lines=False leaves the files unread
    frames = traceback.walk_tb(error.__traceback__)
    for frame in traceback.StackSummary.extract(frames, lookup_lines=False):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield "raised while handling"
        yield from _places(before)


class SyncError(Exception):
    """One club's run ends here, and nothing of it was written.

    :param what: one plain sentence: what happened, and where.
    :param remedy: what to do about it, and who can.
    """

    runbook = "contract-changed"
    #: whether trying again soon, unchanged, may help.
    transient = False

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class UnexpectedlyEmpty(SyncError):
    """R14: no customers at all, from a club that had some: an outage, until a person says otherwise."""

    runbook = "empty-answer"
    transient = True


class SourceMismatch(SyncError):
    """R14: a club of 20 and more shares less than half of its ids with its last certified snapshot."""

    runbook = "other-club"


class BaseUnreachable(SyncError):
    """The club base does not answer."""

    runbook = "base-unreachable"
    transient = True


class ConcurrentChange(SyncError):
    """The base changed between plan and load, again and again."""

    runbook = "base-unreachable"
    transient = True


class UnknownClub(SyncError):
    """No club of that id in clubs.yaml."""


class ConfigError(SyncError):
    """clubs.yaml cannot be read; names file, line and club."""


class ConnectionMissing(SyncError):
    """The Airflow connection that clubs.yaml names is nowhere to be found."""

    runbook = "credentials-refused"


class SnapshotUnreadable(SyncError):
    """A stored snapshot is missing or is not what was written."""

    runbook = "base-unreachable"


class ActionRejected(SyncError):
    """What a person asked for by hand cannot be done; nothing was written."""
