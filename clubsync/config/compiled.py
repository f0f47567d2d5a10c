"""What came of clubs.yaml when it was last read, kept for whoever starts after that.

A folder below `CLUBSYNC_VAR`, named by what the files and the code are that read them: a summary, which is all that a
Dag needs, a file of ids, and one for the clubs of each ERP, so that a task of one ERP makes those only. What most
clubs have in common stands there once. An error is kept too: sixteen Dag files would look for it again every minute.
Whatever is wrong with the folder, the files are read as if it were not there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import xxhash
from pydantic import BaseModel

from clubsync.config.model import ClubConfig, Common, WebhookConfig
from clubsync.config.registry import Config, Summary
from clubsync.config.yaml_files import File
from clubsync.errors import ConfigError

FOLDER = "registry"
_INDEX, _IDS = "index.json", "ids.json"
#: How many of them are kept: several processes may have several files.
_KEPT = 8
#: What is a club's own; everything else is common to many.
_OWN = ("id", "name", "connection", "settings")
_FIELDS = set(ClubConfig.model_fields)


def taken(path: Path, files: Sequence[File], read: Callable[[], Config]) -> Config:
    """The registry, from what is kept of these files, or else read and kept.

    :param read: reads and validates the files.
    :raises ConfigError: they are not valid.
    """
    place = _place(path, files)
    if place is None:
        return read()
    with suppress(OSError, ValueError, LookupError, TypeError):
        return _kept(path, place)
    try:
        config = read()
    except ConfigError as error:
        _keep(place, {_INDEX: {"error": [error.what, error.remedy]}})
        raise
    with suppress(TypeError, ValueError):  # a setting that JSON has no form for
        _keep(place, _written(config))
    return config


# --- where --------------------------------------------------------------------------------------


def _place(path: Path, files: Sequence[File]) -> Path | None:
    """The folder for these files; None: nothing is kept."""
    state = Path(os.environ.get("CLUBSYNC_VAR") or "var").absolute()
    if not os.environ.get("CLUBSYNC_VAR") and not state.is_dir():
        return None
    # the path is part of what is said of errors
    digest = xxhash.xxh3_128(f"{_code()}\0{path}\0".encode())
    for file in files:
        digest.update(f"{file.path}\0{len(file.content)}\0".encode())
        digest.update(file.content)
    return state / FOLDER / digest.hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    """Changes with the code that reads and validates, and with what runs it."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), here.parent / "emails.py", here.parent / "errors.py"]
    stamps = [f"{p.name} {(s := p.stat()).st_mtime_ns} {s.st_size}" for p in sources]
    return "\0".join((sys.version, *stamps))


# --- keeping ------------------------------------------------------------------------------------


def _written(config: Config) -> dict[str, Any]:
    """File name -> its content."""
    by_erp: dict[str, dict[str, Any]] = {}
    positions: dict[str, dict[str, int]] = {}
    for number, club in enumerate(config.clubs):
        kept = by_erp.setdefault(club.erp, {"commons": [], "clubs": []})
        fields = _plain(club)
        own = [fields.pop(name) for name in _OWN]
        key = json.dumps(fields)
        known = positions.setdefault(club.erp, {})
        if key not in known:
            known[key] = len(kept["commons"])
            kept["commons"].append(fields)
        kept["clubs"].append([number, known[key], *own])
    names = {erp: f"clubs-{n}.json" for n, erp in enumerate(by_erp)}
    index = {
        "defaults": _plain(config.defaults),
        "webhooks": [_plain(webhook) for webhook in config.webhooks],
        "files": names,
        "summaries": {erp: _summed(config.summary(erp)) for erp in by_erp},
        "all": _summed(config.summary()),
    }
    ids = {
        "ids": {erp: [club[2] for club in kept["clubs"]] for erp, kept in by_erp.items()},
        "order": {erp: [club[0] for club in kept["clubs"]] for erp, kept in by_erp.items()},
    }
    return {_INDEX: index, _IDS: ids, **{names[erp]: kept for erp, kept in by_erp.items()}}


def _summed(summary: Summary | None) -> list[Any] | None:
    if summary is None:
        return None
    every, within = summary.every.total_seconds(), summary.within.total_seconds()
    return [summary.count, every, within, summary.names]


def _plain(model: BaseModel) -> dict[str, Any]:
    """A model as JSON has it and as it is validated from."""
    plain: dict[str, Any] = json.loads(json.dumps(model.model_dump(by_alias=True), default=_text))
    return plain


def _text(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value))


