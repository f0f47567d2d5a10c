"""A snapshot: one reading of a club, with row hashes, kept as Parquet on any fsspec URL.

The files lie under `<root>/<club>/<content hash>/`: readings of the same content share them, so a
quiet club costs one row in sync.snapshot a reading and no new file. A plan lies beside them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import polars as pl
import xxhash

from clubsync.errors import SnapshotUnreadable
from clubsync.model import SnapshotHead
from clubsync.store.database import Base
from clubsync.store.encryption import HEAD_BYTES, MAGIC, Keys
from clubsync.store.ledger import UNFINISHED, Ledger, digest
from connectors.sdk import meter
from connectors.sdk.model import CUSTOMER_SCHEMA, Consistency, Reading

if TYPE_CHECKING:
    from clubsync.store.queries import SnapshotRow

#: What the row hash covers, besides `unreadable`: all that can change a decision or the base. `modified_at` is left
#: out, for a stamp that moves alone changes nothing; gender and country are not kept at all (R19).
HASHED = (
    "erp_id",
    "email",
    "first_name",
    "last_name",
    "phone",
    "birth_date",
    "status",
    "status_raw",
    "groups",
    "valid_from",
    "valid_until",
    "guardian_id",
    "replaced_by",
    "created_at",
    "is_company",
    "placeholder",
)
KEPT = (*HASHED, "unreadable", "row_hash")
#: The files of a snapshot. Of these customers is written last: it says that the others are there.
GROUPS, CONFLICTING, CUSTOMERS = FILES = (
    "groups.parquet",
    "conflicting.parquet",
    "customers.parquet",
)
#: How the names of files end that are being written.
PART = ".part"
_PART = 50_000
#: Days from which on their texts are looked up.
_LOOKED_UP_FROM = 2_000
_UNIT, _NULL = "\x1f", "\x00"


@dataclass(frozen=True)
class Snapshot:
    """One club at one moment.

    :param customers: columns `KEPT`; `row_hash` is UInt64, stable between versions and machines.
    :param groups: id, name, active.
    :param conflicting_ids, ambiguous_ids: see `Reading`.
    :param number: sync.snapshot.snapshot; of two snapshots of one moment the higher was read later (R16).
    :param path: folder below the store's root.
    :param epoch: of the club's source (R1); an earlier one's ids mean other people.
    :param began_at, read_at, consistency, memberships: see `SnapshotHead`; None: `as_of`.
    """

    club: str
    number: int
    as_of: datetime
    certified: bool
    customers: pl.DataFrame
    groups: pl.DataFrame
    conflicting_ids: tuple[str, ...]
    content_hash: str
    path: str
    epoch: int = 1
    began_at: datetime | None = None
    read_at: datetime | None = None
    consistency: str = Consistency.MOMENT
    memberships: str | None = None
    ambiguous_ids: tuple[str, ...] = ()

    @property
    def head(self) -> SnapshotHead:
        """The snapshot without its frames."""
        return SnapshotHead(
            number=self.number,
            as_of=self.as_of,
            certified=self.certified,
            rows=self.customers.height,
            content_hash=self.content_hash,
            epoch=self.epoch,
            began_at=self.began_at or self.as_of,
            read_at=self.read_at or self.as_of,
            consistency=self.consistency,
            memberships=self.memberships,
        )

    @property
    def version(self) -> tuple[datetime, int]:
        """What R16 compares: the newer moment wins, of one moment the one read later."""
        return (self.as_of, self.number)


def _text(column: pl.Series) -> pl.Expr:
    """A column of the same frame as text, null as `_NULL`."""
    if column.null_count() == len(column):
        return pl.lit(_NULL)
    value = pl.col(column.name)
    if column.dtype == pl.Boolean():
        told = pl.when(value).then(pl.lit("true")).otherwise(pl.lit("false"))
        return pl.when(value.is_null()).then(pl.lit(_NULL)).otherwise(told)
    if column.dtype == pl.Date():
        value = pl.lit(_day_text(column))
    elif column.dtype == pl.Datetime("us", "UTC"):
        value = value.dt.epoch("us")
    return value.cast(pl.String).fill_null(_NULL)


_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2099, 12, 31)


@lru_cache(maxsize=1)
def _day_texts() -> pl.Series:
    """Every day of two centuries as text."""
    return pl.date_range(_FIRST_DAY, _LAST_DAY, eager=True).cast(pl.String)


def _day_text(days: pl.Series) -> pl.Series:
    """Days as text (`2026-11-29`), null stays null: looked up, which costs a fifth of writing each of many."""
    if len(days) < _LOOKED_UP_FROM:
        return days.cast(pl.String)
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return days.cast(pl.String)
    if first < _FIRST_DAY or last > _LAST_DAY:
        return days.cast(pl.String)
    start = (_FIRST_DAY - date(1970, 1, 1)).days
    return _day_texts().gather(days.cast(pl.Int32) - start)


def _span_texts(spans: pl.Series) -> pl.Series:
    """Each span of a group as text."""
    part = spans.struct
    return pl.select(
        pl.concat_str(
            part.field("id").fill_null(_NULL),
            _day_text(part.field("valid_from")).fill_null(""),
            _day_text(part.field("valid_until")).fill_null(""),
            separator="\x1d",
        )
    ).to_series()


def _groups_text(groups: pl.Series) -> pl.Series:
    """Each list of groups as text, its parts in order. Most hold one or two: only the longer ones are sorted.

    The spans of all lists are made text at once; taking lists out by their places costs ten times that.
    """
    lengths = groups.list.len().fill_null(0)
    starts = lengths.cum_sum() - lengths
    parts = _span_texts(groups.explode(empty_as_null=False, keep_nulls=False))
    text = pl.repeat("", len(groups), dtype=pl.String, eager=True)
    if (one := (lengths == 1).arg_true()).len():
        text = text.scatter(one, parts.gather(starts.gather(one)))
    if (two := (lengths == 2).arg_true()).len():
        first = starts.gather(two)
        pairs = pl.DataFrame({"a": parts.gather(first), "b": parts.gather(first + 1)})
        low, high = pl.min_horizontal("a", "b"), pl.max_horizontal("a", "b")
        text = text.scatter(two, pairs.select(pl.concat_str(low, high, separator="\x1e"))["a"])
    if (more := (lengths > 2).arg_true()).len():
        begin, many = starts.gather(more), lengths.gather(more)
        places = pl.select(row=more, at=pl.int_ranges(begin, begin + many)).explode("at")
        joined = (
            places.select("row", text=parts.gather(places["at"]))
            .group_by("row", maintain_order=True)
            .agg(pl.col("text").sort())
            .select(pl.col("text").list.join("\x1e"))
        )
        text = text.scatter(more, joined["text"])
    return text


def _unreadable_text(fields: pl.Series) -> pl.Series:
    """Each list of unreadable fields as text, null where it is empty; their order does not matter."""
    part = pl.element().struct
    text = pl.concat_str(
        [part.field(name).fill_null(_NULL) for name in ("field", "word", "group")], separator="\x1d"
    )
    joined = pl.col("f").list.eval(text).list.sort().list.join("\x1e")
    return fields.to_frame("f").select(pl.when(pl.col("f").list.len() > 0).then(joined)).to_series()


def row_hashes(customers: pl.DataFrame) -> pl.Series:
    """xxh3 (64 bits) of the joined canonical fields, one per row; UInt64.

    Groups count as a set: their order in the ERP's answer does not matter. Part by part: the texts of a
    million records at once would be the largest thing of a whole sync. The next part's texts are made while those of
    the last one are hashed.
    """
    parts = customers.iter_slices(_PART)
    first = next(parts, None)
    if first is None:
        return pl.Series("row_hash", dtype=pl.UInt64)
    texts, hashes = _joined(first), []
    if customers.height > _PART:
        with ThreadPoolExecutor(max_workers=1) as beside:
            for part in parts:
                coming = beside.submit(_joined, part)
                hashes.append(_hashed(texts))
                texts = coming.result()
    return pl.concat([*hashes, _hashed(texts)])


def _joined(customers: pl.DataFrame) -> pl.Series:
    """The canonical fields of each record as one text; Binary."""
    groups = _groups_text(customers["groups"])
    parts = [pl.lit(groups) if n == "groups" else _text(customers[n]) for n in HASHED]
    # most records have none, and what has none has the hash that it had before there was such a column
    if customers["unreadable"].list.len().sum():
        parts.append(pl.lit(_unreadable_text(customers["unreadable"])))
    joined = customers.select(pl.concat_str(parts, separator=_UNIT, ignore_nulls=True))
    return joined.to_series().cast(pl.Binary)


def _hashed(texts: pl.Series) -> pl.Series:
    return pl.Series("row_hash", map(xxhash.xxh3_64_intdigest, texts), dtype=pl.UInt64)


def prepare(reading: Reading) -> tuple[pl.DataFrame, str]:
    """A reading's customers with their hashes, in the order of their ids, and the hash of it all.

    :returns: columns `KEPT`, and 32 hex digits over rows, groups and conflicting ids.
    """
    read = reading.customers
    # the hashes last: columns whose chunks are others would all be copied
    customers = read.select(name for name in KEPT if name != "row_hash").with_columns(
        row_hashes(read)
    )
    if not customers["erp_id"].is_sorted():
        customers = customers.sort("erp_id")
    return customers, content_hash(customers, reading.groups, reading.conflicting_ids)


def content_hash(
    customers: pl.DataFrame, groups: pl.DataFrame, conflicting_ids: Iterable[str]
) -> str:
    """What names the folder of a snapshot: 32 hex digits over its rows, groups and conflicting ids.

    :param customers: with `row_hash`, in the order of their ids.
    """
    whole = xxhash.xxh3_128()
    whole.update(customers["row_hash"].to_numpy().tobytes())
    named = groups.sort("id").select(
        pl.concat_str(
            pl.col("id"),
            "name",
            pl.col("active").cast(pl.String),
            separator=_UNIT,
            ignore_nulls=True,
        )
    )
    for text in named.to_series():
        whole.update(((text or "") + "\x1e").encode())
    for erp_id in conflicting_ids:
        whole.update(b"\x1d" + erp_id.encode())
    return whole.hexdigest()


class Store:
    """Where snapshots and plans lie: any fsspec URL (CLUBSYNC_SNAPSHOTS).

    :param url: default `<CLUBSYNC_VAR or ./var>/snapshots`.
    :param base: where the digests of its files are kept; None: with a `url`, nowhere; else in the environment's.
    """

    def __init__(self, url: str | None = None, *, base: Base | None = None) -> None:
        self.ledger = Ledger(base) if base is not None or url is None else None
        url = url or os.environ.get("CLUBSYNC_SNAPSHOTS") or default_url()
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.keys = Keys.from_environment()
        self._made: set[str] = set()

    def _at(self, path: str, name: str) -> str:
        return f"{self.root.rstrip('/')}/{path}/{name}"

    def exists(self, path: str, name: str) -> bool:
        return bool(self.fs.exists(self._at(path, name)))

    @meter.part(meter.STORE)
    def write(self, path: str, name: str, frame: pl.DataFrame) -> None:
        """Write a frame as Parquet (zstd): whole or not at all."""
        with self.whole(path, name) as file:
            frame.write_parquet(
                file,
                compression="zstd",
                compression_level=1,
                statistics=False,
                row_group_size=_PART,
            )

    @meter.part(meter.STORE)
    def put(self, path: str, name: str, content: bytes) -> None:
        """Write a file: whole or not at all."""
        with self.whole(path, name) as file:
            file.write(content)

    @contextmanager
    def whole(self, path: str, name: str) -> Iterator[Any]:
        """A file to write into, which is there when the block has ended well."""
        target = self._at(path, name)
        if path not in self._made:
            self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            self._made.add(path)
        part = f"{target}.{os.getpid()}{PART}"
        try:
            with (
                self.fs.open(part, "wb") as file,
                self.keys.sealed(file, f"{path}/{name}") as inner,
            ):
                yield inner
            replaced = self._note(path, name, part)
            self.fs.mv(part, target)
        except BaseException:
            # a full disk keeps nothing; what a killed process leaves is swept (`clubsync.store.folders`)
            self._made.discard(path)
            with suppress(OSError):
                self.fs.rm_file(part)
            raise
        if replaced is not None and self.ledger is not None:
            self.ledger.settle(path, name, replaced)

    def _note(self, path: str, name: str, part: str) -> bytes | None:
        """Write down the digest of a file that is about to be put in its place.

        :returns: its content, if it replaces another.
        """
        if self.ledger is None:
            return None
        content = bytes(self.fs.cat_file(part))
        return content if self.ledger.note(path, name, content) else None

    def is_noted(self, path: str, name: str) -> bool:
        """Whether a file is the one that was written there, by its digest; False: there is none.

        :raises OSError, SnapshotUnreadable: it is gone, or it is another one.
        """
        if self.ledger is None:
            return False
        return self.ledger.check(path, name, bytes(self.fs.cat_file(self._at(path, name))))

    @meter.part(meter.STORE)
    def is_whole(self, path: str, names: Iterable[str]) -> bool:
        """Whether these files of a folder are there, each as it was written (R21)."""
        if self.ledger is None:
            return all(self.exists(path, name) for name in names)
        accepted = self.ledger.accepted(path)
        try:
            return all(
                name in accepted
                and digest(bytes(self.fs.cat_file(self._at(path, name)))) in accepted[name]
                for name in names
            )
        except OSError:
            return False

    @contextmanager
    def opened(self, path: str, name: str) -> Iterator[Any]:
        """A stored file, to read from.

        :raises OSError: it is not there, or cannot be read.
        """
        if self.ledger is not None:
            # what is checked is what is read
            yield io.BytesIO(self._content(path, name))
            return
        with self.fs.open(self._at(path, name), "rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                file.seek(0)
                yield io.BytesIO(self.keys.opened(file.read(), f"{path}/{name}"))
            else:
                file.seek(0)
                yield file

    def get(self, path: str, name: str) -> bytes | None:
        """A file's content; None where it is not there, or cannot be read."""
        try:
            return self._content(path, name)
        except (OSError, SnapshotUnreadable):
            return None

    @meter.part(meter.STORE)
    def _content(self, path: str, name: str) -> bytes:
        content = bytes(self.fs.cat_file(self._at(path, name)))
        if self.ledger is not None and not self.ledger.check(path, name, content):
            self._refuse_unknown(path, name)
        return self.keys.opened(content, f"{path}/{name}")

    def _refuse_unknown(self, path: str, name: str) -> None:
        """A file that lives for minutes is not from before there were digests.

        :raises SnapshotUnreadable: it is such a file.
        """
        if path.startswith(UNFINISHED):
            raise SnapshotUnreadable(
                f"The stored response {path}/{name} was not written by a sync.",
                remedy="Nothing of it was used. Find out who writes to the snapshot store.",
            )

    def read(self, path: str, name: str) -> pl.DataFrame:
        """:raises SnapshotUnreadable: the file is not there, or is not what was written."""
        try:
            return pl.read_parquet(io.BytesIO(self._content(path, name)))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise SnapshotUnreadable(
                f"The stored snapshot {path}/{name} cannot be read ({type(error).__name__}).",
                remedy="Sync the club again; if it lasts, check the disk or bucket of CLUBSYNC_SNAPSHOTS.",
            ) from error

    def names(self, path: str, start: str) -> list[str]:
        """The files and folders in a folder whose names start so."""
        self.fs.invalidate_cache()  # others write here too
        if not self.fs.exists(f"{self.root.rstrip('/')}/{path}"):
            return []
        found = self.fs.ls(f"{self.root.rstrip('/')}/{path}", detail=False)
        return sorted(n for f in found if (n := str(f).rsplit("/", 1)[-1]).startswith(start))

    def files(self, path: str) -> list[str]:
        """The places of all files in a folder and those below it, but for those that are being written."""
        self.fs.invalidate_cache()
        start = f"{self.root.rstrip('/')}/"
        found = [str(file) for file in self.fs.find(f"{start}{path}")]
        return sorted(f[f.index(start) + len(start) :] for f in found if not f.endswith(PART))

    def is_current(self, place: str) -> bool:
        """Whether a file begins as those do that are written now, or is gone."""
        try:
            with self.fs.open(f"{self.root.rstrip('/')}/{place}", "rb") as file:
                return bool(file.read(HEAD_BYTES).startswith(self.keys.head))
        except FileNotFoundError:
            return True

    def rewrite(self, place: str) -> bool:
        """Write a file again as it is, with the key that writes now; False: it is gone."""
        path, _, name = place.rpartition("/")
        try:
            content = self._content(path, name)
        except FileNotFoundError:
            return False
        self.put(path, name, content)
        return True

    def written(self, path: str) -> datetime | None:
        """When the newest file of a folder was written; None: it has no files, or the store does not say."""
        folder = f"{self.root.rstrip('/')}/{path}"
        times = [_written(file) for file in self.fs.find(folder, detail=True).values()]
        told = [at for at in times if at is not None]
        return max(told) if told and len(told) == len(times) else None

    @meter.part(meter.STORE)
    def remove_file(self, path: str, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self._at(path, name))
        if self.ledger is not None:
            self.ledger.forget(path, name)

    def remove(self, path: str) -> None:
        """Remove a folder with its contents, if it is there."""
        self._made.discard(path)
        target = f"{self.root.rstrip('/')}/{path}"
        expires = path.startswith(UNFINISHED)
        if self.ledger is not None and expires:
            # first: files whose digests are gone are not used, and removed when they expire
            self.ledger.forget(path)
        if self.fs.exists(target):
            with suppress(FileNotFoundError):  # by somebody else, meanwhile
                self.fs.rm(target, recursive=True)
        if self.ledger is not None and not expires:
            self.ledger.forget(path)


