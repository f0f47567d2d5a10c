"""Which records a plan has to look at, and with whom: work proportional to change.

A record whose row hash did not change is not looked at again, unless its date has come (R3), it is held
(R15), or a neighbour changed: another record with the same email (R7), its owner or dependant (R8), its
predecessor or successor (R10), or a base customer with one of its emails (R1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import polars as pl

from clubsync import emails
from clubsync.frames import Comparison, attach, compare
from clubsync.marks import ONE_CLUB, Marks
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
from clubsync.validate.joint import Joint
from clubsync.validate.policy import policy_hash
from clubsync.validate.source import MIRROR, Batch, OneClub, Source
from connectors.sdk import words
from connectors.sdk.chains import ELSEWHERE, UNLISTED
from connectors.sdk.model import CUSTOMER_SCHEMA, GROUP_SCHEMA

if TYPE_CHECKING:
    from clubsync.store.queries import (
        ClubStateRow,
        HeldCustomersRow,
        RechecksRow,
        WaitingUndosRow,
    )

#: What the query `erp_groups` gives. `key`: of the automatic group that the ERP group feeds; the id is null of an
#: automatic group that none feeds.
ERP_GROUPS = {
    **GROUP_SCHEMA,
    "listed": pl.Boolean(),
    "group_id": pl.Int64(),
    "key": pl.String(),
}
SUSPICIONS_READ = {**SIGNS, "snapshot": pl.Int64(), "read_at": pl.Datetime("us", "UTC")}
_SPANS = pl.List(pl.Struct({"id": pl.String, "valid_from": pl.String, "valid_until": pl.String}))


#: Base customer -> the ERP record that a person decided about, and its hash then (signed; null: gone).
Decided = Mapping[int, tuple[str | None, int | None]]
NOBODY: Decided = MappingProxyType({})


def nobody() -> Decided:
    """Nothing was decided of anybody."""
    return NOBODY


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

    :param rechecked: the records of sync.recheck.
    :param confirmed: `SIGNS` that an earlier certified reading has shown, which had ended before this one began.
    :param merging: erp_ids of held customers who would be merged by an email (R15).
    """

    erp_ids: set[str]
    emails: set[str]
    rechecked: pl.Series
    confirmed: pl.DataFrame
    merging: frozenset[str]


@dataclass(frozen=True)
class Club:
    """What is known of a club before its affected records are looked for.

    :param number: base.club.club.
    :param revision: of the base, read before all of the rest.
    :param stored: `ERP_GROUPS`; index: `RECORD_INDEX`.
    :param rechecks, held, suspicions: rows of the queries `rechecks`, `held_customers` and `suspicions`.
    :param everything: look at every record, whatever its hash (another policy, a full review).
    :param keep: base customers to keep while their record stays the same (R15); `undone`, `same_person`: the same,
        where a person undid a change (R18), or said who it is (R1); `more`: erp_ids to look at besides.
    """

    number: int
    snapshot: Snapshot
    policy: Policy
    revision: int
    stored: pl.DataFrame
    index: pl.DataFrame
    rechecks: Sequence[RechecksRow]
    held: Sequence[HeldCustomersRow]
    suspicions: pl.DataFrame
    everything: bool = False
    keep: Decided = field(default_factory=nobody)
    undone: Decided = field(default_factory=nobody)
    same_person: Decided = field(default_factory=nobody)
    more: Sequence[str] = ()


