"""What a connector is written against.

A connector is a class with a `name`, a pydantic `Settings` and two methods, `read` and `check`. It
gets everything it may know of the club handed in; it never sees the data base, Airflow or another club.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.sdk.errors import SettingsWrong
from connectors.sdk.model import Reading
from connectors.sdk.resume import Bookmark


class Settings(BaseModel):
    """Base of every connector's own settings (`settings:` of a club in clubs.yaml): unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Connection:
    """Where an ERP is and how to log in: an Airflow connection, without Airflow.

    :param host: base address: `https://…`, `file:///…`, `sftp://host:port/dir`, `s3://bucket/prefix`.
    :param extra: the connection's extra JSON (API keys, tenant, …).
    """

    id: str
    host: str
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Club:
    """What a connector may know of the club it reads.

    :param timezone: the club's own; dates without an offset are meant in it.
    :param country: ISO 3166 alpha-2; phones without a prefix are read as this country's.
    """

    id: str
    timezone: ZoneInfo
    country: str


S = TypeVar("S", bound=Settings)


class Connector(ABC, Generic[S]):
    """Reads one club from one ERP.

    :param now: the clock, UTC; `as_of` of a paged reading is its value before the first request.
    :param until: read what the ERP would have answered then, where it can (`answers_past`); None: now.
    :param since: what changed since then is enough, where the ERP can be asked for it (`answers_changes`); such
        a reading is not certified (R14), and may ask from earlier on. None: everything.
    :param progress: called with (rows read so far, total where known) now and then on long readings.
    :param bookmark: what a reading that broke off was answered, to go on with, and where this one's answers are
        kept; None: read from the beginning, and keep nothing.
    """

    #: the connector's name in clubs.yaml.
    name: ClassVar[str]
    #: the ERP's name as people write it.
    title: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    #: the ERP lives by phone numbers: a customer without an email is no fault of the club's (R22).
    phone_centred: ClassVar[bool] = False
    #: the source keeps what it said before (dated exports in a folder), and can be asked for it (R26).
    answers_past: ClassVar[bool] = False
    #: the ERP can, or by a club's settings may, be asked for changes only: most readings are then of changes,
    #: and everything is read as often as the club's `full_read` says, and as each of its days begins.
    answers_changes: ClassVar[bool] = False

    def __init__(
        self,
        connection: Connection,
        settings: S,
        club: Club,
        *,
        now: Callable[[], datetime],
        progress: Callable[[int, int | None], None] = lambda rows, total: None,
        until: datetime | None = None,
        since: datetime | None = None,
        bookmark: Bookmark | None = None,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.club = club
        self.now = now
        self.progress = progress
        self.until = until
        self.since = since
        self.bookmark = bookmark

    @property
    def goes_on_within(self) -> timedelta | None:
        """How long after it began a reading that broke off may be gone on with by the next (connectors.sdk.resume).

        As long as one that did not break off may last; None: it begins anew, as with files, and where nothing
        would tell a cursor that the ERP has forgotten from the end of its list.
        """
        limits = getattr(self.settings, "http", None)
        return None if limits is None else timedelta(seconds=limits.max_seconds)

    def begin(self) -> datetime:
        """`as_of` of a paged reading: now, before its first request, or when the one began that it goes on with."""
        now = self.now()
        return now if self.bookmark is None else self.bookmark.begin(now)

    @abstractmethod
    def read(self, *, full: bool = False) -> Reading:
        """Read customers and groups now.

        A reading that breaks off after at least one whole page returns what it has, not certified; one
        that never began raises.

        :param full: ask for everything, also where the ERP could answer for changes only.
        :raises ConnectorError: nothing could be read; the club fails with its sentence.
        """

    @abstractmethod
    def check(self) -> str:
        """Log in and look, as cheaply as the ERP allows, storing nothing.

        :returns: a plain sentence of what was found ("3 files, newest customers.csv of 10:05").
        :raises ConnectorError: what is wrong, with its remedy.
        """

    @classmethod
    def reach(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """Test of a connection what needs none of a club's settings: the log-in, the folder.

        Where a connector has nothing of its own for this, it is `check` with its default settings.

        :returns: a plain sentence of what was found.
        :raises ConnectorError: what is wrong, with its remedy.
        """
        if not connection.host.strip():
            raise SettingsWrong(f"The connection {connection.id} has no host.")
        try:
            settings = cls.settings_type()
        except ValidationError:
            raise SettingsWrong(
                f"Nothing of a connection to {cls.title} can be tested without a club's settings.",
                remedy="Name the connection in a club of clubs.yaml and test again.",
            ) from None
        nobody = Club(id="nobody", timezone=ZoneInfo("UTC"), country="FR")
        return cls(connection, cast("S", settings), nobody, now=now).check()