def _written(file: Mapping[str, Any]) -> datetime | None:
    """The time that a file system tells of a file, under the name that it has there."""
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        at = file.get(name)
        if isinstance(at, int | float):
            return datetime.fromtimestamp(at, UTC)
        if isinstance(at, datetime):
            return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


def default_url() -> str:
    return str((Path(os.environ.get("CLUBSYNC_VAR") or "var") / "snapshots").absolute())


def path_of(club_id: str, content_hash: str) -> str:
    return f"{club_id}/{content_hash}"


def head_of(row: SnapshotRow) -> SnapshotHead:
    """The head of a row of sync.snapshot."""
    return SnapshotHead(
        number=row["snapshot"],
        as_of=row["as_of"],
        certified=row["certified"],
        rows=row["customers"],
        content_hash=row["content_hash"],
        epoch=row["epoch"],
        began_at=row["began_at"] or row["as_of"],
        read_at=row["read_at"],
        consistency=row["consistency"],
        memberships=row["memberships"],
    )


def _with_unreadable(customers: pl.DataFrame) -> pl.DataFrame:
    """Customers as an earlier version stored them, with the column that it did not have."""
    if "unreadable" in customers.columns:
        return customers
    nothing = pl.lit([], dtype=CUSTOMER_SCHEMA["unreadable"])
    return customers.with_columns(unreadable=nothing).select(KEPT)