def build(
    driver: Driver,
    club: int,
    snapshot: Snapshot,
    policy: Policy,
    state: ClubStateRow,
    *,
    everything: bool = False,
    keep: Decided = NOBODY,
    undone: Decided = NOBODY,
    same_person: Decided = NOBODY,
    more: Iterable[str] = (),
) -> Affected:
    """Read what a plan for this snapshot needs; the records have no facts and no findings yet.

    :param driver: inside a transaction of this club.
    :param everything, keep, undone, same_person, more: see `Club`.
    """
    sql = queries()
    one = Club(
        club,
        snapshot,
        policy,
        state["revision"],
        stored=fetch(driver, sql.erp_groups, ERP_GROUPS, club=club),
        index=record_index.read(driver, club),
        rechecks=list(sql.rechecks(driver, club=club)),
        held=list(sql.held_customers(driver, club=club)),
        suspicions=fetch(driver, sql.suspicions, SUSPICIONS_READ, club=club),
        everything=everything,
        keep=keep,
        undone=undone,
        same_person=same_person,
        more=list(more),
    )
    (found,) = _found(OneClub(driver, club), [one])
    return found


def build_all(driver: Driver, clubs: Sequence[Club]) -> list[Affected]:
    """`build` of several clubs at once, in order.

    :param driver: inside `Base.clubs`.
    """
    alike = dict[object, list[int]]()
    for n, club in enumerate(clubs):
        everything = club.everything or club.index.is_empty()
        proof, policy = club.snapshot.head.proof, club.policy
        alike.setdefault((proof, policy.today, everything), []).append(n)
    made = dict[int, Affected]()
    for places in alike.values():
        part = [clubs[n] for n in places]
        source: Source = Batch(driver, [club.number for club in part])
        if len(part) == 1:
            source = OneClub(driver, part[0].number)
        made |= zip(places, _found(source, part), strict=True)
    return [made[n] for n in range(len(clubs))]


def _found(source: Source, clubs: Sequence[Club]) -> list[Affected]:
    """:param clubs: one, or several whose snapshots prove the same, on one day, of which all or none are new."""
    joint, first = Joint(len(clubs)), clubs[0]
    snapshot = joint.snapshot([club.snapshot for club in clubs])
    stored = joint.joined([club.stored for club in clubs], ("id",))
    groups, changed = groups_in_force(snapshot, stored)
    known = joint.joined([club.index for club in clubs], ("erp_id",))
    unsaid = [_unsaid(source, n, club) for n, club in enumerate(clubs)]
    newer = joint.joined(unsaid, ("erp_id",))
    asked = _asked(joint, clubs, source.former_records(joint.with_any(changed)))
    seen = _without(snapshot.customers, newer)
    compared = compare(seen, known)
    if everything := first.everything or first.index.is_empty():
        ids, mirror, base_rows = None, source.all_records(), source.all_customers()
    else:
        seeds = _seeds(snapshot, seen, compared, newer, first.policy.today, changed, joint.marks)
        seeds |= {*asked.erp_ids, *joint.texts(club.more for club in clubs)}
        ids, mirror, base_rows = _closure(source, seeds, asked.emails, seen, known)
    records = presented(
        ids,
        seen,
        mirror,
        snapshot,
        newer,
        asked.confirmed,
        stored,
        asked.merging,
        marks=joint.marks,
    )
    basis = Basis(
        snapshot=snapshot.head,
        policy=first.policy,
        policy_hash="",
        revision=0,
        everything=everything,
        rechecks=0,
        groups_changed=bool(changed),
        conflicting_ids=(),
        groups=groups,
        shown=_shown(compared.rows, known, None if everything else records, snapshot.certified),
        absent=compared.absent,
        newer=newer["erp_id"],
        unknown=_unknown(asked, records, snapshot.certified),
    )
    base = _decided(_base(base_rows, stored), records, joint, clubs)
    signs = _with_arrived(source, asked.confirmed, records)
    together = Affected(basis, records, base, FINDINGS.to_frame(), signs)
    return _apart(joint, clubs, together, base_rows, changed)


_RECORD_NAMES = (
    *("erp_id", "guardian_id", "replaced_by"),
    *("m_email_norm", "m_guardian_id", "m_replaced_by"),
)


