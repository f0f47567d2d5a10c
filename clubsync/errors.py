"""Why a club's sync stopped, named after what happened. Failures of the ERP are in `connectors.sdk.errors`.

```
Exception
├── SyncError
│   ├── UnexpectedlyEmpty    the ERP returned no customers of a club that had some
│   ├── SourceMismatch       the snapshot looks like another club's
│   ├── ReadingNotUsed       the reading is older than what is loaded, or dated in the future
│   ├── BaseUnreachable      the database does not respond
│   ├── BaseFull             the disk of the database is full
│   ├── BaseOverloaded       the database has no connection or no memory left
│   ├── BaseReadOnly         the database is read-only
│   ├── BaseNotReady         the database was not migrated, or the login was not set up
│   ├── StoreUnreachable     the snapshot store cannot be reached
│   ├── StoreFull            the disk of the snapshot store is full
│   ├── StoreReadOnly        the snapshot store cannot be written to
│   ├── DiskFull             another disk of the machine is full
│   ├── OutOfMemory          the process ran out of memory
│   ├── ConcurrentChange     the club base kept changing between plan and load
│   ├── SnapshotUnreadable   a stored snapshot is missing or damaged
│   ├── SnapshotGone         a stored snapshot was deleted meanwhile
│   ├── HandedOnGone         what a task handed on to another was deleted
│   ├── ConnectionMissing    the Airflow connection does not exist
│   ├── ConfigError          clubs.yaml is not valid
│   ├── UnknownClub          clubs.yaml has no such club
│   ├── CursorInvalid        this is not a cursor of the change feed
│   ├── CursorGone           the change feed does not continue this cursor
│   ├── WebhookUnusable      the connection of a webhook cannot be used
│   └── ActionRejected       a manual action cannot be carried out
└── connectors.sdk.errors.ConnectorError
```

Messages contain ids and counts only, never names, emails or phones (R19).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from connectors.sdk.visible import visible


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
    """A club's run stopped, and none of its changes was written.

    :param what: what happened and to which club, in one sentence.
    :param remedy: what to do about it, and who can do it.
    """

    #: the page in docs/runbooks/.
    runbook = "contract-changed"
    #: whether an unchanged retry may succeed.
    transient = False

    def __init__(self, what: str, *, remedy: str) -> None:
        self.what = visible(what)
        self.remedy = visible(remedy)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class UnexpectedlyEmpty(SyncError):
    """R14: the ERP returned no customers of a club that had some: an outage, unless confirmed."""

    runbook = "empty-answer"
    transient = True


class SourceMismatch(SyncError):
    """R14: fewer than half of the ids are known from the last complete snapshot, in a club of at least 20."""

    runbook = "other-club"


class ReadingNotUsed(SyncError):
    """R16: the reading is older than what is loaded, or dated later than now: nothing of it was used."""

    runbook = "reading-not-used"


class BaseUnreachable(SyncError):
    """The database does not respond."""

    runbook = "base-unreachable"
    transient = True


class BaseFull(SyncError):
    """The disk of the database is full."""

    runbook = "disk-full"
    transient = True


class BaseOverloaded(SyncError):
    """The database has no connection left, or no memory for a query."""

    runbook = "base-overloaded"
    transient = True


class BaseReadOnly(SyncError):
    """The database is read-only: a standby server, or switched so."""

    runbook = "base-unreachable"


class BaseNotReady(SyncError):
    """R21: the database was not migrated, or the engine's login was not set up, and this user may do neither."""

    runbook = "base-not-ready"


class StoreUnreachable(SyncError):
    """The snapshot store cannot be reached."""

    runbook = "store-unreachable"
    transient = True


class StoreFull(SyncError):
    """The disk of the snapshot store is full."""

    runbook = "disk-full"
    transient = True


class StoreReadOnly(SyncError):
    """The snapshot store cannot be written to."""

    runbook = "store-unreachable"


class DiskFull(SyncError):
    """A disk of this machine is full: the temporary folder's, or that of the logs."""

    runbook = "disk-full"
    transient = True


class OutOfMemory(SyncError):
    """The process ran out of memory."""

    runbook = "base-overloaded"
    transient = True


class ConcurrentChange(SyncError):
    """The club base changed between plan and load, several times in a row."""

    runbook = "base-unreachable"
    transient = True


class CursorInvalid(SyncError):
    """R30: this is not a cursor of the change feed."""


class CursorGone(SyncError):
    """R30: the cursor is of another feed: the base was restored or replaced, or the club's data were deleted."""


class WebhookUnusable(SyncError):
    """R30: the connection of a webhook cannot be used as it is."""


class UnknownClub(SyncError):
    """clubs.yaml has no club with this id."""


class ConfigError(SyncError):
    """clubs.yaml is not valid; the message names file, line and club."""


class ConnectionMissing(SyncError):
    """The Airflow connection that clubs.yaml names does not exist."""

    runbook = "credentials-refused"


class SnapshotUnreadable(SyncError):
    """A stored snapshot is missing or damaged."""

    runbook = "base-unreachable"


class SnapshotGone(SyncError):
    """A stored snapshot was deleted, by retention or by a purge, while a run was about it."""

    runbook = "base-unreachable"


class HandedOnGone(SyncError):
    """What a task of Airflow handed on to another one was deleted before it was taken."""

    runbook = "base-unreachable"


class ActionRejected(SyncError):
    """A manual action cannot be carried out; nothing was written."""