def _keep(place: Path, content: dict[str, Any]) -> None:
    """Write the folder, whole or not at all; a disk that is full or read-only is no reason to fail."""
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.mkdir(mode=0o700)
        for name, document in content.items():
            number = os.open(part / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(_sealed(document))
        shutil.rmtree(place, ignore_errors=True)  # of which something was wrong
        part.rename(place)
        _sweep(place.parent)
    except OSError:
        pass
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sealed(document: Any) -> bytes:
    """JSON behind its digest, by which half of a file is told from a whole one."""
    content = json.dumps(document, separators=(",", ":")).encode()
    return xxhash.xxh3_128(content).hexdigest().encode() + b"\n" + content


def _unsealed(file: Path) -> bytes:
    """:raises ValueError: it is not as it was written."""
    digest, _, content = file.read_bytes().partition(b"\n")
    if digest != xxhash.xxh3_128(content).hexdigest().encode():
        raise ValueError(file)
    return content


def _sweep(folder: Path) -> None:
    """Remove all but the newest."""
    found = []
    for one in folder.iterdir():
        with suppress(OSError):  # another process sweeps too
            found.append((one.stat().st_mtime_ns, one))
    for _, old in sorted(found, reverse=True)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


# --- taking -------------------------------------------------------------------------------------


def _kept(path: Path, place: Path) -> Config:
    """:raises ConfigError: the one that was raised when the files were read."""
    index = json.loads(_unsealed(place / _INDEX))
    if (error := index.get("error")) is not None:
        what, remedy = error
        raise ConfigError(what, remedy=remedy)
    source = _Kept(place, index)
    return Config(
        defaults=Common.model_validate(index["defaults"]),
        webhooks=[WebhookConfig.model_validate(one) for one in index["webhooks"]],
        path=path,
        source=source,
    )


class _Kept:
    """The clubs of a folder.

    All files are opened at once, so that they are of one moment even if the folder is swept away meanwhile.
    """

    def __init__(self, place: Path, index: dict[str, Any]) -> None:
        self._index = index
        self._ids = _unsealed(place / _IDS)
        self._content = {erp: _unsealed(place / name) for erp, name in index["files"].items()}

    @cached_property
    def erps(self) -> dict[str, str]:
        kept = json.loads(self._ids)
        ids: dict[str, list[str]] = kept["ids"]
        order: dict[str, list[int]] = kept["order"]
        numbered = [
            (n, club, erp) for erp in ids for n, club in zip(order[erp], ids[erp], strict=True)
        ]
        return {club: erp for _, club, erp in sorted(numbered)}

    def of_erp(self, erp: str) -> tuple[ClubConfig, ...]:
        return tuple(club for _, club in self._clubs(erp))

    def everything(self) -> tuple[ClubConfig, ...]:
        clubs = [one for erp in self._content for one in self._clubs(erp)]
        return tuple(club for _, club in sorted(clubs, key=lambda one: one[0]))

    def summary(self, erp: str | None) -> Summary | None:
        kept = self._index["all"] if erp is None else self._index["summaries"].get(erp)
        if kept is None:
            return None
        count, every, within, names = kept
        return Summary(count, timedelta(seconds=every), timedelta(seconds=within), names)

    def _clubs(self, erp: str) -> list[tuple[int, ClubConfig]]:
        if erp not in self._content:
            return []
        kept = json.loads(self._content[erp])
        commons = [_common(erp, one) for one in kept["commons"]]
        return [
            (number, _club(commons[common], id, name, connection, settings))
            for number, common, id, name, connection, settings in kept["clubs"]
        ]


def _common(erp: str, plain: dict[str, Any]) -> dict[str, Any]:
    """The fields that clubs have in common, of their own types. They were validated when they were kept."""
    # what both name is compared by code that imports Polars
    former = plain.get("former_groups") or []
    own = {"id": "x", "name": "x", "erp": erp, "connection": "x"}
    club = ClubConfig.model_validate({**plain, **own, "former_groups": []})
    return {**club.__dict__, "former_groups": tuple(former)}


def _club(
    common: dict[str, Any], id: str, name: str, connection: str, settings: dict[str, Any]
) -> ClubConfig:
    """A club made as pickle makes one: ten thousand of them are not validated again."""
    club = ClubConfig.__new__(ClubConfig)
    own = {"id": id, "name": name, "connection": connection, "settings": settings}
    club.__setstate__(
        {
            "__dict__": {**common, **own},
            "__pydantic_fields_set__": _FIELDS,
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return club