def load(store: Store, club_id: str, row: SnapshotRow) -> Snapshot:
    """The snapshot of a row of sync.snapshot.

    :raises SnapshotUnreadable: its files are gone, broken, of another club, or not what was written.
    """
    if row["path"] != path_of(club_id, row["content_hash"]):
        raise _not_its_own(club_id, row)
    try:
        known = store.is_noted(row["path"], CUSTOMERS)
    except FileNotFoundError as error:
        raise SnapshotUnreadable(
            f"The stored snapshot {row['path']} is not there.",
            remedy="Sync the club again; if it lasts, check the disk or bucket of CLUBSYNC_SNAPSHOTS.",
        ) from error
    unclear = store.read(row["path"], CONFLICTING)
    if "shown" not in unclear.columns:  # an earlier version knew those only that are not shown
        unclear = unclear.with_columns(shown=pl.lit(False))
    snapshot = Snapshot(
        club=club_id,
        number=row["snapshot"],
        as_of=row["as_of"],
        certified=row["certified"],
        customers=_with_unreadable(store.read(row["path"], CUSTOMERS)),
        groups=store.read(row["path"], GROUPS),
        conflicting_ids=tuple(unclear.filter(~pl.col("shown"))["erp_id"]),
        ambiguous_ids=tuple(unclear.filter("shown")["erp_id"]),
        content_hash=row["content_hash"],
        path=row["path"],
        epoch=row["epoch"],
        began_at=row["began_at"],
        read_at=row["read_at"],
        consistency=row["consistency"],
        memberships=row["memberships"],
    )
    lacks_digest = store.ledger is not None and row["digested"] and not known
    if lacks_digest or (not known and not _is_whole(snapshot, row)):
        raise _not_its_own(club_id, row)
    return snapshot


def _is_whole(snapshot: Snapshot, row: SnapshotRow) -> bool:
    """Whether a snapshot without a digest has the content that its row names, less whoever was erased since."""
    customers = snapshot.customers
    if not customers["row_hash"].equals(row_hashes(customers)):
        return False
    if customers.height < row["customers"]:
        return True
    found = content_hash(customers, snapshot.groups, snapshot.conflicting_ids)
    return found == row["content_hash"]


def _not_its_own(club_id: str, row: SnapshotRow) -> SnapshotUnreadable:
    return SnapshotUnreadable(
        f"Snapshot {row['snapshot']} of {club_id} is not the one that was stored: its place or its content is another.",
        remedy="Nothing of it was used. Find out who writes to the database and to the snapshot store; then sync the "
        "club again.",
    )
