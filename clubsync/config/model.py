"""What clubs.yaml says: the clubs, their ERPs, and how they are read."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date, time, timedelta
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from connectors.sdk.messages import message

_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
)
_DURATION = re.compile(r"^(?P<n>[0-9]{1,8})\s*(?P<unit>s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.match(value.strip())):
        return timedelta(**{_UNITS[match["unit"]]: int(match["n"])})
    if isinstance(value, timedelta):
        return value
    raise ValueError(message("write a duration like 5m, 1h or 1d"))


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip().rstrip("%")) / 100
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(message("write a share like 10% or 0.1"))
    return float(value)


def _texts(value: Any) -> Any:
    """A word or a list of words; YAML makes numbers and dates of some."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) if isinstance(one, int | float | date) else one for one in values)


def _with_days_as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_days_as_texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_days_as_texts(one) for one in value]
    return str(value) if isinstance(value, date) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        unknown = message(f"unknown time zone {value!r}")
        raise ValueError(f"{unknown}; {message('write one like Europe/Paris')}") from error
    return value


def _at_least_a_minute(value: timedelta) -> timedelta:
    if value < timedelta(minutes=1):
        raise ValueError(message("the shortest cadence is one minute (1m)"))
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _DURATION.pattern.replace("?P<n>", "").replace("?P<unit>", ""),
        }
    ),
]
Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}, {"type": "number"}]}
    ),
]
Zone = Annotated[str, AfterValidator(_zone)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Status = Literal["active", "prospect", "paused", "suspended", "former", "archived"]


class Guard(BaseModel):
    """R15: how many customers may lose access within 24 hours without approval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Share = 0.10
    at_least: int = Field(default=5, ge=0)
    at_most: int = Field(default=200, ge=0)
    remind_after: Duration | None = Field(
        default=timedelta(days=1),
        description="how long a hold may await a decision until somebody is reminded, and again; null: never",
    )

    def limit(self, customers: int) -> int:
        """The most deactivations that pass, in a Customers group of that size."""
        return min(max(int(customers * self.share), self.at_least), self.at_most)


class Promise(BaseModel):
    """How old a club's data may be before an alert is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: Duration | None = Field(
        default=None, description="age of the last read; default: three times `every`"
    )
    complete: Duration | None = Field(
        default=None,
        description="age of the last complete read; default: three times `every` or `full_read`, the longer of them",
    )
    data: Duration | None = Field(
        default=None,
        description="age of the data itself, such as a nightly export; default: not watched",
    )


def _is_pattern(value: str) -> str:
    """R2: an address, or a pattern of addresses."""
    text = value.strip()
    if "@" not in text and not text.startswith("*"):
        instead = message(f"of a whole domain write *@{text}")
        raise ValueError(f"{message(f'{value!r} is not an address')}; {instead}")
    if not text.strip("*?@. "):
        raise ValueError(message(f"{value!r} matches every address"))
    return text


Pattern = Annotated[str, AfterValidator(_is_pattern)]


def _is_address(value: str) -> str:
    """R31: an address alone: no name, no list, and nothing that could end a header."""
    if len(value) > 254 or not _ADDRESS.fullmatch(value):
        raise ValueError(message(f"{value!r} is not an email address"))
    return value


Address = Annotated[str, AfterValidator(_is_address)]


