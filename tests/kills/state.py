"""What is stored, in a form that two histories can be compared by: ids of runs and gaps in numbers aside."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg.rows import dict_row

from clubsync.store.ledger import UNFINISHED, digest

#: Who made a row, how often somebody tried, and what PostgreSQL's own clock says: no part of the result.
_LEFT_OUT = {
    *("run", "closed_run", "plan", "revision", "hash_key"),
    *("deleted_by", "deleted_at", "files", "digests"),
}
#: Tables about the runs themselves, and about files: what is there at the end is compared with these (`unknown_files`).
#: The feed has an entry for each run, with a mark drawn by lot.
_OF_RUNS = {"sync.run", "sync.plan", "sync.stored_file", "sync.feed", "sync.feed_head"}
#: Numbers from a sequence, which is not rolled back: column -> what it numbers.
_NUMBERS = {
    "customer": "customer",
    "group_id": "group",
    "auto_groups": "group",
    "snapshot": "snapshot",
    "certified_snapshot": "snapshot",
    "last_snapshot": "snapshot",
    "linked_user": "user",
    "user_id": "user",
    "request_id": "request",
    "change": "change",
    "finding": "finding",
    "recheck": "recheck",
    "hold": "hold",
    "nudge": "nudge",
    "incident": "incident",
    "erasure": "erasure",
    "act": "act",
    "club": "club",
}
Rows = dict[str, list[str]]
Ranks = dict[str, dict[int, Any]]
People = dict[str, dict[str, tuple[bool, str | None]]]


def tables(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the schemas base and sync."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as driver:
        names = driver.execute(
            "select table_schema || '.' || table_name as name from information_schema.tables"
            " where table_schema in ('base', 'sync') and table_type = 'BASE TABLE' order by 1"
        ).fetchall()
        return {
            row["name"]: driver.execute(f"select * from {row['name']}").fetchall() for row in names
        }


def snapshots(url: str) -> dict[int, str]:
    """What was read, by the snapshot's number: the same reading, stored by two runs, is one."""
    with psycopg.connect(url, autocommit=True) as driver:
        if driver.execute("select to_regclass('sync.snapshot')").fetchone() == (None,):
            return {}
        rows = driver.execute("select snapshot, content_hash, as_of from sync.snapshot").fetchall()
        return {number: f"{content[:8]} of {as_of}" for number, content, as_of in rows}


def rows(
    url: str,
    *,
    read: Mapping[int, str] | None = None,
    times: bool = True,
    numbers: bool = True,
) -> Rows:
    """Every row as text, sorted, with ranks in place of numbers.

    :param read: `snapshots` as they were before upkeep deleted some.
    :param times: False: when something happened is left out, and by which reading.
    :param numbers: False: so is in which order it was written down.
    """
    found = {name: rows for name, rows in tables(url).items() if name not in _OF_RUNS}
    known: dict[str, set[int]] = {}
    for table in found.values():
        for row in table:
            for name, kind in _NUMBERS.items():
                known.setdefault(kind, set()).update(_numbers(row.get(name)))
    ranks: Ranks = {
        kind: {n: at for at, n in enumerate(sorted(all_))} for kind, all_ in known.items()
    }
    gone = dict.fromkeys(ranks.get("snapshot", ()), "gone")
    ranks["snapshot"] = gone | {**(read or {})} | snapshots(url)
    if not times:
        # which reading answers a nudge is a question of clocks
        found.pop("sync.nudge", None)
        found["sync.change_hour"] = _summed(found.get("sync.change_hour", []))
        ranks["snapshot"] = dict.fromkeys(ranks["snapshot"], "any")
    if not numbers:
        for kind in ("change", "finding", "recheck", "hold", "nudge"):
            ranks[kind] = dict.fromkeys(ranks.get(kind, ()), 0)
        for row in found.get("sync.club_state", ()):
            # a reading had who was erased meanwhile, or had them no more when it was loaded
            del row["certified_rows"]
        # retention removes the rows of folders that no snapshot is in, an hour after they were made
        used = {row["path"] for row in found.get("sync.snapshot", ())}
        found["sync.folder"] = [r for r in found.get("sync.folder", ()) if r["path"] in used]
    told = {
        name: sorted(_text(row, ranks, times) for row in table) for name, table in found.items()
    }
    if "sync.snapshot" in told:
        told["sync.snapshot"] = sorted(set(told["sync.snapshot"]))
    return told


