"""`config/clubs.yaml`: the clubs, their ERPs, and how they are read.

Cheap to import and to load, because every Dag file loads it at each parse.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema

from clubsync.errors import ConfigError, UnknownClub
from connectors.sdk.messages import message

DEFAULT_PATH = "config/clubs.yaml"

_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
)
_DURATION = re.compile(r"^(?P<n>[0-9]{1,8})\s*(?P<unit>s|m|h|d)$")
#: What a setting has to be, by the type that pydantic names.
_WANTED = {
    "string": message("has to be a text"),
    "int": message("has to be a whole number"),
    "float": message("has to be a number"),
    "bool": message("has to be true or false"),
    "list": message("has to be a list"),
    "tuple": message("has to be a list"),
    "set": message("has to be a list"),
    "frozen_set": message("has to be a list"),
    "dict": message("has to be a mapping"),
    "model": message("has to be a mapping"),
}
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


class _Common(BaseModel):
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


class ClubConfig(_Common):
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


#: What may be meant as a club's id: a word or a name, no email and no phone number.
_LIKE_A_CLUB = re.compile(r"(?!.*\d{5})[\w .'-]{1,80}")


class Config(BaseModel):
    """clubs.yaml as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: _Common = _Common()
    clubs: tuple[ClubConfig, ...] = ()
    webhooks: tuple[WebhookConfig, ...] = ()
    path: Path = Field(default=Path(DEFAULT_PATH), exclude=True)

    def club(self, club_id: str) -> ClubConfig:
        """The club with this id.

        :raises UnknownClub: there is none; the message suggests similar ids.
        """
        for club in self.clubs:
            if club.id == club_id:
                return club
        similar = get_close_matches(club_id, [c.id for c in self.clubs], n=3)
        # an address or a form may hold anything, and this message is logged and shown (R19)
        asked = club_id if _LIKE_A_CLUB.fullmatch(club_id) else "…"
        raise UnknownClub(
            f"{self.path} has no club {asked!r}.",
            remedy=f"Did you mean {' or '.join(similar)}?"
            if similar
            else "`clubsync clubs` lists all clubs.",
        )

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        return tuple(c for c in self.clubs if c.erp == erp)


#: The keys of clubs.yaml.
_KEYS = ("defaults", "clubs", "webhooks")


def config_path() -> Path:
    return Path(os.environ.get("CLUBSYNC_CONFIG") or DEFAULT_PATH)


def load_config(path: Path | None = None) -> Config:
    """Read and validate clubs.yaml.

    :param path: default: CLUBSYNC_CONFIG, else config/clubs.yaml.
    :raises ConfigError: it is not valid; the message names file, line and club of every problem.
    """
    path = path or config_path()
    raw = _read(path)
    problems = [
        _at(path, _line(raw, (key,)), _unknown(str(key), _KEYS)) for key in raw if key not in _KEYS
    ]
    node = raw.get("defaults") or {}
    common = _plain(node)
    defaults = _Common()
    try:
        defaults = _Common.model_validate(common)
    except ValidationError as error:
        problems += _problems(path, error, node, "defaults", _Common)
        common = {}
    clubs: list[ClubConfig] = []
    lines: dict[str, int] = {}
    nodes = raw.get("clubs") or []
    if not isinstance(nodes, list):
        problems.append(_at(path, _line(raw, ("clubs",)), message("`clubs` is a list of clubs")))
        nodes = []
    for index, node in enumerate(nodes):
        line = nodes.lc.item(index)[0] + 1 if hasattr(nodes, "lc") else 0
        if not isinstance(node, dict):
            problems.append(
                _at(path, line, message("a club is a mapping with id, name, erp and connection"))
            )
            continue
        where = message(f"club {node.get('id', index + 1)}")
        club = _club(path, node, common, where, problems)
        if club is None:
            continue
        if club.id in lines:
            twice = message(f"this id is already used on line {lines[club.id]}")
            problems.append(_in(path, line, where, twice))
        lines.setdefault(club.id, line)
        clubs.append(club)
    problems += [
        _in(path, lines[club], message(f"club {club}"), said)
        for club, said in _chain_problems(clubs)
    ]
    webhooks = _webhooks(path, raw, {club.id for club in clubs}, problems)
    if problems:
        raise ConfigError(
            sentence(problems),
            remedy="Correct the file and run `clubsync clubs check`. config/clubs.schema.json lists every setting, "
            "docs/settings/ those of each connector.",
        )
    return Config(defaults=defaults, clubs=tuple(clubs), webhooks=webhooks, path=path)


