"""clubs.yaml is read and validated; every problem is told with its file and line.

A file is parsed in C first, into plain values. Only if anything is wrong with them is it parsed again by the slow
parser that keeps line numbers, which decides: what it accepts is valid.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clubsync.config import compiled, yaml_files
from clubsync.config.model import ClubConfig, Common, WebhookConfig
from clubsync.config.problems import (
    at_line,
    in_club,
    line_of,
    problems_of,
    sentence,
    unknown_setting,
)
from clubsync.config.registry import DEFAULT_PATH, Config
from clubsync.config.yaml_files import File
from clubsync.errors import ConfigError
from connectors.sdk.messages import message

#: The keys of clubs.yaml.
_KEYS = ("defaults", "clubs", "webhooks")
_REMEDY = (
    "Correct the file and run `clubsync clubs check`. config/clubs.schema.json lists every setting, docs/settings/ "
    "those of each connector."
)


def config_path() -> Path:
    """clubs.yaml, or the folder of such files: CLUBSYNC_CONFIG, else config/clubs.yaml."""
    return Path(os.environ.get("CLUBSYNC_CONFIG") or DEFAULT_PATH)


def load_config(path: Path | None = None) -> Config:
    """Read and validate clubs.yaml, or take what came of it when it was last read, if it has not changed since.

    :param path: a file, or a folder: its files `*.yaml` and `*.yml`, in the order of their names, are one registry;
        `defaults` may stand in one of them. Default: CLUBSYNC_CONFIG, else config/clubs.yaml.
    :raises ConfigError: it is not valid; the message names file, line and club of every problem.
    """
    path = path or config_path()
    files = yaml_files.files(path)
    return compiled.taken(path, files, lambda: _read(path, files))


def _read(path: Path, files: Sequence[File]) -> Config:
    quick = [yaml_files.quick(file) for file in files]
    if None not in quick:
        try:
            return _Reader(path, list(zip(files, quick, strict=True))).config()
        except ConfigError:
            pass  # told with its lines by the other parser
    return _Reader(path, [(file, yaml_files.with_lines(file)) for file in files]).config()


@dataclass
class _Reader:
    """The files of a registry, one after the other.

    :param files: with what each of them says.
    :param problems: sentences.
    """

    path: Path
    files: Sequence[tuple[File, Any]]
    problems: list[str] = field(default_factory=list)
    clubs: list[ClubConfig] = field(default_factory=list)
    #: club id -> its file, and its line there.
    places: dict[str, tuple[Path, int]] = field(default_factory=dict)
    webhooks: dict[str, WebhookConfig] = field(default_factory=dict)

    def config(self) -> Config:
        """:raises ConfigError: with all problems of all files."""
        for file, raw in self.files:
            self.problems += [
                at_line(file.path, line_of(raw, (key,)), unknown_setting(str(key), _KEYS))
                for key in raw
                if key not in _KEYS
            ]
        defaults, common = self._defaults()
        for file, raw in self.files:
            self._clubs(file.path, raw, common)
        for club, said in _chain_problems(self.clubs):
            file_path, line = self.places[club]
            self.problems.append(in_club(file_path, line, message(f"club {club}"), said))
        for file, raw in self.files:
            self._webhooks(file.path, raw)
        if self.problems:
            raise ConfigError(sentence(self.problems), remedy=_REMEDY)
        return Config(
            self.clubs, defaults=defaults, webhooks=self.webhooks.values(), path=self.path
        )

    def _defaults(self) -> tuple[Common, dict[str, Any]]:
        """The defaults, and what the files say of them."""
        having = [(file.path, raw) for file, raw in self.files if raw.get("defaults")]
        if not having:
            return Common(), {}
        path, raw = having[0]
        for other, also in having[1:]:
            twice = message(
                f"`defaults` stand in {path.name} already: they hold for all files of the folder"
            )
            self.problems.append(at_line(other, line_of(also, ("defaults",)), twice))
        node = raw["defaults"]
        common = _plain(node)
        try:
            return Common.model_validate(common), common
        except ValidationError as error:
            self.problems += problems_of(path, error, node, "defaults", Common)
            return Common(), {}

    def _clubs(self, path: Path, raw: Any, common: dict[str, Any]) -> None:
        nodes = raw.get("clubs") or []
        if not isinstance(nodes, list):
            wrong = message("`clubs` is a list of clubs")
            self.problems.append(at_line(path, line_of(raw, ("clubs",)), wrong))
            return
        for index, node in enumerate(nodes):
            line = nodes.lc.item(index)[0] + 1 if hasattr(nodes, "lc") else 0
            if not isinstance(node, dict):
                wrong = message("a club is a mapping with id, name, erp and connection")
                self.problems.append(at_line(path, line, wrong))
                continue
            where = message(f"club {node.get('id', index + 1)}")
            club = _club(path, node, common, where, self.problems)
            if club is None:
                continue
            if club.id in self.places:
                other, there = self.places[club.id]
                twice = (
                    message(f"this id is already used on line {there}")
                    if other == path
                    else message(f"this id is already used in {other.name}, on line {there}")
                )
                self.problems.append(in_club(path, line, where, twice))
            self.places.setdefault(club.id, (path, line))
            self.clubs.append(club)

    def _webhooks(self, path: Path, raw: Any) -> None:
        nodes = raw.get("webhooks") or []
        if not isinstance(nodes, list):
            wrong = message("`webhooks` is a list of webhooks")
            self.problems.append(at_line(path, line_of(raw, ("webhooks",)), wrong))
            return
        for index, node in enumerate(nodes):
            line = nodes.lc.item(index)[0] + 1 if hasattr(nodes, "lc") else 0
            named = node.get("id", index + 1) if isinstance(node, dict) else index + 1
            where = message(f"webhook {named}")
            try:
                webhook = WebhookConfig.model_validate(_plain(node))
            except ValidationError as error:
                self.problems += problems_of(path, error, node, where, WebhookConfig)
                continue
            if webhook.id in self.webhooks:
                self.problems.append(in_club(path, line, where, message("this id is already used")))
            unknown = [club for club in webhook.clubs if club not in self.places]
            if unknown:
                said = message(f"clubs: there is no club {', '.join(unknown)}")
                self.problems.append(in_club(path, line, where, said))
            self.webhooks.setdefault(webhook.id, webhook)


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
    if is_list_of_clubs(path):
        config = load_config(path)
        if club_id is None and len(config.erps) != 1:
            raise ConfigError(
                f"{path} has {len(config.erps)} clubs.", remedy="Choose one with --club."
            )
        return config.club(club_id) if club_id is not None else config.clubs[0]
    raw = yaml_files.with_lines(*yaml_files.files(path))
    stem = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "club"
    problems: list[str] = []
    for key, value in (("id", stem), ("name", stem), ("connection", stem.replace("-", "_"))):
        raw.setdefault(key, value)
    club = _club(path, raw, {}, message("the club"), problems)
    if club is None:
        raise ConfigError(
            sentence(problems),
            remedy=_REMEDY.replace("run `clubsync clubs check`", "try again"),
        )
    return club


def is_list_of_clubs(path: Path) -> bool:
    """Whether a file is a clubs.yaml, or a folder of them, not the entry of a single club.

    :raises ConfigError: it cannot be read.
    """
    if path.is_dir():
        return True
    (file,) = yaml_files.files(path)
    quick = yaml_files.quick(file)
    return "clubs" in (yaml_files.with_lines(file) if quick is None else quick)


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
        problems += problems_of(path, error, node, where, ClubConfig)
        return None


def _plain(node: Any) -> Any:
    """Plain types from ruamel's round-trip types."""
    if isinstance(node, dict):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, list):
        return [_plain(v) for v in node]
    if isinstance(node, str):
        return str(node)
    return node