def _apart(
    joint: Joint,
    clubs: Sequence[Club],
    together: Affected,
    base_rows: pl.DataFrame,
    changed: list[str],
) -> list[Affected]:
    """What each club has of what was found together.

    :param base_rows: whose place says which club a base customer is of.
    :param changed: ids of the groups that differ from before.
    """
    basis, several = together.basis, joint.clubs > 1
    groups = joint.apart(basis.groups, ("id",))
    shown = joint.apart(basis.shown, ("erp_id",))
    absent, newer = joint.series_apart(basis.absent), joint.series_apart(basis.newer)
    unknown = joint.series_apart(basis.unknown)
    lists = ("groups", "m_groups", "m_remembered")
    records = joint.apart(together.records, _RECORD_NAMES, lists=lists)
    places = pl.lit(base_rows["place"]) if several else None
    names = ("erp_id", "email", "undone", "same_person")
    base = joint.apart(together.base, names, of=places)
    signs = joint.apart(together.confirmed, ("erp_id",))
    others = joint.with_any(changed)
    found = []
    for n, club in enumerate(clubs):
        its = _basis_of(club, basis, groups[n], changed=n in others)
        its = replace(its, shown=shown[n], absent=absent[n], newer=newer[n], unknown=unknown[n])
        found.append(Affected(its, records[n], base[n], together.findings, signs[n]))
    return found


def _basis_of(club: Club, basis: Basis, groups: pl.DataFrame, *, changed: bool) -> Basis:
    """A club's basis, but for the records that it is about.

    :param basis: of all clubs.
    :param groups: the club's.
    :param changed: whether some of them differ from before.
    """
    policy = with_absent_groups(club.policy, groups, club.snapshot.customers["groups"])
    feeds_others = changed or basis.everything or _feed_others(groups, club.stored, policy)
    return replace(
        basis,
        snapshot=club.snapshot.head,
        policy=policy,
        policy_hash=policy_hash(policy),
        revision=club.revision,
        rechecks=max((row["recheck"] for row in club.rechecks), default=0),
        groups_changed=feeds_others,
        conflicting_ids=club.snapshot.conflicting_ids,
        groups=groups,
        record_index=club.index,
    )