class Contact(BaseModel):
    """R31: whom a club's digest goes to, and how; `defaults.contact` completes what a club leaves out.

    :param to: addresses of the people at the club who fix its ERP; none where `via` names services of Apprise.
    :param via: the Airflow connection that sends it: of type SMTP, or of type Apprise.
    :param at: when it is sent, on the club's own clock, if something has changed.
    :param attach: the list of what to fix: behind a link, attached as CSV or XLSX, or not at all.
    :param names: whether it says whom it is about; without it there are counts only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: tuple[Address, ...] = Field(
        default=(), description="email addresses of the people at the club who fix its ERP"
    )
    via: str = Field(
        default="clubsync_mail",
        min_length=1,
        description="id of the Airflow connection that sends it: of type SMTP, or of type Apprise",
    )
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        default="07:30", description="when it is sent, on the club's own clock"
    )
    attach: Literal["link", "csv", "xlsx", "nothing"] = Field(
        default="link",
        description="the list of what to fix: behind a link, attached as CSV or XLSX, or not at all",
    )
    names: bool = Field(
        default=False,
        description="whether names and emails of customers are in it; without it there are counts only",
    )

    @model_validator(mode="after")
    def _names_are_chosen(self) -> Contact:
        if self.attach in ("csv", "xlsx") and not self.names:
            raise ValueError(
                message("an attached list holds names and emails: set names: true, or attach: link")
            )
        return self

    @property
    def time_of_day(self) -> time:
        return time.fromisoformat(self.at)


class Common(BaseModel):
    """What `defaults` may say of every club, and each club of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: Annotated[Duration, AfterValidator(_at_least_a_minute)] = Field(
        default=timedelta(minutes=5), description="how often the club is read (R25)"
    )
    full_read: Duration = Field(
        default=timedelta(hours=1),
        description="how often everything is read, if the connector reads only changes in between",
    )
    timezone: Zone = Field(
        default="Europe/Paris", description="the time zone of the club's calendar (R3)"
    )
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = Field(
        default="FR",
        description="ISO 3166 alpha-2 code; phone numbers without a prefix belong to this country",
    )
    guard: Guard = Guard()
    promise: Promise = Field(
        default=Promise(), description="how old data may be before an alert is sent"
    )
    first_sync: Literal["load", "review"] = Field(
        default="load", description="R28: whether a new club's first sync loads, or awaits approval"
    )
    access_statuses: frozenset[Status] = Field(
        default=frozenset({"active"}), description="R3: the ERP statuses that give access"
    )
    group_required: bool = Field(
        default=False, description="R3: whether a customer without any ERP group has no access"
    )
    no_end: Texts = Field(
        default=(),
        description="words that the ERP writes in place of a date for 'never ends', besides the usual ones (R3)",
    )
    language: Literal["en", "fr"] = Field(
        default="en", description="the language of the club's findings"
    )
    contact: Contact | None = Field(
        default=None, description="R31: whom the club's digest goes to, and how"
    )
    placeholder_emails: tuple[Pattern, ...] = Field(
        default=(),
        description="R2: addresses that stand for none, or patterns with * and ?; besides those that "
        "always do, such as noemail@… and reserved domains",
    )
    shared_email_limit: int = Field(
        default=5,
        ge=1,
        description="R2: an address of more unrelated records than this is no email",
    )


