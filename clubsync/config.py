"""`config/clubs.yaml`: which clubs there are, on which ERP, and how they are read.

Cheap to import and to run: every Dag file loads it at each parse.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import GenerateJsonSchema

from clubsync.errors import ConfigError, UnknownClub

DEFAULT_PATH = "config/clubs.yaml"

_DURATION = re.compile(r"^(?P<n>\d+)\s*(?P<unit>s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.match(value.strip())):
        return timedelta(**{_UNITS[match["unit"]]: int(match["n"])})
    if isinstance(value, timedelta):
        return value
    raise ValueError("write a length of time as 5m, 1h or 1d")


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip().rstrip("%")) / 100
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("write a share as 10% or 0.1")
    return float(value)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone named {value!r}; write one like Europe/Paris") from error
    return value


def _at_least_a_minute(value: timedelta) -> timedelta:
    if value < timedelta(minutes=1):
        raise ValueError("a club is read at most once a minute (1m)")
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
Status = Literal["active", "prospect", "paused", "suspended", "former", "archived"]


class Guard(BaseModel):
    """R15: how many customers may lose access within 24 hours before a person is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Share = 0.10
    at_least: int = Field(default=5, ge=0)
    at_most: int = Field(default=200, ge=0)

    def limit(self, customers: int) -> int:
        """The most deactivations that pass, of a Customers group of that many."""
        return min(max(int(customers * self.share), self.at_least), self.at_most)