def _with_arrived(source: Source, confirmed: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """R29: the signs that count, with those of records that every club which they name has taken over."""
    confirmed = confirmed.filter(pl.col("sign") != MOVED)
    away = records.filter(pl.col("status").is_in([ELSEWHERE, UNLISTED]))["erp_id"]
    if away.is_empty():
        return confirmed
    arrived = away.filter(~away.is_in(source.moves_under_way()))
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
    source = OneClub(driver, club)
    if erp_ids is None:
        mirror, base_rows = source.all_records(), source.all_customers()
    else:
        _, mirror, base_rows = _closure(
            source, set(erp_ids), set(), CUSTOMER_SCHEMA.to_frame(), RECORD_INDEX.to_frame()
        )
    mirror = _parsed(mirror)
    presence = pl.when("gone").then(pl.lit(GONE)).otherwise(pl.lit(SEEN))
    records = mirror.with_columns(presence=presence.cast(PRESENCE)).select(*KEPT, "presence")
    records = attach(records, _mirrored(mirror), "erp_id")
    return Stored(
        records=records,
        base=_with_decisions(_base(base_rows, stored), records, keep, undone, NOBODY),
        groups=stored.filter("listed").select("id", "name", "active"),
    )


def _asked(joint: Joint, clubs: Sequence[Club], former: Iterable[str]) -> _Asked:
    """:param former: records whom a former group keeps out, where groups differ: they may be back, or gone (R3)."""
    rechecked = [[r["erp_id"] for r in club.rechecks if r["erp_id"]] for club in clubs]
    held = [[r["erp_id"] for r in club.held if r["erp_id"]] for club in clubs]
    emails_of = [[r["email"] for r in (*club.rechecks, *club.held) if r["email"]] for club in clubs]
    merging = [[r["erp_id"] for r in club.held if r["erp_id"] and r["by_email"]] for club in clubs]
    suspected = joint.joined([club.suspicions for club in clubs], ("erp_id",))
    confirmed = joint.joined([_confirmed(club) for club in clubs], ("erp_id",))
    asked = joint.texts(rechecked)
    return _Asked(
        erp_ids={*asked, *joint.texts(held), *suspected["erp_id"], *former},
        emails=set(joint.texts(emails_of)),
        rechecked=pl.Series("erp_id", asked, dtype=pl.String),
        confirmed=confirmed,
        merging=frozenset(joint.texts(merging)),
    )


def _confirmed(club: Club) -> pl.DataFrame:
    """What an earlier certified reading has shown, which had ended before this one began: `SIGNS`."""
    suspected, head = club.suspicions.select(SIGNS.names()), club.snapshot.head
    if suspected.is_empty() or not head.certified:
        return suspected.clear()
    earlier = (pl.col("read_at") <= head.began_at) & (pl.col("snapshot") != head.number)
    return club.suspicions.filter(earlier).select(SIGNS.names())


def _unknown(asked: _Asked, records: pl.DataFrame, certified: bool) -> pl.Series:
    """Records on the list of rechecks of which nothing is known any more, of a certified snapshot: erp_ids."""
    if asked.rechecked.is_empty() or not certified:
        return asked.rechecked.clear()
    return asked.rechecked.filter(~asked.rechecked.is_in(records["erp_id"].implode()))


def _without(seen: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """What the snapshot shows, but for the records that a newer one has shown."""
    if newer.is_empty():
        return seen
    return seen.join(newer.select("erp_id"), on="erp_id", how="anti", maintain_order="left")


def _newer_than(known: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """R16: records that a newer partial snapshot has shown; this one does not change them."""
    as_of, number = pl.lit(snapshot.as_of).cast(RECORD_INDEX["seen_as_of"]), snapshot.number
    if known["seen_as_of"].null_count() == known.height:
        return known.clear()
    later = (pl.col("seen_as_of") > as_of) | (
        (pl.col("seen_as_of") == as_of) & (pl.col("seen_snapshot") > number)
    )
    return known.filter(later.fill_null(False))


def _lost_their_id(
    source: Source, place: int, known: pl.DataFrame, snapshot: Snapshot, newer: pl.DataFrame
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
    was = source.records_of(place, absent["erp_id"].to_list())
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


def _unsaid(source: Source, place: int, club: Club) -> pl.DataFrame:
    """Records of which this snapshot may say nothing: rows of the record index, without marks."""
    known, snapshot = club.index, club.snapshot
    newer = _newer_than(known, snapshot)
    return pl.concat([newer, _lost_their_id(source, place, known, snapshot, newer)])


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
    today: date,
    changed_groups: list[str],
    marks: Marks,
) -> set[str]:
    """The records that changed, whatever their neighbours did: erp_ids."""
    due = (pl.col("next_date") <= today).fill_null(False)
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
        shown = marks.with_groups(seen.select("erp_id", "groups"), ("groups",))
        parts.append(shown.filter(member)["erp_id"])
    parts.append(pl.Series("erp_id", snapshot.conflicting_ids, dtype=pl.String))
    return set(pl.concat(parts).to_list())


def _closure(
    source: Source,
    seeds: set[str],
    addresses: set[str],
    seen: pl.DataFrame,
    known: pl.DataFrame,
) -> tuple[set[str], pl.DataFrame, pl.DataFrame]:
    """The seeds and all that their decision touches, until no record is added.

    :param seeds: erp_ids.
    :param addresses: normalised emails to start from besides.
    :param seen: the customers that the snapshot shows.
    :param known: the record index.
    :returns: erp_ids; their rows of the mirror (`MIRROR`); the base customers in question (`Source.base_row`).
    """
    ids, done = set(seeds), set[str]()
    mirror = pl.DataFrame(schema=MIRROR)
    base = pl.DataFrame(schema=source.base_row)
    fresh_ids, fresh_emails = set(ids), set(addresses)
    while fresh_ids or fresh_emails:
        new = list(fresh_ids)
        found = source.records(new)
        now = seen.filter(pl.col("erp_id").is_in(new))
        mirror = pl.concat([mirror, found])
        fresh_emails = (fresh_emails | _emails(found, now, source.marks)) - done
        rows = source.customers(new, fresh_emails)
        base = pl.concat([base, rows]).unique("customer", keep="first", maintain_order=True)
        also = set(rows["email"].drop_nulls()) - done - fresh_emails
        done |= fresh_emails
        # whose base customer has one of these emails: `rows` says
        related = source.related(known, new, [*fresh_emails, *also], ids)
        fresh_emails = also
        fresh_ids = {*related, *_linked(found, now), *rows["erp_id"].drop_nulls()} - ids
        ids |= fresh_ids
    return ids, mirror, base


def _emails(found: pl.DataFrame, now: pl.DataFrame, marks: Marks) -> set[str]:
    """The normalised emails of records, as the mirror has them and as the snapshot shows them."""
    known = set(found["email_norm"].drop_nulls())
    if now.is_empty():
        return known
    shown = now.select("erp_id").hstack(emails.evaluate(now["email"]))
    norm = shown.select(marks.marked_as(pl.col("erp_id"), pl.col("email_norm"))).to_series()
    return known | set(norm.drop_nulls())


def _linked(*frames: pl.DataFrame) -> set[str]:
    """The guardians (R8) and successors (R10) that records name."""
    columns = ("guardian_id", "replaced_by")
    return {erp_id for frame in frames for name in columns for erp_id in frame[name].drop_nulls()}


def related_ids(
    driver: Driver, club: int, known: pl.DataFrame, ids: list[str], addresses: list[str]
) -> list[str]:
    """Records that have one of these emails, or a base customer with one, or are linked with one of these ids.

    :param known: the club's record index.
    """
    one = OneClub(driver, club)
    return one.related(known, ids, addresses, (), base_emails=addresses)


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
    *,
    marks: Marks = ONE_CLUB,
) -> pl.DataFrame:
    """Each record as this snapshot shows it, else as the mirror has it; and the mirror's side.

    :param ids: the records to take of what the snapshot shows; None: all.
    :param seen: the customers that the snapshot shows.
    :param mirror: `MIRROR`.
    :param newer: records that a newer partial snapshot has shown (R16).
    :param confirmed: `SIGNS` that an earlier certified reading has shown (R14).
    :param stored: the groups that the ERP listed before: id, listed.
    :param merging: erp_ids of records that vanished and whose merge is held (R15): they vanish until it is decided.
    :param marks: how ids are written; in the lists of groups of `seen` and `mirror` they are bare.
    :returns: `snapshots.KEPT`, `presence`, `ambiguous` (no key tells it from another, R1), and the mirror's columns as
        `m_*` (null where it has no such record, `m_known` false).
    """
    mirror = marks.with_groups(_parsed(mirror), ("groups", "remembered"))
    here = seen.with_columns(presence=pl.lit(SEEN, dtype=PRESENCE))
    if ids is not None:
        here = here.filter(pl.col("erp_id").is_in(list(ids)))
    here = marks.with_groups(here, ("groups",))
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
    base: pl.DataFrame, records: pl.DataFrame, joint: Joint, clubs: Sequence[Club]
) -> pl.DataFrame:
    """`_with_decisions` of all these clubs."""

    def all_of(decisions: Iterable[Decided]) -> Decided:
        """Customers have numbers that are unique among all clubs."""
        return {
            customer: (about and joint.marked(about, n), then)
            for n, decided in enumerate(decisions)
            for customer, (about, then) in decided.items()
        }

    return _with_decisions(
        base,
        records,
        all_of(club.keep for club in clubs),
        all_of(club.undone for club in clubs),
        all_of(club.same_person for club in clubs),
    )


def _with_decisions(
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
