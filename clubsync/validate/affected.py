"""Which records a plan has to look at, and with whom: work proportional to change.

A record whose row hash did not change is not looked at again, unless its date has come (R3), it is held
(R15), or a neighbour changed: another record with the same email (R7), its owner or dependant (R8), its
predecessor or successor (R10), or a base customer with one of its emails (R1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from clubsync import emails
from clubsync.frames import Comparison, attach, compare
from clubsync.model import (
    ABSENT,
    BASE,
    CONFLICTING,
    FINDINGS,
    GONE,
    GROUP_LIST,
    MISSING,
    MOVED,
    PRESENCE,
    SEEN,
    SIGNS,
    UNSEEN,
    VANISHED,
    WITHOUT_ID,
    Affected,
    Basis,
    Policy,
    SnapshotHead,
)
from clubsync.store import record_index
from clubsync.store.database import Driver, fetch, queries
from clubsync.store.record_index import RECORD_INDEX
from clubsync.store.snapshots import KEPT, Snapshot
from clubsync.validate import automatic
from clubsync.validate.policy import policy_hash
from connectors.sdk import words
from connectors.sdk.chains import ELSEWHERE, UNLISTED
from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA

if TYPE_CHECKING:
    from clubsync.store.queries import ClubStateRow, WaitingUndosRow

#: The mirror's columns, as a plan needs them.
MIRROR: dict[str, Any] = {
    **{name: CUSTOMER_SCHEMA[name] for name in KEPT if name not in ("row_hash", "groups")},
    "groups": pl.String,
    "unreadable": pl.String,
    "remembered": pl.String,
    "email_norm": pl.String,
    "row_hash": pl.Int64,
    "as_of": pl.Datetime("us", "UTC"),
    "snapshot": pl.Int64,
    "gone": pl.Boolean,
    "access": pl.String,
    "lapsed": pl.Boolean,
    "former": pl.Boolean,
}
_BASE_ROW: dict[str, Any] = {
    **{
        n: t
        for n, t in BASE.items()
        if n not in ("groups", "keep", "undone", "awaits_email_of", "same_person")
    },
    "auto_groups": pl.List(pl.Int64),
}
#: What the query `erp_groups` gives. `key`: of the automatic group that the ERP group feeds; the id is null of an
#: automatic group that none feeds.
ERP_GROUPS = {
    **GROUP_SCHEMA,
    "listed": pl.Boolean(),
    "group_id": pl.Int64(),
    "key": pl.String(),
}
_SUSPICIONS = {**SIGNS, "snapshot": pl.Int64(), "read_at": pl.Datetime("us", "UTC")}
_SPANS = pl.List(pl.Struct({"id": pl.String, "valid_from": pl.String, "valid_until": pl.String}))


#: Base customer -> the ERP record that a person decided about, and its hash then (signed; null: gone).
Decided = Mapping[int, tuple[str | None, int | None]]
_NOBODY: Decided = MappingProxyType({})


def certified_version(state: ClubStateRow) -> tuple[datetime, int] | None:
    """The watermark: version of the last certified snapshot that was loaded (R16)."""
    if state["certified_as_of"] is None or state["certified_snapshot"] is None:
        return None
    return (state["certified_as_of"], state["certified_snapshot"])


def is_old(snapshot: SnapshotHead, state: ClubStateRow) -> bool:
    """R16: whether a newer certified snapshot was loaded already: then this one only fills the history."""
    if snapshot.epoch < state["epoch"]:
        return True
    mark = certified_version(state)
    return mark is not None and snapshot.version < mark


def is_unchanged(
    snapshot: SnapshotHead,
    state: ClubStateRow,
    policy_hash: str,
    today: date,
    *,
    rechecks: bool,
    held: bool,
) -> bool:
    """Whether nothing has changed since the last certified load: neither ERP, nor base, nor calendar."""
    return (
        snapshot.certified
        and state["content_hash"] == snapshot.content_hash
        and state["policy_hash"] == policy_hash
        and (state["next_recheck"] is None or state["next_recheck"] > today)
        and not rechecks
        and not held
    )


@dataclass(frozen=True)
class _Asked:
    """Records and emails to look at again, whatever their row hashes say: rechecks, held, suspected, or kept out.

    :param rechecks: the highest number of sync.recheck.
    :param confirmed: `SIGNS` that an earlier certified reading has shown, which had ended before this one began.
    :param merging: erp_ids of held customers who would be merged by an email (R15).
    """

    erp_ids: set[str]
    emails: set[str]
    rechecked: pl.Series
    rechecks: int
    confirmed: pl.DataFrame
    merging: frozenset[str]


def build(
    driver: Driver,
    club: int,
    snapshot: Snapshot,
    policy: Policy,
    state: ClubStateRow,
    *,
    everything: bool = False,
    keep: Decided = _NOBODY,
    undone: Decided = _NOBODY,
    same_person: Decided = _NOBODY,
    more: Iterable[str] = (),
) -> Affected:
    """Read what a plan for this snapshot needs; the records have no facts and no findings yet.

    :param driver: inside a transaction of this club.
    :param everything: look at every record, whatever its hash (another policy, a full review).
    :param keep: base customers to keep while their record stays the same (R15); `undone`, `same_person`: the same,
        where a person undid a change (R18), or said who it is (R1); `more`: erp_ids to look at besides.
    """
    stored = fetch(driver, queries().erp_groups, ERP_GROUPS, club=club)
    groups, changed, policy = _groups(snapshot, stored, policy)
    known, asked = record_index.read(driver, club), _asked(driver, club, snapshot.head, changed)
    seen = _without(snapshot.customers, newer := _unsaid(driver, club, known, snapshot))
    compared = compare(seen, known)
    if everything := everything or known.is_empty():
        ids, mirror, base_rows = _everything(driver, club)
    else:
        seeds = {*_seeds(snapshot, seen, compared, newer, policy, changed), *asked.erp_ids, *more}
        ids, mirror, base_rows = _closure(driver, club, seeds, asked.emails, seen, known)
    records = presented(ids, seen, mirror, snapshot, newer, asked.confirmed, stored, asked.merging)
    basis = Basis(
        snapshot=snapshot.head,
        policy=policy,
        policy_hash=policy_hash(policy),
        revision=state["revision"],
        everything=everything,
        rechecks=asked.rechecks,
        groups_changed=bool(changed) or everything or _feed_others(groups, stored, policy),
        conflicting_ids=snapshot.conflicting_ids,
        groups=groups,
        shown=_shown(compared.rows, known, None if everything else records, snapshot.certified),
        absent=compared.absent,
        newer=newer["erp_id"],
        unknown=_unknown(asked, records, snapshot.certified),
        record_index=known,
    )
    base = _decided(_base(base_rows, stored), records, keep, undone, same_person)
    signs = _with_arrived(driver, club, asked.confirmed, records)
    return Affected(basis, records, base, FINDINGS.to_frame(), signs)


def _groups(
    snapshot: Snapshot, stored: pl.DataFrame, policy: Policy
) -> tuple[pl.DataFrame, list[str], Policy]:
    """The groups in force, those that differ from before, and the policy with the configured ones that are absent."""
    groups, changed = groups_in_force(snapshot, stored)
    return groups, changed, with_absent_groups(policy, groups, snapshot.customers["groups"])


def _with_arrived(
    driver: Driver, club: int, confirmed: pl.DataFrame, records: pl.DataFrame
) -> pl.DataFrame:
    """R29: the signs that count, with those of records that every club which they name has taken over."""
    confirmed = confirmed.filter(pl.col("sign") != MOVED)
    away = records.filter(pl.col("status").is_in([ELSEWHERE, UNLISTED]))["erp_id"]
    if away.is_empty():
        return confirmed
    waiting = [row["erp_id"] for row in queries().moves_under_way(driver, club=club)]
    arrived = away.filter(~away.is_in(waiting))
    signs = pl.select(erp_id=arrived, sign=pl.lit(MOVED)).cast(SIGNS)
    return pl.concat([confirmed, signs])


def _shown(
    rows: pl.DataFrame, known: pl.DataFrame, records: pl.DataFrame | None, certified: bool
) -> pl.DataFrame:
    """What the snapshot shows of records that may change the record index (`Basis.shown`).

    :param rows: `frames.Comparison.rows`; in their order the rest of the sync costs less.
    :param known: the record index.
    :param records: the affected records; None: they are all that there is.
    :param certified: a partial snapshot leaves its mark on every record that it shows (R16).
    """
    marked = known.filter(pl.col("seen_as_of").is_not_null())["erp_id"]
    if certified and records is not None:
        concerned = pl.concat([records["erp_id"], marked])
        rows = rows.filter(
            pl.col("row_hash").ne_missing(pl.col("was"))
            | pl.col("erp_id").is_in(concerned.implode())
        )
    rows = rows.sort("erp_id")
    before = known.select("erp_id", "email_key")
    if rows.height < known.height:
        before = before.filter(pl.col("erp_id").is_in(rows["erp_id"].implode()))
    return attach(rows, before, "erp_id").with_columns(
        marked=pl.col("erp_id").is_in(marked.implode())
    )


@dataclass(frozen=True)
class Stored:
    """Records and their neighbours as they were last loaded; see `Affected` for the columns."""

    records: pl.DataFrame
    base: pl.DataFrame
    groups: pl.DataFrame


def as_stored(
    driver: Driver, club: int, erp_ids: Iterable[str] | None, keep: Decided, undone: Decided
) -> Stored:
    """What a plan would be made from if the ERP showed the same again.

    The record index is not read, which in a large club takes longer than all of this: records with access are
    found by an email of theirs only where a base customer has it.

    :param driver: inside a transaction of this club.
    :param erp_ids: the records in question, None: all; `keep`, `undone`: see `build`.
    """
    stored = fetch(driver, queries().erp_groups, ERP_GROUPS, club=club)
    if erp_ids is None:
        _, mirror, base_rows = _everything(driver, club)
    else:
        _, mirror, base_rows = _closure(
            driver, club, set(erp_ids), set(), CUSTOMER_SCHEMA.to_frame(), RECORD_INDEX.to_frame()
        )
    mirror = _parsed(mirror)
    presence = pl.when("gone").then(pl.lit(GONE)).otherwise(pl.lit(SEEN))
    records = mirror.with_columns(presence=presence.cast(PRESENCE)).select(*KEPT, "presence")
    records = attach(records, _mirrored(mirror), "erp_id")
    return Stored(
        records=records,
        base=_decided(_base(base_rows, stored), records, keep, undone, {}),
        groups=stored.filter("listed").select("id", "name", "active"),
    )


def _asked(driver: Driver, club: int, head: SnapshotHead, changed: list[str]) -> _Asked:
    """:param changed: groups that differ: those too whom a former group keeps out, which may be back, or gone (R3)."""
    rechecks = list(queries().rechecks(driver, club=club))
    held = list(queries().held_customers(driver, club=club))
    both = [*rechecks, *held]
    suspected = fetch(driver, queries().suspicions, _SUSPICIONS, club=club)
    earlier = (pl.col("read_at") <= head.began_at) & (pl.col("snapshot") != head.number)
    former = queries().former_records(driver, club=club) if changed else ()
    return _Asked(
        erp_ids={
            *(r["erp_id"] for r in both if r["erp_id"]),
            *suspected["erp_id"],
            *(r["erp_id"] for r in former),
        },
        emails={r["email"] for r in both if r["email"]},
        rechecked=pl.Series(
            "erp_id", [r["erp_id"] for r in rechecks if r["erp_id"]], dtype=pl.String
        ),
        rechecks=max((r["recheck"] for r in rechecks), default=0),
        confirmed=suspected.filter(earlier & pl.lit(head.certified)).select(SIGNS.names()),
        merging=frozenset(r["erp_id"] for r in held if r["erp_id"] and r["by_email"]),
    )


def _unknown(asked: _Asked, records: pl.DataFrame, certified: bool) -> pl.Series:
    """Records on the list of rechecks of which nothing is known any more, of a certified snapshot: erp_ids."""
    if asked.rechecked.is_empty() or not certified:
        return asked.rechecked.clear()
    return asked.rechecked.filter(~asked.rechecked.is_in(records["erp_id"].implode()))


def _everything(driver: Driver, club: int) -> tuple[None, pl.DataFrame, pl.DataFrame]:
    """All records, as `_closure` returns some."""
    mirror = fetch(driver, queries().all_records, MIRROR, club=club)
    return None, mirror, fetch(driver, queries().all_customers, _BASE_ROW, club=club)


def _without(seen: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """What the snapshot shows, but for the records that a newer one has shown."""
    if newer.is_empty():
        return seen
    return seen.join(newer.select("erp_id"), on="erp_id", how="anti", maintain_order="left")


def _newer_than(known: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """R16: records that a newer partial snapshot has shown; this one does not change them."""
    as_of, number = pl.lit(snapshot.as_of).cast(RECORD_INDEX["seen_as_of"]), snapshot.number
    later = (pl.col("seen_as_of") > as_of) | (
        (pl.col("seen_as_of") == as_of) & (pl.col("seen_snapshot") > number)
    )
    return known.filter(later.fill_null(False))


def _lost_their_id(
    driver: Driver, club: int, known: pl.DataFrame, snapshot: Snapshot, newer: pl.DataFrame
) -> pl.DataFrame:
    """R14: absent records that a row without an id may be, by email, name or phone: nothing is said of them.

    :returns: rows of the record index.
    """
    rows = snapshot.customers.filter(pl.col("erp_id").str.starts_with(WITHOUT_ID))
    if rows.is_empty() or not snapshot.certified:
        return known.clear()
    there = pl.concat([snapshot.customers["erp_id"], newer["erp_id"]])
    absent = known.filter(
        ~pl.col("erp_id").is_in(there.implode()) & ~pl.col("erp_id").str.starts_with(WITHOUT_ID)
    )
    if absent.is_empty():
        return absent
    was = fetch(driver, queries().records_by_id, MIRROR, club=club, ids=absent["erp_id"].to_list())
    theirs = emails.evaluate(rows["email"])["email_norm"].drop_nulls()
    named = pl.concat_str(
        [words.key(pl.col(name)).fill_null("") for name in ("first_name", "last_name")],
        separator="\x1f",
    )
    names = rows.select(named).to_series()
    nameless = pl.lit("\x1f")
    phones = rows["phone"].drop_nulls()
    maybe = was.filter(
        ~pl.col("gone")
        & (
            pl.col("email_norm").is_in(theirs.implode()).fill_null(False)
            | (named.is_in(names.implode()) & (named != nameless))
            | pl.col("phone").is_in(phones.implode()).fill_null(False)
        )
    )
    return absent.filter(pl.col("erp_id").is_in(maybe["erp_id"].implode()))


def _unsaid(driver: Driver, club: int, known: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """Records of which this snapshot may say nothing: rows of the record index."""
    newer = _newer_than(known, snapshot)
    return pl.concat([newer, _lost_their_id(driver, club, known, snapshot, newer)])


def groups_in_force(snapshot: Snapshot, stored: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """R14: a group's state, or its absence, counts from a certified snapshot only; a new group from any.

    :returns: the groups in force, and the ids of those that differ from what is stored.
    """
    known = stored.filter("listed").select("id", "name", "active")
    if snapshot.certified:
        now = snapshot.groups
    else:
        now = pl.concat([known, snapshot.groups.join(known, on="id", how="anti")])
    both = now.join(known, on="id", how="full", suffix="_was", coalesce=True, nulls_equal=True)
    there, was = now["id"].implode(), known["id"].implode()
    differs = both.filter(
        pl.col("name").ne_missing(pl.col("name_was"))
        | pl.col("active").ne_missing(pl.col("active_was"))
        | (pl.col("id").is_in(there) != pl.col("id").is_in(was))
    )
    return now, differs["id"].to_list()


def _feed_others(groups: pl.DataFrame, stored: pl.DataFrame, policy: Policy) -> bool:
    """R4: whether ERP groups feed other automatic groups than they did."""
    was = stored.select("id", was="key")
    both = automatic.feeds(groups, policy).join(was, on="id", how="left")
    return bool(both.select(pl.col("key").ne_missing(pl.col("was")).any()).item())


def with_absent_groups(policy: Policy, groups: pl.DataFrame, held: pl.Series) -> Policy:
    """The policy, with the groups that it names and that are not there (R3); see `absent_groups`."""
    return replace(
        policy,
        absent_groups=absent_groups(policy.former_groups, groups, held),
        absent_access_groups=absent_groups(policy.access_groups, groups, held),
    )


def absent_groups(
    configured: Iterable[str], groups: pl.DataFrame, held: pl.Series
) -> frozenset[str]:
    """R3: the configured groups that are not there, neither by id nor by name.

    :param groups: the groups in force: id, name.
    :param held: lists of the groups that records hold (`GROUP_LIST`), also those that the ERP does not list.
    """
    configured = list(configured)
    if not configured:
        return frozenset()
    there = {*words.keys(groups["id"]), *words.keys(groups["name"])}
    missing = [name for name in configured if words.word(name) not in there]
    if missing and len(held):
        ids = held.explode().struct.field("id").drop_nulls().unique()
        there |= set(words.keys(ids))
    return frozenset(name for name in missing if words.word(name) not in there)


def _kept_out(records: pl.DataFrame, listed: pl.Series) -> pl.Series:
    """R3: whether a former group kept each record out, and it has not moved to another group since.

    It has where it holds none of its groups any more, but another that the ERP listed before: a group that is new may
    be the former group under another name.

    :param listed: ids of the groups that the ERP listed before.
    :returns: Boolean, in order, never null.
    """
    former = records["m_former"].fill_null(False)
    rows = former.arg_true()
    if rows.is_empty():
        return former

    def held(column: str) -> pl.DataFrame:
        spans = pl.DataFrame({"row": rows, "id": records[column].gather(rows)}).explode("id")
        return spans.drop_nulls("id").select("row", pl.col("id").struct.field("id"))

    now, before = held("groups"), held("m_groups")
    stays = now.join(before, on=["row", "id"], how="semi")["row"]
    joined = now.filter(pl.col("id").is_in(listed.implode()))
    joined = joined.join(before, on=["row", "id"], how="anti")
    moved = rows.is_in(joined["row"].implode()) & ~rows.is_in(stays.implode())
    return former.scatter(rows, ~moved)


def _seeds(
    snapshot: Snapshot,
    seen: pl.DataFrame,
    compared: Comparison,
    newer: pl.DataFrame,
    policy: Policy,
    changed_groups: list[str],
) -> set[str]:
    """The records that changed, whatever their neighbours did: erp_ids."""
    due = (pl.col("next_date") <= policy.today).fill_null(False)
    moved = pl.col("row_hash").ne_missing(pl.col("was"))
    parts = [compared.rows.filter(moved | due)["erp_id"]]
    if snapshot.certified:
        parts.append(compared.absent.filter(~compared.absent.is_in(newer["erp_id"].implode())))
    if changed_groups:
        member = (
            pl.col("groups")
            .list.eval(pl.element().struct.field("id").is_in(changed_groups))
            .list.any()
        )
        parts.append(seen.filter(member)["erp_id"])
    parts.append(pl.Series("erp_id", snapshot.conflicting_ids, dtype=pl.String))
    return set(pl.concat(parts).to_list())


def _closure(
    driver: Driver,
    club: int,
    seeds: set[str],
    addresses: set[str],
    seen: pl.DataFrame,
    known: pl.DataFrame,
) -> tuple[set[str], pl.DataFrame, pl.DataFrame]:
    """The seeds and all that their decision touches, until no record is added.

    :param seeds: erp_ids.
    :param addresses: normalised emails to start from besides.
    :param seen: the customers that the snapshot shows.
    :param known: the club's record index.
    :returns: erp_ids; their rows of the mirror (`MIRROR`); the base customers in question (`_BASE_ROW`).
    """
    ids, done = set(seeds), set[str]()
    mirror = pl.DataFrame(schema=MIRROR)
    base = pl.DataFrame(schema=_BASE_ROW)
    fresh_ids, fresh_emails = set(ids), set(addresses)
    while fresh_ids or fresh_emails:
        new = list(fresh_ids)
        found = fetch(driver, queries().records_by_id, MIRROR, club=club, ids=new)
        now = seen.filter(pl.col("erp_id").is_in(new))
        mirror = pl.concat([mirror, found])
        fresh_emails = (fresh_emails | _emails(found, now)) - done
        rows = fetch(
            driver,
            queries().customers_by_record,
            _BASE_ROW,
            club=club,
            ids=new,
            emails=list(fresh_emails),
        )
        base = pl.concat([base, rows]).unique("customer", keep="first", maintain_order=True)
        also = set(rows["email"].drop_nulls()) - done - fresh_emails
        done |= fresh_emails
        # whose base customer has one of these emails: `rows` says
        related = related_ids(
            driver, club, known, new, [*fresh_emails, *also], beside=ids, base_emails=()
        )
        fresh_emails = also
        fresh_ids = {*related, *_linked(found, now), *rows["erp_id"].drop_nulls()} - ids
        ids |= fresh_ids
    return ids, mirror, base


def _emails(found: pl.DataFrame, now: pl.DataFrame) -> set[str]:
    """The normalised emails of records, as the mirror has them and as the snapshot shows them."""
    known = set(found["email_norm"].drop_nulls())
    if now.is_empty():
        return known
    return known | set(emails.evaluate(now["email"])["email_norm"].drop_nulls())


def _linked(*frames: pl.DataFrame) -> set[str]:
    """The guardians (R8) and successors (R10) that records name."""
    columns = ("guardian_id", "replaced_by")
    return {erp_id for frame in frames for name in columns for erp_id in frame[name].drop_nulls()}


def related_ids(
    driver: Driver,
    club: int,
    known: pl.DataFrame,
    ids: list[str],
    addresses: list[str],
    *,
    beside: Collection[str] = (),
    base_emails: Collection[str] | None = None,
) -> list[str]:
    """Records that share one of these emails, or are linked with one of these ids.

    :param known: the club's record index.
    :param beside: records that are known to be in question, of which nothing is asked.
    :param base_emails: of these emails it is asked whose base customer has them; None: of all.
    """
    candidates = record_index.by_email(known, addresses)
    found = queries().related_ids(
        driver,
        club=club,
        ids=ids,
        emails=addresses,
        candidates=[erp_id for erp_id in candidates if erp_id not in beside],
        base_emails=addresses if base_emails is None else list(base_emails),
    )
    return [row["erp_id"] for row in found]


def _spans(column: str) -> pl.Expr:
    element = pl.element().struct
    return (
        pl.col(column)
        .str.json_decode(_SPANS)
        .list.eval(
            pl.struct(
                element.field("id"),
                element.field("valid_from").str.to_date("%Y-%m-%d"),
                element.field("valid_until").str.to_date("%Y-%m-%d"),
            )
        )
        .cast(GROUP_LIST)
    )


def presented(
    ids: Iterable[str] | None,
    seen: pl.DataFrame,
    mirror: pl.DataFrame,
    snapshot: Snapshot,
    newer: pl.DataFrame,
    confirmed: pl.DataFrame,
    stored: pl.DataFrame,
    merging: Collection[str] = (),
) -> pl.DataFrame:
    """Each record as this snapshot shows it, else as the mirror has it; and the mirror's side.

    :param ids: the records to take of what the snapshot shows; None: all.
    :param seen: the customers that the snapshot shows.
    :param mirror: `MIRROR`.
    :param newer: records that a newer partial snapshot has shown (R16).
    :param confirmed: `SIGNS` that an earlier certified reading has shown (R14).
    :param stored: the groups that the ERP listed before: id, listed.
    :param merging: erp_ids of records that vanished and whose merge is held (R15): they vanish until it is decided.
    :returns: `snapshots.KEPT`, `presence`, `ambiguous` (no key tells it from another, R1), and the mirror's columns as
        `m_*` (null where it has no such record, `m_known` false).
    """
    mirror = _parsed(mirror)
    here = seen.with_columns(presence=pl.lit(SEEN, dtype=PRESENCE))
    if ids is not None:
        here = here.filter(pl.col("erp_id").is_in(list(ids)))
    others = mirror.join(here, on="erp_id", how="anti") if mirror.height else mirror
    others = others.with_columns(presence=_presence(snapshot, newer, confirmed, merging))
    parts = [here.select(*KEPT, "presence")]
    if others.height:
        parts.append(others.select(*KEPT, "presence"))
    known = set(others["erp_id"])
    if unknown := [i for i in snapshot.conflicting_ids if i not in known]:
        parts.append(_conflicting(unknown))
    records = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
    records = attach(records.select(*KEPT, "presence"), _mirrored(mirror), "erp_id")
    return _as_last_read(records).with_columns(
        pl.col("m_known").fill_null(False),
        ambiguous=(pl.col("presence") == SEEN) & pl.col("erp_id").is_in(snapshot.ambiguous_ids),
        m_former=_kept_out(records, stored.filter("listed")["id"]),
    )


#: Fields that keep the value that could be read last, while theirs cannot be (R3).
_STAYING = (
    *("first_name", "last_name", "phone", "birth_date", "created_at"),
    *("guardian_id", "replaced_by"),
)


def _as_last_read(records: pl.DataFrame) -> pl.DataFrame:
    """R3: a field that cannot be read changes nothing: it has the mirror's value, until it can be."""
    if not records["unreadable"].list.len().sum():
        return records
    odd = pl.col("unreadable").list.eval(pl.element().struct.field("field"))
    return records.with_columns(
        pl.when(odd.list.contains(name)).then(f"m_{name}").otherwise(name).alias(name)
        for name in _STAYING
    )


