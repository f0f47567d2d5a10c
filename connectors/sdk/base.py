"""The base classes of every connector.

A connector is a class with a `name`, a pydantic `Settings` and two methods, `read` and `check`. It is given
everything that it may know about the club; it never sees the database, Airflow or another club.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.sdk.errors import SettingsWrong
from connectors.sdk.model import Reading
from connectors.sdk.resume import Bookmark
from connectors.sdk.unchanged import Received


class Settings(BaseModel):
    """Base of every connector's own settings (`settings:` of a club in clubs.yaml): unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CustomerFields(Settings):
    """Base of the settings that say where an ERP has the fields of a customer.

    :param id: the customer's own id, which no other customer ever gets.
    :param email: the email address.
    :param first_name: the first name.
    :param last_name: the last name.
    :param name: first and last name in one place, if there are not two.
    :param phone: a phone number, in any spelling.
    :param mobile: a mobile number, which is preferred to `phone`.
    :param birth_date: the birth date; with the names it tells two people of one email apart (R1).
    :param gender: the gender.
    :param country: the country, by name or ISO 3166 code.
    :param status: the word for whether the customer is active.
    :param guardian_id: id of the guardian or family owner (R8).
    :param replaced_by: id of the customer that this one was merged into (R10).
    :param created_at: when the customer was created; decides who keeps a duplicate email (R7).
    :param modified_at: when the record was last changed.
    :param valid_from: the first day of the customer's membership.
    :param valid_until: its last day, which still counts (R3).
    :param is_company: whether the record is a company.
    :param placeholder: whether the record is no person, but a placeholder of the ERP.
    """


@dataclass(frozen=True)
class Connection:
    """An ERP's address and our credentials: an Airflow connection, without Airflow.

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
class Members:
    """R29: where the records of a tenant that several clubs share name their club.

    :param at: column of the file, or path in the response.
    :param of: what it is a column or path of: the record, its group or its membership.
    :param words: the words by which the clubs are named: one name each, whatever separators they contain.
    """

    at: str
    of: str = "record"
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Club:
    """What a connector may know about the club that it reads.

    :param timezone: the club's own; dates without an offset are in it.
    :param country: ISO 3166 alpha-2; phone numbers without a prefix are parsed as this country's, and dates whose
        order of day and month nothing proves are in this country's order.
    :param group_names: names or ids of groups that the club's own rules name: one name each, whatever separators
        they contain.
    :param no_end: words that its ERP writes in place of a date for "never" (R3), besides the usual ones.
    :param members: where records name their club, if a whole chain is read; None: all of them are the club's.
    """

    id: str
    timezone: ZoneInfo
    country: str
    group_names: tuple[str, ...] = ()
    no_end: tuple[str, ...] = ()
    members: Members | None = None

    @property
    def club_at(self) -> str | None:
        """Where a chain's records name their club themselves (R29); None: it is no chain's, or they do not."""
        return self.members.at if self.members is not None and self.members.of == "record" else None


S = TypeVar("S", bound=Settings)


class Connector(ABC, Generic[S]):
    """Reads one club from one ERP.

    :param now: the clock, UTC; `as_of` of a paged reading is its value before the first request.
    :param until: read the ERP as it was then, if it can answer for the past (`answers_past`); None: now.
    :param since: changes since then are enough, if the ERP can be asked for them (`answers_changes`); such a
        reading is not certified (R14), and may cover an earlier time too. None: everything.
    :param progress: called with (rows read so far, total if known) during long readings.
    :param known: the ids of the customers that the club's ERP is known to have, for asking for those that a reading
        misses.
    :param bookmark: the responses of an interrupted reading, and where this reading's responses are stored; None:
        read from the start, and store nothing.
    :param received: what is compared with the last reading (`connectors.sdk.unchanged`); None: nothing is.
    """

    #: the connector's name in clubs.yaml.
    name: ClassVar[str]
    #: the ERP's name as people write it.
    title: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    #: the ERP identifies people by phone: a customer without an email is not a mistake of the club (R22).
    phone_centred: ClassVar[bool] = False
    #: the source keeps its past states (dated exports in a folder) and can be read as of then (R26).
    answers_past: ClassVar[bool] = False
    #: the ERP can be, or by a club's settings may be, asked for changes only: most readings are then of changes,
    #: and everything is read as often as the club's `full_read` says, and at the start of each of its days.
    answers_changes: ClassVar[bool] = False
    #: R29: what of a tenant that several clubs share may name its club (`Members.of`); nothing: the ERP has no such
    #: thing, or a login is one club's.
    names_clubs: ClassVar[tuple[str, ...]] = ()
    #: the paths that `Members.at` may be, or what they begin with, where the connector reads no others.
    club_paths: ClassVar[tuple[str, ...]] = ()

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
        known: Callable[[], Collection[str]] = tuple,
        received: Received | None = None,
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.club = club
        self.now = now
        self.progress = progress
        self.until = until
        self.since = since
        self.bookmark = bookmark
        self.known = known
        self.received = received

    @property
    def resumable_for(self) -> timedelta | None:
        """How long after its start an interrupted reading may be resumed (`connectors.sdk.resume`).

        As long as an uninterrupted reading may last. None: never, as with files, and where nothing would tell
        the end of a list from a cursor that the ERP has forgotten.
        """
        limits = getattr(self.settings, "http", None)
        return None if limits is None else timedelta(seconds=limits.max_seconds)

    def start(self) -> datetime:
        """`as_of` of a paged reading: now, before its first request, or the start of the reading that it resumes."""
        now = self.now()
        return now if self.bookmark is None else self.bookmark.start(now)

    @abstractmethod
    def read(self, *, full: bool = False) -> Reading:
        """Read customers and groups now.

        A reading that is interrupted after at least one complete page returns what it has, not certified; one
        that fails before raises.

        :param full: read everything, even if the ERP could be asked for changes only.
        :raises ConnectorError: nothing could be read; the club fails with its message.
        """

    @abstractmethod
    def check(self) -> str:
        """Log in and look, as cheaply as the ERP allows, without storing anything.

        :returns: a sentence that says what was found ("3 files, newest customers.csv of 10:05").
        :raises ConnectorError: what is wrong, with its remedy.
        """

    @classmethod
    def test_connection(cls, connection: Connection, *, now: Callable[[], datetime]) -> str:
        """Test what needs none of a club's settings: the login, the folder.

        By default this is `check` with the connector's default settings.

        :returns: a sentence that says what was found.
        :raises ConnectorError: what is wrong, with its remedy.
        """
        if not connection.host.strip():
            raise SettingsWrong(f"The connection {connection.id} has no host.")
        try:
            settings = cls.settings_type()
        except ValidationError:
            raise SettingsWrong(
                f"A connection to {cls.title} cannot be tested without a club's settings.",
                remedy="Name the connection in a club of clubs.yaml and test again.",
            ) from None
        nobody = Club(id="nobody", timezone=ZoneInfo("UTC"), country="FR")
        return cls(connection, cast("S", settings), nobody, now=now).check()