def _summed(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes by club and kind, whatever the hour."""
    sums: Counter[tuple[int, str]] = Counter()
    for row in hours:
        sums[row["club"], row["kind"]] += row["changes"]
    return [{"club": club, "kind": kind, "changes": n} for (club, kind), n in sums.items()]


def _numbers(value: Any) -> Iterable[int]:
    if isinstance(value, list):
        return value
    return () if value is None else (value,)


def _text(row: dict[str, Any], ranks: Ranks, times: bool = True) -> str:
    parts = {}
    for name, value in row.items():
        if name in _LEFT_OUT or (isinstance(value, datetime) and not times):
            continue
        if name == "vector":
            parts[name] = _index(value)
        elif name == "message_id":
            parts[name] = re.sub(r"snapshot \d+", "snapshot", value)
        elif name == "path" and value is not None:
            parts[name] = re.sub(r"/runs/\d+", "/runs/n", value)
        elif name in _NUMBERS and isinstance(value, list):
            parts[name] = sorted(ranks[_NUMBERS[name]][n] for n in value)
        elif name in _NUMBERS and value is not None:
            parts[name] = ranks[_NUMBERS[name]][value]
        else:
            parts[name] = value
    return json.dumps(parts, default=str, sort_keys=True, ensure_ascii=False)


def _index(packed: bytes) -> Any:
    return pl.read_ipc(io.BytesIO(packed)).drop("seen_snapshot").rows()


def people(url: str, known: Collection[int] = ()) -> People:
    """Club id -> record or email -> whether inside, and the email.

    :param known: customers who go by their number instead: they may have lost their record.
    """
    with psycopg.connect(url, autocommit=True) as driver:
        if driver.execute("select to_regclass('base.customer')").fetchone() == (None,):
            return {}
        found: People = {}
        for club, key, inside, email in driver.execute(
            "select club_id, case when customer = any(%s) then '#' || customer"
            " else coalesce(erp_id, email, '#' || customer) end, in_customers_group, email"
            " from base.customer join base.club using (club)",
            [list(known)],
        ):
            found.setdefault(club, {})[key] = (inside, email)
        return found


def numbers(url: str) -> list[int]:
    """The base customers of all clubs."""
    with psycopg.connect(url, autocommit=True) as driver:
        if driver.execute("select to_regclass('base.customer')").fetchone() == (None,):
            return []
        return [n for (n,) in driver.execute("select customer from base.customer").fetchall()]


def unfinished(url: str) -> list[int]:
    """Runs that are still said to be running."""
    with psycopg.connect(url, autocommit=True) as driver:
        rows = driver.execute("select run from sync.run where state = 'running'").fetchall()
    return [run for (run,) in rows]


# --- files --------------------------------------------------------------------------------------


def files(folder: Path) -> Counter[str]:
    """Every stored file: its name without the number of its run, and what is in it."""
    found: Counter[str] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            if not any(path.iterdir()):
                found[f"{_name(path, folder)}/ (empty)"] += 1
            continue
        name = _name(path, folder)
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            name += f" {frame.sort(frame.columns[0]).rows() if frame.width else ''}"
        found[name] += 1
    return found


def unknown_files(url: str, folder: Path) -> list[str]:
    """Stored files that are not as they were written, by their digests (R21), and digests of no file."""
    with psycopg.connect(url, autocommit=True) as driver:
        rows = driver.execute("select path || '/' || name, digests from sync.stored_file")
        digests: dict[str, list[str]] = dict(rows.fetchall())
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file())
    names = {str(p.relative_to(folder)): p for p in paths}
    changed = [
        name
        for name, path in names.items()
        if not name.startswith(UNFINISHED)
        and digest(path.read_bytes()) not in digests.get(name, ())
    ]
    return changed + sorted(f"{name}, which is not there" for name in digests.keys() - names.keys())


def _name(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).parts
    kept = [re.sub(r"\d+", "n", p) if "runs" in parts or ".part" in p else p for p in parts]
    return "/".join(kept)


def traces(url: str, folder: Path, words: Iterable[str]) -> list[str]:
    """Where one of these words stands: tables, and files whatever they are packed in."""
    wanted = [word.casefold() for word in words]

    def says(text: str) -> bool:
        folded = text.casefold()
        return any(word in folded for word in wanted)

    found = [
        name
        for name, table in tables(url).items()
        if any(says(_text(row, _Any())) for row in table)
    ]
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return found + [_name(p, folder) for p in paths if any(says(text) for text in _texts(p))]


class _Any(dict[str, dict[int, Any]]):
    """Ranks that leave numbers as they are."""

    def __missing__(self, key: str) -> dict[int, int]:
        return _Same()


class _Same(dict[int, Any]):
    def __missing__(self, key: int) -> int:
        return key


def _texts(path: Path) -> Iterator[str]:
    raw = path.read_bytes()
    yield raw.decode("utf-8", "ignore")
    if path.suffix == ".parquet" or ".parquet." in path.name:
        try:
            yield str(pl.read_parquet(path).rows())
        except pl.exceptions.PolarsError:
            pass  # half a file: its bytes were looked at
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                data = archive.read(member)
                yield (
                    str(pl.read_ipc_stream(data).rows())
                    if member.endswith(".arrows")
                    else data.decode()
                )


# --- comparing ----------------------------------------------------------------------------------


def differences(found: Rows, wanted: Rows) -> list[str]:
    """What one has and the other has not, table by table."""
    told = []
    for table in sorted(found | wanted):
        ours, theirs = Counter(found.get(table, ())), Counter(wanted.get(table, ()))
        told += [f"{table}: too many: {row[:2000]}" for row in ours - theirs]
        told += [f"{table}: missing: {row[:2000]}" for row in theirs - ours]
    return told
