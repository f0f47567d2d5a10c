"""What a stage stores for the next one: frames and a few values in one file, whole or not at all.

A package is a ZIP file with a member `values.json` and one Arrow IPC stream per frame, so that a reader can
take single frames out of it; Polars writes and reads a small frame as a stream in a tenth of the time of a file. It
lies in the folder of its run, `<club>/runs/<run>/`. Only the stages of one version of clubsync hand packages to one
another; a package of another version is refused by its `format` and made again from the snapshot.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec
import polars as pl

from clubsync.errors import SnapshotUnreadable
from clubsync.store.snapshots import Store

#: Goes up whenever what a stage hands on changes.
FORMAT = 4
#: What `validate` hands to `diff`, and `diff` to `load`.
AFFECTED, PLAN = "affected.zip", "plan.zip"
_VALUES = "values.json"
#: How the member of a frame ends; `_FILE` up to format 3, where it was an Arrow IPC file.
_STREAM, _FILE = ".arrows", ".arrow"


T = TypeVar("T")


@dataclass(frozen=True)
class Package:
    """:param values: JSON values.
    :param frames: by name.
    """

    values: Mapping[str, Any]
    frames: Mapping[str, pl.DataFrame]


def folder(club_id: str, run: int) -> str:
    """Where the packages of a run are, below the store's root."""
    return f"{club_id}/runs/{run}"


def write(store: Store, path: str, name: str, package: Package) -> None:
    """Store a package, in place of one of the same name."""
    with (
        store.whole(path, name) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        for frame_name, frame in package.frames.items():
            # straight into the file: of a large club a frame in bytes is large
            with archive.open(f"{frame_name}{_STREAM}", "w", force_zip64=True) as part:
                # a clone: while it is written Polars locks it, and another thread that reads it would hold Python's
                # lock, which the writing needs
                frame.clone().write_ipc_stream(
                    part, compression="lz4", compat_level=pl.CompatLevel.newest()
                )
        values = {"format": FORMAT, **package.values}
        archive.writestr(_VALUES, json.dumps(values))


def read(store: Store, path: str, name: str, only: Iterable[str] | None = None) -> Package:
    """Read a package.

    :param only: names of the frames to read; None: all.
    :raises SnapshotUnreadable: it is not there, is damaged, or was written by another version.
    """
    with _opened(store, path, name) as archive:
        values = json.loads(archive.read(_VALUES))
        if values.pop("format", None) != FORMAT:
            raise _unreadable(path, name, "another version wrote it")
        names = only
        if names is None:
            members = archive.namelist()
            names = [member[: -len(_STREAM)] for member in members if member != _VALUES]
        frames = {each: _frame(archive, f"{each}{_STREAM}") for each in names}
    return Package(values, frames)


@dataclass(frozen=True)
class StoredPlan:
    """What a person looks at of a stored plan.

    :param changes: kind, customer (null: new), erp_id, reason.
    :param losses: `LOSSES`.
    :param held: `HELD`.
    """

    changes: pl.DataFrame
    losses: pl.DataFrame
    held: pl.DataFrame


def stored_plan(store: Store, path: str) -> StoredPlan:
    """The plan of a run, without the values that it writes.

    :param path: of its row in sync.plan.
    :raises SnapshotUnreadable: it is gone, or is damaged.
    """
    frames = read(store, path, PLAN, only=("plan.changes", "plan.losses", "held")).frames
    changes = frames["plan.changes"].select("kind", "customer", "erp_id", "reason")
    return StoredPlan(changes, frames["plan.losses"], frames["held"])


def rewrite(store: Store, path: str, name: str, change: Callable[[Package], Package]) -> bool:
    """Rewrite a package, of whatever version, without an erased person (R20).

    :param change: what it returns holds nothing else in its memory (`frames.compacted`).
    :returns: whether any row or value changed.
    :raises SnapshotUnreadable: it is not there, or is damaged.
    """
    with _opened(store, path, name) as archive:
        members = [member for member in archive.namelist() if member != _VALUES]
        frames = {
            each.removesuffix(_STREAM).removesuffix(_FILE): _frame(archive, each)
            for each in members
        }
        package = Package(json.loads(archive.read(_VALUES)), frames)
    changed = change(package)
    # in any case: the file may hold texts that no row of it shows (`frames.compacted`)
    write(store, path, name, changed)
    same = all(changed.frames[each].equals(frame) for each, frame in frames.items())
    return not same or changed.values != package.values


def pack(value: Any) -> Package:
    """A dataclass as a package: its frames and series, and those of the dataclasses in it, and the rest."""
    values: dict[str, Any] = {}
    frames: dict[str, pl.DataFrame] = {}
    for field in fields(value):
        if field.metadata.get("stored") is False:
            continue
        part = getattr(value, field.name)
        if isinstance(part, pl.DataFrame):
            frames[field.name] = part
        elif isinstance(part, pl.Series):
            frames[field.name] = part.to_frame(part.name or "erp_id")
        elif _holds_frames(type(part)):
            inner = pack(part)
            values[field.name] = inner.values
            frames |= {f"{field.name}.{name}": frame for name, frame in inner.frames.items()}
        else:
            values[field.name] = msgspec.to_builtins(part)
    return Package(values, frames)


def unpack(cls: type[T], package: Package) -> T:
    """The dataclass that was packed.

    :raises msgspec.ValidationError, KeyError: the package is of something else.
    """
    types = _types(cls)
    parts: dict[str, Any] = {}
    for field in fields(cls):  # type: ignore[arg-type]  # T is a dataclass, which no bound can say
        name = field.name
        kind: Any = types[name]
        if field.metadata.get("stored") is False:
            continue
        if kind is pl.DataFrame:
            parts[name] = package.frames[name]
        elif kind is pl.Series:
            parts[name] = package.frames[name].to_series()
        elif _holds_frames(kind):
            prefix = f"{name}."
            inner = {
                each.removeprefix(prefix): frame
                for each, frame in package.frames.items()
                if each.startswith(prefix)
            }
            parts[name] = unpack(kind, Package(package.values[name], inner))
        else:
            parts[name] = msgspec.convert(package.values[name], kind)
    return cls(**parts)


_found_types: dict[Any, dict[str, Any]] = {}


def _types(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields; finding them takes longer than reading a small frame."""
    if cls not in _found_types:
        _found_types[cls] = get_type_hints(cls)
    return _found_types[cls]


def _holds_frames(cls: Any) -> bool:
    return is_dataclass(cls) and any(
        kind in (pl.DataFrame, pl.Series) for kind in _types(cls).values()
    )


def _frame(archive: zipfile.ZipFile, member: str) -> pl.DataFrame:
    content = archive.read(member)
    return pl.read_ipc_stream(content) if member.endswith(_STREAM) else pl.read_ipc(content)


@contextmanager
def _opened(store: Store, path: str, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with store.opened(path, name) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, name, type(error).__name__) from error


def _unreadable(path: str, name: str, why: str) -> SnapshotUnreadable:
    return SnapshotUnreadable(
        f"The stored package {path}/{name} cannot be read ({why}).",
        remedy="Sync the club again; if the error persists, check the disk or bucket of "
        "CLUBSYNC_SNAPSHOTS.",
    )