class Promise(BaseModel):
    """How old a club's base may be before somebody is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: Duration | None = Field(
        default=None, description="since the last reading; left out: three times `every`"
    )
    complete: Duration | None = Field(
        default=None,
        description="since the last complete reading; left out: three times `every` or `full_read`",
    )
    data: Duration | None = Field(
        default=None,
        description="age of the data itself, say of a nightly export; left out: not watched",
    )


class _Common(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    every: Annotated[Duration, AfterValidator(_at_least_a_minute)] = Field(
        default=timedelta(minutes=5), description="how often the club is read (R25)"
    )
    full_read: Duration = Field(
        default=timedelta(hours=1),
        description="how often everything is read, where the ERP is asked for changes in between",
    )
    timezone: Zone = Field(default="Europe/Paris", description="the club's own calendar (R3)")
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = Field(
        default="FR",
        description="ISO 3166 alpha-2; phones without a prefix are read as this country's",
    )
    guard: Guard = Guard()
    promise: Promise = Field(default=Promise(), description="when somebody is told of old data")
    first_sync: Literal["load", "review"] = Field(
        default="load", description="R28: a new club's first sync loads, or waits for a person's go"
    )
    access_statuses: frozenset[Status] = Field(
        default=frozenset({"active"}), description="R3: the ERP statuses that give access"
    )
    group_required: bool = Field(
        default=False, description="R3: whether a customer without any ERP group stays out"
    )
    language: Literal["en", "fr"] = Field(default="en", description="the language of its findings")


class ClubConfig(_Common):
    """One club, with the defaults filled in."""

    id: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    name: str
    erp: str = Field(description="a connector's name")
    connection: str = Field(description="an Airflow connection id")
    former_groups: tuple[str, ...] = Field(
        default=(), description="names or ids of the ERP groups of former customers (R3)"
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="the connector's own")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def promised(self) -> Promise:
        """The promise with its defaults filled in; `data` stays None where it is not watched."""
        return Promise(
            read=self.promise.read or 3 * self.every,
            complete=self.promise.complete or 3 * max(self.every, self.full_read),
            data=self.promise.data,
        )


class Config(BaseModel):
    """clubs.yaml as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: _Common = _Common()
    clubs: tuple[ClubConfig, ...] = ()
    path: Path = Field(default=Path(DEFAULT_PATH), exclude=True)

    def club(self, club_id: str) -> ClubConfig:
        """The club of that id.

        :raises UnknownClub: there is none; the sentence names near ones.
        """
        for club in self.clubs:
            if club.id == club_id:
                return club
        from difflib import get_close_matches

        near = get_close_matches(club_id, [c.id for c in self.clubs], n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`clubsync clubs` lists them all."
        raise UnknownClub(f"No club {club_id!r} in {self.path}.", remedy=hint)

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        return tuple(c for c in self.clubs if c.erp == erp)


def config_path() -> Path:
    return Path(os.environ.get("CLUBSYNC_CONFIG") or DEFAULT_PATH)


def load_config(path: Path | None = None) -> Config:
    """Read and check clubs.yaml.

    :param path: default CLUBSYNC_CONFIG, else config/clubs.yaml.
    :raises ConfigError: names file, line and club of everything that is wrong with it.
    """
    path = path or config_path()
    raw = _read(path)
    problems = [
        f"{path}, line {_line(raw, (key,))}: unknown key {key}"
        for key in raw
        if key not in ("defaults", "clubs")
    ]
    node = raw.get("defaults") or {}
    common = _plain(node)
    defaults = _Common()
    try:
        defaults = _Common.model_validate(common)
    except ValidationError as error:
        problems += _told(path, error, node, "defaults")
        common = {}
    clubs: list[ClubConfig] = []
    lines: dict[str, int] = {}
    nodes = raw.get("clubs") or []
    for index, node in enumerate(nodes):
        line = nodes.lc.item(index)[0] + 1 if hasattr(nodes, "lc") else 0
        if not isinstance(node, dict):
            problems.append(f"{path}, line {line}: a club is a mapping: id, name, erp, connection")
            continue
        club = _club(path, node, common, f"club {node.get('id', index + 1)}", problems)
        if club is None:
            continue
        if club.id in lines:
            problems.append(
                f"{path}, line {line}, club {club.id}: this id is used on line {lines[club.id]} already"
            )
        lines.setdefault(club.id, line)
        clubs.append(club)
    if problems:
        raise ConfigError(
            "; ".join(problems) + ".", remedy="Correct it and run `clubsync clubs check`."
        )
    return Config(defaults=defaults, clubs=tuple(clubs), path=path)


def load_club(path: Path, club_id: str | None = None) -> ClubConfig:
    """One club of a file: a clubs.yaml, or the entry of a single club that is being written.

    Of a single entry `id`, `name` and `connection` may be missing still: they are the file's name then.

    :param club_id: which, of a clubs.yaml with several.
    :raises ConfigError, UnknownClub: with what is wrong.
    """
    raw = _read(path)
    if "clubs" in raw:
        config = load_config(path)
        if club_id is None and len(config.clubs) != 1:
            raise ConfigError(
                f"{path} has {len(config.clubs)} clubs.", remedy="Say which one with --club."
            )
        return config.club(club_id) if club_id is not None else config.clubs[0]
    stem = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "club"
    problems: list[str] = []
    for key, value in (("id", stem), ("name", stem), ("connection", stem.replace("-", "_"))):
        raw.setdefault(key, value)
    club = _club(path, raw, {}, "the club", problems)
    if club is None:
        raise ConfigError("; ".join(problems) + ".", remedy="Correct it and try again.")
    return club


def _read(path: Path) -> Any:
    """The file as ruamel's mapping, which knows its line numbers."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        raw = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Set CLUBSYNC_CONFIG, or run from the folder that has config/clubs.yaml.",
        ) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"{path}, line {line}: not YAML: {error.problem}.", remedy="Correct that line."
        ) from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: no mapping at its top.", remedy="Begin with `clubs:`.")
    return raw


def _told(path: Path, error: ValidationError, node: Any, where: str) -> list[str]:
    """What is wrong, one sentence each, with its line."""
    return [
        f"{path}, line {_line(node, detail['loc'])}, {where}: "
        f"{'.'.join(str(part) for part in detail['loc']) or 'it'}: {detail['msg']}"
        for detail in error.errors()
    ]


def _club(
    path: Path, node: Any, common: dict[str, Any], where: str, problems: list[str]
) -> ClubConfig | None:
    """One club with the defaults filled in; None, and its problems told, where it is wrong."""
    plain = _plain(node)
    guard = {**(common.get("guard") or {}), **(plain.pop("guard", None) or {})}
    try:
        return ClubConfig.model_validate({**common, **plain, "guard": guard})
    except ValidationError as error:
        problems += _told(path, error, node, where)
        return None


def _plain(node: Any) -> Any:
    """ruamel's round-trip types (which carry line numbers) as plain ones."""
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, str):
        return str(node)
    return node


def _line(root: Any, loc: tuple[Any, ...]) -> int:
    """The line, from 1, of the innermost key of `loc` that the file has."""
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
    """As clubs.yaml has it, in the largest unit that divides it."""
    seconds = int(value.total_seconds())
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
        if seconds % size == 0
    )
    return f"{seconds // size}{unit}"


class _EditorSchema(GenerateJsonSchema):
    """Shows a default as clubs.yaml would have it, since editors insert it: 5m, not PT5M."""

    def encode_default(self, dft: Any) -> Any:
        return _written(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """JSON Schema of clubs.yaml, for editors; config/clubs.schema.json is its copy."""
    schema = Config.model_json_schema(schema_generator=_EditorSchema)
    schema["properties"].pop("path", None)
    return {"$schema": _EditorSchema.schema_dialect, **schema, "title": "clubs.yaml"}
