"""The files of clubs.yaml, and two parsers for them.

`quick` is written in C. It reads the part of YAML that configuration is written in, as YAML 1.2 means it, and gives
up on the rest. `with_lines` reads all of YAML 1.2, fifteen times slower, and knows where each value stands.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from clubsync.errors import ConfigError

#: Bytes of a file, and values in it, those that aliases repeat counted each time.
_MOST_BYTES, _MOST_VALUES, _DEEPEST = 32 * 2**20, 2_000_000, 50
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS: dict[str, bool | None] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
#: A plain scalar that is no text in some version of YAML, unless it is one of the above: numbers of any kind, times.
_DOUBTFUL = re.compile(r"[-+.0-9=<!&*?|>%@`]")
#: What begins like a number and is none in any version of YAML: 5m, 10%, 06 12 34, 24 Hours.
_TEXT = re.compile(r"(?!0[xo])[0-9]+(?:[mhds%]| .*|[^0-9.,:_+-]*[g-zG-Z/@].*)")
#: A tag, a directive, or the mark of a key, which the quick parser takes where the other refuses it.
_SPECIAL = re.compile(rb"^%|(?:^|[\s\[{,:-])!|(?:^|[\[{,:-])[ \t]*\?(?=[\s,\]}]|\Z)", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A file, with what is in it."""

    path: Path
    content: bytes


class _Doubt(Exception):
    """This is for the other parser to say."""


def files(path: Path) -> list[File]:
    """The file, or those of a folder, in the order of their names.

    :raises ConfigError: one cannot be read, is no regular file or too large; the folder has none.
    """
    try:
        return [File(one, _content(one)) for one in _paths(path)]
    except OSError as error:
        where = error.filename or path
        raise ConfigError(
            f"{where} cannot be read: {error.strerror or error}.",
            remedy="Set CLUBSYNC_CONFIG, or run the command in the folder that contains config/clubs.yaml.",
        ) from error


def stamp(path: Path) -> object:
    """Changes when a file is edited, added or removed; cheaper than reading them.

    :raises OSError: one of them is being replaced right now, or there is none.
    """
    states = [(one, one.stat()) for one in _paths(path)]
    return [(str(p), s.st_mtime_ns, s.st_size, s.st_ino) for p, s in states]


def _paths(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        one
        for one in path.iterdir()
        if one.suffix in (".yaml", ".yml") and not one.name.startswith(".")
    )
    if not found:
        raise ConfigError(
            f"{path} has no files *.yaml.", remedy="Put the files with the clubs there."
        )
    return found


def _content(path: Path) -> bytes:
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
            remedy="Set CLUBSYNC_CONFIG to a folder, and divide the clubs among several files.",
        )
    return data


def quick(file: File) -> dict[str, Any] | None:
    """What the file says; None: the other parser has to be asked.

    :raises ConfigError: it says too much.
    """
    if _SPECIAL.search(file.content):
        return None
    try:
        text = file.content.decode("utf-8")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        raw = {} if node is None else _value(node, {}, 0)
    except (_Doubt, yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    _check_size(file.path, raw)
    return raw


def _value(node: Any, known: dict[int, Any], depth: int) -> Any:
    """:param known: what nodes with an anchor are."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if id(node) in known:
        return known[id(node)]
    if depth > _DEEPEST or not node.tag.startswith("tag:yaml.org,2002:"):
        raise _Doubt
    found: Any
    if isinstance(node, yaml.SequenceNode):
        if node.tag != "tag:yaml.org,2002:seq":
            raise _Doubt
        found = [_value(one, known, depth + 1) for one in node.value]
    else:
        if node.tag != "tag:yaml.org,2002:map":
            raise _Doubt
        found = {}
        for name, value in node.value:
            key = _value(name, known, depth + 1)
            if not isinstance(key, Hashable) or key in found:
                raise _Doubt
            found[key] = _value(value, known, depth + 1)
    known[id(node)] = found
    return found


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style:  # in quotes, or a block
        if node.tag != "tag:yaml.org,2002:str":
            raise _Doubt
        return text
    if text in _WORDS:
        if text == "" and node.tag != "tag:yaml.org,2002:null":
            raise _Doubt
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        return float(text)
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    if _DOUBTFUL.match(text) and not _TEXT.fullmatch(text):
        raise _Doubt
    return text


def with_lines(file: File) -> Any:
    """What the file says, as a mapping of ruamel.yaml, which keeps line numbers.

    :raises ConfigError: it is not valid.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    path = file.path
    try:
        raw = YAML(typ="rt", pure=True).load(file.content.decode("utf-8")) or {}
        _check_size(path, raw)
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