def _parsed(mirror: pl.DataFrame) -> pl.DataFrame:
    """The mirror's rows in the types of a snapshot."""
    return mirror.with_columns(
        _spans("groups"),
        _spans("remembered"),
        _unreadable(mirror),
        pl.col("row_hash").reinterpret(signed=False),
    )


def _unreadable(mirror: pl.DataFrame) -> pl.Expr:
    kind = CUSTOMER_SCHEMA["unreadable"]
    if (mirror["unreadable"] == "[]").all():
        return pl.lit([], dtype=kind).alias("unreadable")
    return pl.col("unreadable").str.json_decode(kind)


def _presence(
    snapshot: Snapshot, newer: pl.DataFrame, confirmed: pl.DataFrame, merging: Collection[str]
) -> pl.Expr:
    """How a snapshot stands to the mirror's records that it does not show."""
    erp_id = pl.col("erp_id")
    absent = confirmed.filter(pl.col("sign") == ABSENT)["erp_id"]
    proved = pl.lit(snapshot.head.proof.absence) | erp_id.is_in(absent.implode())
    again = erp_id.is_in(list(merging)) & pl.lit(snapshot.certified)
    return (
        pl.when(erp_id.is_in(list(snapshot.conflicting_ids)))
        .then(pl.lit(CONFLICTING))
        .when(erp_id.is_in(newer["erp_id"].implode()))
        .then(pl.lit(UNSEEN))
        .when(pl.col("gone") & ~again)
        .then(pl.lit(GONE))
        .when(not snapshot.certified)
        .then(pl.lit(UNSEEN))
        .when(proved)
        .then(pl.lit(VANISHED))
        .otherwise(pl.lit(MISSING))
        .cast(PRESENCE)
    )