def _chain_problems(clubs: Sequence[ClubConfig]) -> Iterator[tuple[str, str]]:
    """What is wrong with the chains: the id of a club, and the sentence."""
    named: dict[str, ClubConfig] = {}
    for club in clubs:
        if club.members is not None:
            named.setdefault(club.tenant, club)
    if not named:
        return
    for club in clubs:
        first = named.get(club.tenant)
        if first is None or club is first:
            continue
        assert first.members is not None
        if club.members is None:
            yield (
                club.id,
                message(
                    f"it shares its connection and settings with {first.id}, which says by `members` which records "
                    "are its own; say so for this club too, or everybody in the tenant would be its customer"
                ),
            )
        elif (club.members.at, club.members.of) != (first.members.at, first.members.of):
            yield (
                club.id,
                message(
                    f"members: `at` and `of` differ from those of {first.id}, with which it is read: the clubs of a "
                    "chain are told apart by one field"
                ),
            )


def load_club(path: Path, club_id: str | None = None) -> ClubConfig:
    """One club of a clubs.yaml, or a draft: a file with the entry of a single club.

    In a draft, `id`, `name` and `connection` default to the name of the file.

    :param club_id: needed for a clubs.yaml with several clubs.
    :raises ConfigError, UnknownClub: the file is not valid, or does not have that club.
    """
    raw = _read(path)
    if "clubs" in raw:
        config = load_config(path)
        if club_id is None and len(config.clubs) != 1:
            raise ConfigError(
                f"{path} has {len(config.clubs)} clubs.", remedy="Choose one with --club."
            )
        return config.club(club_id) if club_id is not None else config.clubs[0]
    stem = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "club"
    problems: list[str] = []
    for key, value in (("id", stem), ("name", stem), ("connection", stem.replace("-", "_"))):
        raw.setdefault(key, value)
    club = _club(path, raw, {}, message("the club"), problems)
    if club is None:
        raise ConfigError(
            sentence(problems),
            remedy="Correct the file and try again. config/clubs.schema.json lists every setting, docs/settings/ "
            "those of each connector.",
        )
    return club


def is_list_of_clubs(path: Path) -> bool:
    """Whether a file is a clubs.yaml, not the entry of a single club.

    :raises ConfigError: it cannot be read.
    """
    return "clubs" in _read(path)


def _read(path: Path) -> Any:
    """The file as a ruamel mapping, which keeps line numbers."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        raw = YAML(typ="rt", pure=True).load(_text(path)) or {}
        _check_size(path, raw)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Set CLUBSYNC_CONFIG, or run the command in the folder that contains config/clubs.yaml.",
        ) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"{path}, line {line}: not valid YAML: {error.problem}.", remedy="Correct this line."
        ) from error
    except (YAMLError, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        # an invalid date, bytes that are no text, a thousand brackets: the library says so in its own ways
        raise ConfigError(
            f"{path} is not valid YAML ({type(error).__name__}).",
            remedy="Correct the file and run `clubsync clubs check`.",
        ) from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path} is not a mapping at its top level.", remedy="Start it with `clubs:`."
        )
    return raw


#: Bytes of the file, and values in it, those that aliases repeat counted each time.
_MOST_BYTES, _MOST_VALUES, _DEEPEST = 32 * 2**20, 2_000_000, 50


def _text(path: Path) -> str:
    """The text of the file.

    :raises ConfigError: it is no regular file, or too large.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ConfigError(
                f"{path} is not a regular file.", remedy="Set CLUBSYNC_CONFIG to the file itself."
            )
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            f"{path} has more than {_MOST_BYTES // 2**20} MB.",
            remedy="Set CLUBSYNC_CONFIG to the file with the clubs.",
        )
    return data.decode("utf-8")


def _check_size(path: Path, raw: Any) -> None:
    """Check how much the file says with its aliases written out: ten lines of them may be thousands of millions.

    :raises ConfigError: too much, or an alias stands inside of what it repeats.
    """
    sizes: dict[int, int] = {}

    def size(node: Any, depth: int) -> int:
        if not isinstance(node, dict | list):
            return 1
        if depth > _DEEPEST:
            raise ConfigError(
                f"{path} nests values more than {_DEEPEST} deep, or an alias repeats itself.",
                remedy="Write these values out, without aliases.",
            )
        known = sizes.get(id(node))
        if known is None:
            inside = node.values() if isinstance(node, dict) else node
            known = sizes[id(node)] = 1 + sum(size(one, depth + 1) for one in inside)
        return known

    if size(raw, 0) > _MOST_VALUES:
        raise ConfigError(
            f"{path} has more than {_MOST_VALUES} values, those that aliases repeat included.",
            remedy="Write these values out, without aliases.",
        )