class Members(BaseModel):
    """R29: which records are the club's own, where several clubs share one ERP tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    at: Annotated[str, Field(min_length=1)] = Field(
        description="column, or path in the ERP's response, of the club that a record names"
    )
    of: Literal["record", "group", "membership"] = Field(
        default="record", description="what names the club: the record, its group or its membership"
    )
    own: Texts = Field(
        alias="is", min_length=1, description="the words by which this club is named there"
    )
    elsewhere: Texts = Field(
        default=(),
        description="words of clubs of the same tenant that clubsync does not sync: their people are nobody's here",
    )


class ClubConfig(Common):
    """One club, with the defaults filled in."""

    id: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    name: str
    erp: str = Field(description="name of the connector")
    connection: str = Field(description="id of the Airflow connection")
    former_groups: tuple[str, ...] = Field(
        default=(), description="names or ids of the ERP groups of former customers (R3)"
    )
    access_groups: tuple[str, ...] = Field(
        default=(),
        description="names or ids of the ERP groups that give access (R3); none named: every active group does",
    )
    automatic_groups: dict[str, str | None] = Field(
        default_factory=dict,
        description="R4: name or id of an ERP group: the name of the automatic group that it feeds; two of one name "
        "feed one, null leaves the group out; any other feeds a group of its own name",
    )
    members: Members | None = Field(
        default=None,
        description="R29: which records of a tenant that several clubs share are this club's; "
        "the clubs that share a connection and settings are read once",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of the connector")

    @field_validator("members", "contact", mode="before")
    @classmethod
    def _none_named(cls, configured: Any) -> Any:
        return configured or None

    @field_validator("settings", mode="after")
    @classmethod
    def _days_are_texts(cls, configured: dict[str, Any]) -> dict[str, Any]:
        """YAML makes a date of what looks like one; every connector reads a day from its text."""
        return cast("dict[str, Any]", _with_days_as_texts(configured))

    @field_validator("automatic_groups")
    @classmethod
    def _named(cls, configured: dict[str, str | None]) -> dict[str, str | None]:
        for group, name in configured.items():
            if not group.strip() or (name is not None and not name.strip()):
                raise ValueError(
                    message("the name of a group is blank; write null to leave an ERP group out")
                )
        return configured

    @model_validator(mode="after")
    def _one_meaning(self) -> ClubConfig:
        if not (self.former_groups and self.access_groups):
            return self
        from connectors.sdk import words  # imports Polars, which a Dag file does without

        both = set(words.words(self.former_groups)) & set(words.words(self.access_groups))
        if both:
            named = ", ".join(name for name in self.access_groups if words.word(name) in both)
            raise ValueError(
                message(
                    f"former_groups and access_groups both name {named}: a group is one or the other"
                )
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def tenant(self) -> str:
        """The same for clubs of one ERP, connection and settings: what they read is one (R29)."""
        settings = json.dumps(self.settings, sort_keys=True, default=str)
        text = "\0".join((self.erp, self.connection, settings))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def group_names(self) -> tuple[str, ...]:
        """The ERP groups that the club's own rules name."""
        return (*self.former_groups, *self.access_groups, *self.automatic_groups)

    @property
    def promised(self) -> Promise:
        """The promise with its defaults filled in; `data` stays None if it is not watched."""
        return Promise(
            read=self.promise.read or 3 * self.every,
            complete=self.promise.complete or 3 * max(self.every, self.full_read),
            data=self.promise.data,
        )


def _positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError(message("the shortest time here is one second (1s)"))
    return value


class WebhookConfig(BaseModel):
    """R30: whom the changes of clubs are sent to, as signed messages (Standard Webhooks)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern="^[a-z0-9-]+$", max_length=60)] = Field(
        description="its permanent name; what was delivered is kept under it"
    )
    connection: str = Field(
        description="id of the Airflow connection: its host is the address, its password the secret (whsec_…); "
        "several secrets, separated by a space, sign every message"
    )
    clubs: tuple[str, ...] = Field(default=(), description="ids of clubs; none named: all of them")
    kinds: tuple[Annotated[str, Field(pattern="^[a-z_]+$")], ...] = Field(
        default=(), description="kinds of change that are sent; none named: all of them"
    )
    values: bool = Field(
        default=False, description="whether messages hold personal data: what was, and what is"
    )
    start: Literal["now", "beginning"] = Field(
        default="now",
        description="whether a new webhook gets what changes from now on, or all that the audit has",
    )
    max_events: int = Field(default=100, ge=1, le=1000, description="events of one message at most")
    timeout: Annotated[Duration, AfterValidator(_positive)] = Field(
        default=timedelta(seconds=15), description="how long an answer may take, as a whole"
    )
    give_up_after: Annotated[Duration, AfterValidator(_positive)] = Field(
        default=timedelta(days=3),
        description="how long a message is tried again; then the webhook gets nothing more of that club until "
        "it is replayed",
    )
    private_network: bool = Field(
        default=False,
        description="whether the host's name may mean an address of a private network",
    )