def _conflicting(ids: list[str]) -> pl.DataFrame:
    """Records that came several times with different content and that the mirror does not have."""
    return pl.DataFrame({"erp_id": ids}).with_columns(
        status=pl.lit("unknown"),
        groups=pl.lit([], dtype=GROUP_LIST),
        unreadable=pl.lit([], dtype=CUSTOMER_SCHEMA["unreadable"]),
        is_company=False,
        placeholder=False,
        row_hash=pl.lit(0, dtype=pl.UInt64),
        presence=pl.lit(CONFLICTING, dtype=PRESENCE),
    )


def _mirrored(mirror: pl.DataFrame) -> pl.DataFrame:
    """The mirror's side of the records: erp_id, and the rest as `m_*`."""
    names = (
        "email_norm",
        "first_name",
        "last_name",
        "phone",
        "birth_date",
        "guardian_id",
        "replaced_by",
        "created_at",
        "groups",
        "remembered",
        "row_hash",
        "gone",
        "access",
        "lapsed",
        "former",
    )
    return mirror.select(
        "erp_id", m_known=pl.lit(True), **{f"m_{name}": pl.col(name) for name in names}
    )


def _decided(
    base: pl.DataFrame, records: pl.DataFrame, keep: Decided, undone: Decided, same_person: Decided
) -> pl.DataFrame:
    """`BASE`, with what people decided of the customers whose record is still the one they decided about."""
    return base.with_columns(
        keep=_still(base, records, keep).is_not_null(),
        undone=_still(base, records, undone),
        same_person=_still(base, records, same_person),
    )