def _problems(
    path: Path, error: ValidationError, node: Any, where: str, model: type[BaseModel]
) -> list[str]:
    """One sentence per problem, with its line."""
    found = []
    for detail in error.errors():
        setting, said = wrong_setting(detail, model)
        line = _line(node, detail["loc"])
        found.append(
            message(f"{path}, line {line}, {where}: {setting}: {said}")
            if setting
            else _in(path, line, where, said)
        )
    return found


def _in(path: Path, line: int, where: str, said: str) -> str:
    return message(f"{path}, line {line}, {where}: {said}")


def _at(path: Path, line: int, said: str) -> str:
    return message(f"{path}, line {line}: {said}")


def sentence(problems: Sequence[str]) -> str:
    """What is wrong, as one sentence; it may end with a suggestion."""
    return "; ".join(problems) + ("" if problems[-1].endswith("?") else ".")


def wrong_setting(detail: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """Which setting is wrong, "" where the sentence names it itself; and what is wrong with it.

    :param detail: one of pydantic's errors.
    :param model: what was validated.
    """
    at = tuple(detail["loc"])
    places = list(_below(model, at))
    # the kind of what has several kinds is in pydantic's path, and not in the file
    name = ".".join(str(part) for part, is_setting, _ in places if is_setting)
    if detail["type"] == "missing":
        return "", message(f"{name} is required")
    if detail["type"] == "extra_forbidden":
        above = ".".join(str(part) for part, is_setting, _ in places[:-1] if is_setting)
        keys = _keys_of(places[-2][2]) if len(places) > 1 else _keys_of([model])
        return above, _unknown(str(at[-1]), keys)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = str(detail["ctx"]["discriminator"]).strip("'")
        if detail["type"] == "union_tag_not_found":
            return "", message(f"{name}.{key} is required")
        allowed = str(detail["ctx"]["expected_tags"])
        return f"{name}.{key}", _one_of(allowed, str(detail["ctx"]["tag"]))
    return name, _reason(detail)


def _reason(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    for ending in ("_type", "_parsing"):
        if kind.endswith(ending) and (wanted := _WANTED.get(kind.removesuffix(ending))):
            return wanted
    match kind:
        case "literal_error" | "enum":
            return _one_of(str(context["expected"]).replace(" or ", ", "), str(detail["input"]))
        case "greater_than_equal":
            return message(f"has to be at least {context['ge']}")
        case "less_than_equal":
            return message(f"has to be at most {context['le']}")
        case "string_pattern_mismatch":
            return message(f"has to match the pattern {context['pattern']}")
        case _:
            return str(detail["msg"]).removeprefix("Value error, ")


def _one_of(allowed: str, written: str) -> str:
    """:param allowed: the words, as pydantic lists them: in quotes."""
    similar = get_close_matches(written, re.findall(r"'([^']*)'", allowed), n=1)
    return message(f"has to be one of {allowed}") + _instead(similar)


def _below(
    model: type[BaseModel], path: tuple[Any, ...]
) -> Iterator[tuple[Any, bool, list[type[BaseModel]]]]:
    """Each part of pydantic's path: the part, whether the file has it (the kind of what has several kinds it has not),
    and the models that there may be below it."""
    models = [model]
    for part in path:
        kinds = {kind: one for one in models for kind in _kinds(one)}
        if part in kinds and len(models) > 1:
            models = [kinds[part]]
            yield part, False, models
            continue
        if not isinstance(part, int):  # of a list the item is what the list has
            known = [
                field
                for one in models
                for name, field in one.model_fields.items()
                if part in (name, field.alias)
            ]
            models = list(dict.fromkeys(m for field in known for m in _models(field.annotation)))
        yield part, True, models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    """The words by which a model is told from others, if it is one of several."""
    known = model.model_fields.get("kind")
    return get_args(known.annotation) if known is not None else ()


def _keys_of(models: Iterable[type[BaseModel]]) -> list[str]:
    """The keys that there may be in one of these models."""
    found = [known.alias or name for one in models for name, known in one.model_fields.items()]
    return list(dict.fromkeys(found))


def _instead(similar: Sequence[str]) -> str:
    return "; " + message(f"did you mean `{similar[0]}`?") if similar else ""


def _unknown(key: str, known: Iterable[str]) -> str:
    return message(f"unknown setting `{key}`") + _instead(get_close_matches(key, known, n=1))


def _club(
    path: Path, node: Any, common: dict[str, Any], where: str, problems: list[str]
) -> ClubConfig | None:
    """One club with the defaults filled in; None if it is not valid: its problems are appended then."""
    plain = _plain(node)
    for name in ("guard", "contact"):
        own = plain.get(name)
        if name == "guard" and own is None:
            plain.pop(name, None)
        elif isinstance(own, dict) and (own or name == "guard"):
            plain[name] = {**(common.get(name) or {}), **own}
    if "contact" not in plain and not (common.get("contact") or {}).get("to"):
        # the defaults say how, and only a club says whom
        plain["contact"] = None
    try:
        return ClubConfig.model_validate({**common, **plain})
    except ValidationError as error:
        problems += _problems(path, error, node, where, ClubConfig)
        return None


def _webhooks(
    path: Path, raw: Any, clubs: set[str], problems: list[str]
) -> tuple[WebhookConfig, ...]:
    """The webhooks.

    :param clubs: ids of those that are valid.
    :param problems: what is wrong is appended.
    """
    nodes, found = raw.get("webhooks") or [], dict[str, WebhookConfig]()
    if not isinstance(nodes, list):
        problems.append(
            _at(path, _line(raw, ("webhooks",)), message("`webhooks` is a list of webhooks"))
        )
        return ()
    for index, node in enumerate(nodes):
        line = nodes.lc.item(index)[0] + 1 if hasattr(nodes, "lc") else 0
        named = node.get("id", index + 1) if isinstance(node, dict) else index + 1
        where = message(f"webhook {named}")
        try:
            webhook = WebhookConfig.model_validate(_plain(node))
        except ValidationError as error:
            problems += _problems(path, error, node, where, WebhookConfig)
            continue
        if webhook.id in found:
            problems.append(_in(path, line, where, message("this id is already used")))
        unknown = [club for club in webhook.clubs if club not in clubs]
        if unknown:
            said = message(f"clubs: there is no club {', '.join(unknown)}")
            problems.append(_in(path, line, where, said))
        found.setdefault(webhook.id, webhook)
    return tuple(found.values())


def _plain(node: Any) -> Any:
    """Plain types from ruamel's round-trip types."""
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, str):
        return str(node)
    return node


def _line(root: Any, loc: tuple[Any, ...]) -> int:
    """The line, counted from 1, of the innermost key of `loc` that the file has."""
    node: Any = root
    line = (getattr(getattr(node, "lc", None), "line", 0) or 0) + 1
    for part in loc:
        marks = getattr(node, "lc", None)
        if marks is None:
            break
        try:
            at = marks.key if isinstance(node, dict) else marks.item
            line = at(part)[0] + 1
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return int(line)


def _written(value: timedelta) -> str:
    """A duration as clubs.yaml writes it, in the largest unit that divides it."""
    seconds = int(value.total_seconds())
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
        if seconds % size == 0
    )
    return f"{seconds // size}{unit}"


class _EditorSchema(GenerateJsonSchema):
    """Writes defaults as in clubs.yaml (5m, not PT5M), because editors insert them."""

    def encode_default(self, dft: Any) -> Any:
        return _written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """JSON Schema of clubs.yaml, for editors; config/clubs.schema.json is a copy of it.

    `settings` of a club are those of its connector.
    """
    from connectors.registry import CONNECTORS, connector_class
    from connectors.sdk.documented import json_schema as settings_schema

    schema = Config.model_json_schema(schema_generator=_EditorSchema)
    schema["properties"].pop("path", None)
    club = schema["$defs"]["ClubConfig"]
    club["allOf"] = []
    for name in sorted(CONNECTORS):
        root, definitions = settings_schema(connector_class(name).settings_type, name)
        schema["$defs"] |= definitions
        required = {"required": ["settings"]} if definitions[root].get("required") else {}
        settings = {"settings": {"$ref": f"#/$defs/{root}"}}
        club["allOf"].append(
            {
                "if": {"properties": {"erp": {"const": name}}, "required": ["erp"]},
                "then": {"properties": settings, **required},
            }
        )
    return {"$schema": _EditorSchema.schema_dialect, **schema, "title": "clubs.yaml"}