def with_waiting(found: Affected, waiting: Iterable[WaitingUndosRow]) -> Affected:
    """What was read, with the customers whose undo waits for another's email (R18), while their record is the same."""
    waiting = list(waiting)
    holders = {row["customer"]: row["holder"] for row in waiting if row["holder"] is not None}
    if not holders:
        return found
    decided = {row["customer"]: (row["erp_id"], row["row_hash"]) for row in waiting}
    still = _still(found.base, found.records, decided).is_not_null()
    holder = pl.col("customer").replace_strict(holders, default=None, return_dtype=pl.Int64)
    return replace(found, base=found.base.with_columns(awaits_email_of=pl.when(still).then(holder)))


def _still(base: pl.DataFrame, records: pl.DataFrame, decided: Decided) -> pl.Series:
    """For each base customer the record that a person decided about, where it is still the same; else null.

    :returns: String, in the order of `base`.
    """
    if not decided:
        return pl.Series([None] * base.height, dtype=pl.String)
    asked = pl.DataFrame(
        [(customer, *about) for customer, about in decided.items()],
        schema={"customer": pl.Int64, "about": pl.String, "then": pl.Int64},
        orient="row",
    )
    present = ~pl.col("presence").is_in([VANISHED, GONE])
    now = records.filter(present).select(
        about="erp_id", now=pl.col("row_hash").reinterpret(signed=True)
    )
    marked = base.join(asked, on="customer", how="left", maintain_order="left").join(
        now, on="about", how="left", maintain_order="left"
    )
    moved = (pl.col("erp_id") != pl.col("about")).fill_null(False)
    same = pl.col("then").eq_missing(pl.col("now")) & ~moved
    return marked.select(pl.when(same).then("about")).to_series()


def _base(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Base rows with the keys of their automatic groups."""
    names = (
        stored.drop_nulls(("group_id", "key")).select("group_id", group="key").unique("group_id")
    )
    groups = (
        rows.select("customer", group_id="auto_groups")
        .filter(pl.col("group_id").list.len() > 0)
        .explode("group_id")
        .join(names, on="group_id", how="inner")
        .group_by("customer")
        .agg(groups=pl.col("group").sort())
    )
    return (
        rows.join(groups, on="customer", how="left", maintain_order="left")
        .with_columns(
            pl.col("groups").fill_null(pl.lit([], dtype=pl.List(pl.String))),
            keep=False,
            undone=pl.lit(None, dtype=pl.String),
            awaits_email_of=pl.lit(None, dtype=pl.Int64),
            same_person=pl.lit(None, dtype=pl.String),
        )
        .select(BASE.names())
        .cast(BASE)
    )
