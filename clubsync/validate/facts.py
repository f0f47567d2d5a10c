"""The facts of ERP records: what follows from each record, and from those it refers to. Pure, vectorised, no I/O.

`evaluate` says whether the email is valid, whether status and groups give access today, whose dependant the
record is and which record replaced it, and puts this together into `access` (R3): "yes", "no" or
"unknown", a value of its own because what is unknown changes nothing. The suites of `expectations/` turn facts
into findings; `clubsync.diff` turns facts and the base into a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from clubsync import emails
from clubsync.frames import attach, literals, repeated, some
from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import (
    ACCESS,
    CONFLICTING,
    GONE,
    GROUP_LIST,
    NO,
    PRESENT,
    UNKNOWN,
    VANISHED,
    WITHOUT_ID,
    YES,
    Policy,
)
from clubsync.validate import automatic
from connectors.sdk import words
from connectors.sdk.model import CLUB_FIELD

_NOTHING = pl.lit([], dtype=GROUP_LIST)

#: The words of `group_state`, `_group_state` says when.
GROUP_STATE = pl.Enum(
    [
        *("active", "none", "former", "unreadable", "unknown"),
        *("inactive", "expired", "withheld", "other", "unmatched"),
    ]
)
_state, _access_word = literals(GROUP_STATE), literals(ACCESS)

#: What a span of a group can be, the days of it that matter, and the lists of ids that are made of spans.
_FLAGS = (
    *("g_former", "g_was_former", "g_active", "g_unknown", "g_off", "g_expired", "has_current"),
    *("g_undated", "g_perhaps_former", "g_other", "g_perhaps_other", "g_feeds", "g_may_feed"),
)
_DAYS = ("g_begins", "g_ends")
_NAMED = {
    "active_groups": ("g_feeds",),
    "odd_former": ("g_former", "g_was_former"),
    "odd_unknown": ("g_unknown",),
    "undated": ("g_undated",),
    "odd_inactive": ("g_off", "g_expired"),
}
#: The same, of clubs that name the groups that give access; to gather lists of a million records costs.
_NAMED_OTHER = _NAMED | {"odd_other": ("g_other",), "unknown_groups": ("g_may_feed",)}
#: Columns that `_groups` makes and does not return.
_DROPPED = (
    *_FLAGS,
    *_DAYS,
    "odd_former",
    "odd_unknown",
    "odd_inactive",
    "odd_other",
    "has_listed",
    "r_ends",
    "lapsed_unlisted",
    "undated",
)

#: What `_doubts` says of a record: which of its fields cannot be read.
_DOUBTS = ("odd_days", "odd_email", "odd_groups_read", "odd_links", "odd_club")
#: The fields that refer to other records, or say that the record is no person.
_LINKS = ("guardian_id", "replaced_by", "placeholder")


def evaluate(
    records: pl.DataFrame, groups: pl.DataFrame, policy: Policy, marks: Marks = ONE_CLUB
) -> pl.DataFrame:
    """Add the facts to the records.

    :param records: `snapshots.KEPT` columns, `presence` (a word of `clubsync.model`), and what the mirror has of
        the same record: `m_groups` and `m_remembered` (`GROUP_LIST`, null where it is new), and where there is
        a mirror `m_former` and what `_before` names.
    :param groups: the ERP's groups in force: id, name, active (null: the ERP does not say).
    :param marks: how ids, also those of groups, and normalised emails are written in these frames; in lists of groups
        or of keys that are made here they are bare.
    :returns: the records, in order, with:
        `email_norm`, `email_state`, `email_about` (`clubsync.emails`); `status_access`, `status_reason`;
        `active_groups`, `unknown_groups` (keys of the automatic groups that it feeds, and may feed, sorted,
        today's: `validate.automatic`); `groups_unknown` (how many);
        `group_state` ("active", "none", "former", "unknown", "inactive", "expired", "other": none of its groups is
        in the club's `access_groups`; "unmatched": the same, while one of those is missing from the ERP; "withheld":
        a former group that the ERP does not have any more kept it out), `group_access`, `odd_groups` (the groups
        that a finding names: by name, or by id where the ERP's list does not have it);
        `former` (a former group keeps it out, or did until it went missing);
        `remembered` (dated groups that the ERP has stopped listing);
        `owner_id` (set: the record is that record's dependant, R8); `successor` (set: replaced by that
        record, R10); `odd_days`, `odd_email`, `odd_groups_read`, `odd_group_days`, `odd_links` (what cannot be read,
        R3: a day of the record itself, the email, the groups, a day of one of them, the record that it refers to),
        `odd_club` (the club of a chain that it is of, R29);
        `own_groups`, `own_access` (by status, dates and groups held, whatever the groups' own
        state, R12);
        `access`, `access_reason`; `cluster` (records that would have access with this email);
        `next_date` (the first day after today on which dates alone change the access).
    """
    found = emails.evaluate(records["email"], policy.placeholder_emails)
    records = records.hstack(found).with_columns(
        email_norm=marks.marked_as(pl.col("erp_id"), pl.col("email_norm"))
    )
    several = repeated(records["email_norm"])
    records = _shared_emails(records, several, policy.shared_email_limit)
    records = _doubts(records)
    if "m_former" not in records.columns:
        records = records.with_columns(m_former=False)
    records = _remembered(records.with_columns(**_status(policy)))
    records = _groups(records, groups, policy, marks)
    people = records.select(
        "erp_id", "email_norm", "email_state", "presence", "guardian_id", "replaced_by"
    )
    records = attach(attach(records, _owners(people), "erp_id"), _successors(people), "erp_id")
    records = records.with_columns(_access())
    return records.with_columns(cluster=_clusters(records, several))


_PERSON = ("email_norm", "guardian_id", "first_name", "last_name", "birth_date")


def _shared_emails(records: pl.DataFrame, several: pl.Series, limit: int) -> pl.DataFrame:
    """R2: an address that too many unrelated records carry is a placeholder.

    It keeps its `email_norm`, by which the next sync finds those who carry it; `m_email_norm` of one that was such
    an address is cleared, so that it matches nobody (R10).

    :param several: whether more than one record has the record's `email_norm`.
    """
    carry = pl.col("presence").is_in(PRESENT) & ~pl.col("placeholder")
    carry &= pl.col("replaced_by").is_null()
    shared = _too_shared(records, "", carry, several, limit)
    if shared.len():
        here = pl.col("email_norm").is_in(shared.implode()).fill_null(False)
        records = records.with_columns(
            email_state=pl.when(here)
            .then(emails.state(emails.PLACEHOLDER))
            .otherwise("email_state"),
            email_about=pl.when(here).then(emails.about(emails.SHARED)).otherwise("email_about"),
        )
    if "m_email_norm" not in records.columns:
        return records
    there = ~pl.col("m_gone").fill_null(True)
    was = _too_shared(records, "m_", there, repeated(records["m_email_norm"]), limit)
    if not was.len():
        return records
    there = pl.col("m_email_norm").is_in(was.implode()).fill_null(False)
    return records.with_columns(m_email_norm=pl.when(~there).then("m_email_norm"))


def _too_shared(
    records: pl.DataFrame, side: str, among: pl.Expr, several: pl.Series, limit: int
) -> pl.Series:
    """The emails that more than `limit` unrelated records have.

    Related are those with one guardian, the guardian too, and records with equal names and birth dates.

    :param side: how the columns of `_PERSON` begin: "m_" those of the mirror.
    :param among: which records count.
    :param several: whether more than one record, whichever, has the record's email.
    """
    here = {name: pl.col(f"{side}{name}") for name in _PERSON}
    people = records.lazy().filter(among)
    crowd = records.lazy().filter(pl.lit(several) & among).select("erp_id", **here).collect()
    crowd = crowd.filter(pl.len().over("email_norm") > limit)
    if crowd.is_empty():
        return crowd["email_norm"]
    names = [words.key(pl.col(name)) for name in ("first_name", "last_name")]
    full_name = pl.concat_str(*names, "birth_date", separator="\0")
    crowd = crowd.with_columns(
        one=pl.col("erp_id").min().over("email_norm", pl.coalesce(full_name, "erp_id"))
    )
    ids = people.select("erp_id").collect()["erp_id"].implode()
    guardian = pl.col("guardian_id").is_in(ids) & (pl.col("guardian_id") != pl.col("erp_id"))
    heads = crowd.select("email_norm", guardian_id="erp_id", head="one")
    return (
        crowd.join(heads, on=["email_norm", "guardian_id"], how="left")
        .with_columns(
            family=pl.when(guardian).then(pl.coalesce("head", "guardian_id")).otherwise("one")
        )
        .group_by("email_norm")
        .agg(pl.col("family").n_unique())
        .filter(pl.col("family") > limit)["email_norm"]
    )


def _clusters(records: pl.DataFrame, several: pl.Series) -> pl.Series:
    """How many records would have access with each record's email; 0 where it has none.

    :param several: whether more than one record has the record's `email_norm`.
    """
    inside = records["access"] == YES
    sizes = (inside & records["email_norm"].is_not_null()).cast(pl.UInt32)
    if not several.any():
        return sizes
    size = (pl.col("access") == YES).sum().over("email_norm")
    few = records.lazy().filter(several).select(size.alias("size")).collect()["size"]
    return sizes.scatter(several.arg_true(), few)


def _doubts(records: pl.DataFrame) -> pl.DataFrame:
    """R3: what of each record is there and cannot be read: `_DOUBTS`; `email_state` says so of the email."""
    if not records["unreadable"].list.len().sum():
        return records.with_columns(pl.lit(False).alias(name) for name in _DOUBTS)  # a value
    part = pl.element().struct.field

    def any_of(condition: pl.Expr) -> pl.Expr:
        return pl.col("unreadable").list.eval(condition).list.any().fill_null(False)

    of_group = part("group").is_not_null()
    return records.with_columns(
        odd_days=any_of(part("field").is_in(["valid_from", "valid_until"]) & ~of_group),
        odd_email=any_of(part("field") == "email"),
        odd_groups_read=any_of(part("field") == "groups"),
        odd_links=any_of(part("field").is_in(_LINKS)),
        odd_club=any_of(part("field") == CLUB_FIELD),
    ).with_columns(
        email_state=pl.when("odd_email")
        .then(emails.state(emails.UNREADABLE))
        .otherwise("email_state")
    )


def _status(policy: Policy) -> dict[str, pl.Expr]:
    """R3: `status_access` and `status_reason`: the ERP's status, between the record's first and last day."""
    early = pl.col("valid_from") > policy.today
    late = pl.col("valid_until") < policy.today
    known = pl.col("status") != UNKNOWN
    gives = pl.col("status").is_in(sorted(policy.access_statuses))
    return {
        "status_access": pl.when(known & ~gives)
        .then(_access_word(NO))
        .when(early | late)
        .then(_access_word(NO))
        .when(known & ~pl.col("odd_days"))
        .then(_access_word(YES))
        .otherwise(_access_word(UNKNOWN)),
        "status_reason": pl.when(known & ~gives)
        .then(pl.col("status"))
        .when(late)
        .then(pl.lit("expired"))
        .when(early)
        .then(pl.lit("not_begun")),
    }


def _remembered(records: pl.DataFrame) -> pl.DataFrame:
    """R3: an expired membership counts also when the ERP has stopped listing it.

    :returns: the records with `remembered`: the dated groups that the ERP listed once and does not list any more.
    """
    dated = (
        pl.concat(
            [
                records.select("erp_id", g=pl.col(column))
                .filter(pl.col("g").list.len() > 0)
                .explode("g")
                for column in ("m_groups", "m_remembered")
            ]
        )
        .unnest("g")
        .filter(pl.col("valid_until").is_not_null())
    )
    if dated.is_empty():
        return records.with_columns(remembered=_NOTHING)
    listed = records.select("erp_id", g="groups").explode("g").unnest("g")
    kept = (
        dated.join(listed.drop_nulls("id"), on=["erp_id", "id"], how="anti")
        .group_by("erp_id", "id")
        .agg(pl.col("valid_from").min(), pl.col("valid_until").max())
        .sort("erp_id", "id")
        .group_by("erp_id", maintain_order=True)
        .agg(remembered=pl.struct("id", "valid_from", "valid_until"))
    )
    return records.join(kept, on="erp_id", how="left", maintain_order="left").with_columns(
        pl.col("remembered").fill_null(_NOTHING)
    )


def _groups(
    records: pl.DataFrame, groups: pl.DataFrame, policy: Policy, marks: Marks
) -> pl.DataFrame:
    """R3, the groups: what each record's groups are worth today, and when that will change.

    :param records: with `groups` and `remembered` (`GROUP_LIST`).
    :param groups: the ERP's groups in force: id, name, active.
    :returns: the records, in order, with the columns about groups of `evaluate`, `next_date`, and `own_groups`:
        whether by its groups the record would have access, were all of them switched on.
    """
    spans = _spans(records, policy, marks)
    kinds = _kinds(spans, records.height)
    named = _NAMED_OTHER if policy.access_groups else _NAMED
    held = _held(_flagged(kinds.spans, groups, policy, marks), named)
    records = records.hstack(held[kinds.of]).hstack(_days(spans, records.height))
    records = _summed_up(records, groups, policy, marks).with_columns(group_state=_group_state())
    records = records.with_columns(**_withheld(policy))
    moved_out = _moved_out(records)
    # a group whose own days cannot be read is known: the finding is about its days
    unknown = pl.col("odd_unknown")
    if records["g_undated"].any():
        unknown = unknown.list.set_difference("undated").list.sort()
    return records.with_columns(
        group_access=_group_access(policy),
        odd_groups=_odd_groups(unknown, groups, policy, marks),
        groups_unknown=unknown.list.len(),
        odd_group_days="g_undated",
        active_groups=automatic.fed(pl.col("active_groups"), groups, policy, marks),
        unknown_groups=automatic.perhaps_fed(
            pl.col("unknown_groups" if policy.access_groups else "odd_unknown"), policy, marks
        ),
        # R12 asks for the record's own doing: groups held today, whether switched on or not, unless it moved there
        own_groups=(pl.col("has_current") & ~pl.col("g_former") & ~moved_out)
        | (~pl.col("has_listed") & ~pl.col("lapsed_unlisted") & (not policy.group_required)),
        next_date=_next_date(policy),
    ).drop(_DROPPED, strict=False)


def _group_access(policy: Policy) -> pl.Expr:
    """Whether a record's groups give access, by `group_state`; null is no group at all."""
    return pl.col("group_state").replace_strict(
        {
            "former": NO,
            "unreadable": UNKNOWN,
            "active": YES,
            "unknown": UNKNOWN,
            "withheld": UNKNOWN,
            "unmatched": UNKNOWN,
            "inactive": NO,
            "expired": NO,
            "other": NO,
        },
        default=NO if policy.group_required else YES,
        return_dtype=ACCESS,
    )


def _odd_groups(unknown: pl.Expr, groups: pl.DataFrame, policy: Policy, marks: Marks) -> pl.Expr:
    """The groups that a finding names, by `group_state`."""
    state = pl.col("group_state")
    named = partial(_named, groups=groups, marks=marks)
    return (
        pl.when(state == "former")
        .then(named("odd_former"))
        .when(state.is_in(["inactive", "expired"]))
        .then(named("odd_inactive"))
        .when(state == "other")
        .then(named("odd_other") if policy.access_groups else None)
        .when(state == "withheld")
        .then(pl.lit(sorted(policy.absent_groups), dtype=pl.List(pl.String)))
        .when(state == "unmatched")
        .then(pl.lit(sorted(policy.absent_access_groups), dtype=pl.List(pl.String)))
        .otherwise(named(unknown))
    )


def _named(ids: pl.Expr | str, groups: pl.DataFrame, marks: Marks) -> pl.Expr:
    """Groups by their names in the ERP: people know no ids."""
    known = groups.filter(pl.col("name").str.strip_chars() != "").unique("id")
    one = pl.element().replace_strict(
        known["id"], known["name"], default=marks.bare(pl.element()), return_dtype=pl.String
    )
    return (pl.col(ids) if isinstance(ids, str) else ids).list.eval(one)


def _moved_out(records: pl.DataFrame) -> pl.Series:
    """R12: whether each record's groups are inactive and others than before."""

    def ids(column: str) -> pl.Expr:
        return pl.col(column).list.eval(pl.element().struct.field("id")).list.unique().list.sort()

    moved = ids("groups").list.join("\x1f") != ids("m_groups").list.join("\x1f")
    inactive = (pl.col("group_state") == "inactive") & pl.col("m_groups").is_not_null()
    return some(records, inactive, moved)


def _spans(records: pl.DataFrame, policy: Policy, marks: Marks) -> pl.DataFrame:
    """Each span in which a record is in a group.

    :returns: row (of the record), spans (how many the record has), id, current, undated, and `_DAYS`.
    """
    today = pl.lit(policy.today)
    begins, ends = pl.col("valid_from"), pl.col("valid_until")
    spans = records.lazy().select(
        "groups", row=pl.int_range(pl.len(), dtype=pl.UInt32), spans=pl.col("groups").list.len()
    )
    undated = pl.lit(False)  # a value
    if records["unreadable"].list.len().sum():
        days = pl.col("unreadable").list.eval(pl.element().struct.field("group"))
        spans = spans.with_columns(records.select(undated_groups=days)["undated_groups"])
        # what cannot be read is told with bare ids
        undated = marks.bare(pl.col("id")).is_in(pl.col("undated_groups")).fill_null(False)
    return (
        spans.filter(pl.col("spans") > 0)
        .explode("groups")
        .unnest("groups")
        .select(
            *("row", "spans", "id"),
            current=~((begins > today).fill_null(False) | (ends < today).fill_null(False)),
            undated=undated,
            # the days when it begins and ends, where that is still to come
            g_begins=pl.when(begins > today).then(begins),
            g_ends=pl.when(ends >= today).then(ends),
        )
        .collect()
    )


@dataclass(frozen=True)
class _Kinds:
    """What records hold, apart from the days: few different things, of many records.

    :param of: the kind of each record's groups; 0: none.
    :param spans: of each kind but 0: kind, id, current, undated.
    """

    of: pl.Series
    spans: pl.DataFrame


def _kinds(spans: pl.DataFrame, height: int) -> _Kinds:
    """The kinds of memberships.

    :param spans: see `_spans`.
    :param height: how many records there are.
    """
    ids = spans["id"].drop_nulls().unique()
    number = pl.col("id").cast(pl.Enum(ids)).to_physical().cast(pl.UInt32).fill_null(ids.len())
    code = number * 4 + pl.col("current").cast(pl.UInt32) * 2 + pl.col("undated").cast(pl.UInt32)
    coded = spans.select("row", "spans", code=code)
    alone = coded.filter(pl.col("spans") == 1)
    # each once and in order; sorting numbers costs a fifth of sorting rows
    packed = pl.col("row").cast(pl.UInt64) * 2**32 + pl.col("code")
    together = (
        coded.filter(pl.col("spans") > 1)
        .select(packed.sort())
        .filter(pl.col("row").ne_missing(pl.col("row").shift()))
        .select(
            row=(pl.col("row") // 2**32).cast(pl.UInt32),
            code=(pl.col("row") % 2**32).cast(pl.UInt32),
        )
        .group_by("row", maintain_order=True)
        .agg("code")
        .select("row", "code", text=pl.col("code").cast(pl.List(pl.String)).list.join(","))
    )
    single = alone.select(pl.col("code").unique()).with_row_index("kind", offset=1)
    several = together.unique("text").with_row_index("kind", offset=single.height + 1)
    known = pl.concat(
        [
            single.select("kind", pl.col("code")),
            several.select("kind", "code").explode("code"),
        ]
    )
    return _Kinds(
        of=pl.zeros(height, dtype=pl.UInt32, eager=True)
        .scatter(alone["row"], attach(alone.select("code"), single, "code")["kind"])
        .scatter(
            together["row"],
            attach(together.select("text"), several.select("text", "kind"), "text")["kind"],
        ),
        spans=known.select(
            "kind",
            id=pl.lit(ids).gather(pl.col("code") // 4, null_on_oob=True),
            current=(pl.col("code") // 2) % 2 == 1,
            undated=pl.col("code") % 2 == 1,
        ),
    )


def _flagged(
    spans: pl.DataFrame, groups: pl.DataFrame, policy: Policy, marks: Marks = ONE_CLUB
) -> pl.DataFrame:
    """Spans of groups with `_FLAGS`.

    :param spans: kind, id, current, undated.
    :param groups: the ERP's groups in force: id, name, active.
    """
    known = groups.select(
        *("id", "active"),
        listed=pl.lit(True),
        former=_is_named(policy.former_groups, marks),
        named=_is_named(policy.access_groups, marks),
    )
    by_id = {
        name: words.key(marks.bare(pl.col("id"))).is_in(words.words(named))
        if named
        else pl.lit(False)
        for name, named in (("former", policy.former_groups), ("named", policy.access_groups))
    }
    # of a group that the ERP does not list the name is not known: it may be one that gives access
    gives = (
        by_id["named"] | pl.col("named") | pl.when("listed").then(False)
        if policy.access_groups
        else pl.lit(True)
    )
    return (
        spans.lazy()
        .join(known.lazy(), on="id", how="left", maintain_order="left")
        .with_columns(
            former=pl.col("former").fill_null(False) | by_id["former"],
            unknown=pl.col("listed").is_null() | pl.col("active").is_null(),
            other=~gives.fill_null(True),
        )
        .select("kind", "id", **_span_flags())
        .collect()
    )


def memberships(records: pl.DataFrame, groups: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """What each group of each record is worth today, one by one, for whoever explains it (R24).

    :param records: erp_id, `groups` (`GROUP_LIST`), `unreadable`; groups: see `evaluate`.
    :returns: erp_id, id, name (null: the ERP's list does not have it), valid_from, valid_until, and state: "gives"
        access, "former" (a group of former customers), "unreadable" (its days cannot be read), "not_begun", "ended",
        "inactive", "unknown" (whether it is active) or "other" (none of the club's `access_groups`).
    """
    spans = (
        records.lazy()
        .select(
            *("erp_id", "groups"),
            odd=pl.col("unreadable").list.eval(pl.element().struct.field("group")),
        )
        .filter(pl.col("groups").list.len() > 0)
        .explode("groups")
        .unnest("groups")
        .with_columns(
            begun=~(pl.col("valid_from") > policy.today).fill_null(False),
            over=(pl.col("valid_until") < policy.today).fill_null(False),
            undated=pl.col("id").is_in(pl.col("odd")).fill_null(False),
        )
        .collect()
    )
    current = pl.col("begun") & ~pl.col("over")
    plain = spans.select("id", "undated", current=current).with_row_index("kind")
    flags = _flagged(plain, groups, policy).drop("kind", "id")
    names = groups.select("id", "name").unique("id")
    return (
        spans.hstack(flags)
        .join(names, on="id", how="left", maintain_order="left")
        .select(
            *("erp_id", "id", "name", "valid_from", "valid_until"),
            state=pl.when(pl.any_horizontal("g_former", "g_was_former", "g_perhaps_former"))
            .then(pl.lit("former"))
            .when("undated")
            .then(pl.lit("unreadable"))
            .when(~pl.col("begun"))
            .then(pl.lit("not_begun"))
            .when("over")
            .then(pl.lit("ended"))
            .when("g_off")
            .then(pl.lit("inactive"))
            .when("g_other")
            .then(pl.lit("other"))
            .when("g_unknown")
            .then(pl.lit("unknown"))
            .otherwise(pl.lit("gives")),
        )
    )


def _span_flags() -> dict[str, pl.Expr]:
    """`_FLAGS` of a span."""
    current, active, undated = pl.col("current"), pl.col("active"), pl.col("undated")
    other = pl.col("other") & ~pl.col("former")
    held = current & ~pl.col("former")
    counts = held & ~other
    unknown = pl.col("unknown") | (undated & active.fill_null(True))
    return {
        "g_former": current & pl.col("former") & ~undated,
        "g_was_former": ~current & pl.col("former") & ~undated,
        "g_active": counts & ~undated & active.fill_null(False),
        # R3: a group that is switched off gives no access, whatever its days are
        "g_unknown": counts & unknown,
        "g_off": counts & ~active.fill_null(True),
        "g_expired": ~current & ~other,
        "has_current": counts,
        "g_undated": current & undated,
        "g_perhaps_former": current & undated & pl.col("former"),
        "g_other": other,
        # were it one that gives access under another name
        "g_perhaps_other": held & other & active.fill_null(True),
        # R4: groups that give no access feed automatic groups all the same
        "g_feeds": held & ~undated & active.fill_null(False),
        "g_may_feed": held & unknown,
    }


def _summed_up(
    records: pl.DataFrame, groups: pl.DataFrame, policy: Policy, marks: Marks
) -> pl.DataFrame:
    """The records with what `remembered` adds: former groups, `lapsed_unlisted`,
    `r_ends`."""
    today = pl.lit(policy.today)
    late = pl.element().struct.field("valid_until")
    remembered = pl.col("remembered")
    records = records.with_columns(
        has_listed=pl.col("groups").list.len() > 0,
    )
    if not records["remembered"].list.len().sum():
        return records.with_columns(
            lapsed_unlisted=pl.lit(False),  # a value
            r_ends=pl.lit(None, dtype=pl.Date),
        )
    former = groups.filter(_is_named(policy.former_groups, marks))["id"].to_list()
    ids = remembered.list.eval(pl.element().struct.field("id"))
    was_former = ids.list.set_intersection(pl.lit(former, dtype=pl.List(pl.String)))
    return records.with_columns(
        lapsed_unlisted=remembered.list.eval(late < today).list.any().fill_null(False),
        r_ends=remembered.list.eval(late.filter(late >= today)).list.min(),
        g_was_former=pl.col("g_was_former") | (was_former.list.len() > 0).fill_null(False),
        odd_former=pl.col("odd_former").list.set_union(was_former).list.sort(),
    )


def _is_named(configured: Iterable[str], marks: Marks) -> pl.Expr:
    """Whether clubs.yaml names a group, by id or name."""
    named = words.words(configured)
    either = (marks.bare(pl.col("id")), pl.col("name"))
    return pl.any_horizontal(words.key(one).is_in(named) for one in either).fill_null(False)


def _group_state() -> pl.Expr:
    """The one word for all of a record's groups, the strongest first.

    Without an active group, somebody who was in a former group until it ended is a former customer all the same.
    """
    expired = pl.col("g_expired") | (~pl.col("has_listed") & pl.col("lapsed_unlisted"))
    return (
        pl.when(pl.col("g_former"))
        .then(_state("former"))
        .when(pl.col("odd_groups_read") | pl.col("g_perhaps_former"))
        .then(_state("unreadable"))
        .when(pl.col("g_active"))
        .then(_state("active"))
        .when(pl.col("g_unknown"))
        .then(_state("unknown"))
        .when(pl.col("g_was_former"))
        .then(_state("former"))
        .when(pl.col("g_off"))
        .then(_state("inactive"))
        .when(expired)
        .then(_state("expired"))
        .when(pl.col("g_other"))
        .then(_state("other"))
        .otherwise(_state("none"))
    )


def _withheld(policy: Policy) -> dict[str, pl.Expr]:
    """R3, groups that clubs.yaml names and the ERP does not have: `group_state` and `former`.

    A former group gives nobody access whom it kept out; and while one that gives access is missing, any other may be
    that group under another name.
    """
    missing = pl.lit(bool(policy.absent_groups)) & pl.col("m_former").fill_null(False)
    gains = ["active", "unknown"] if policy.group_required else ["active", "unknown", "none"]
    state = pl.col("group_state")
    renamed = pl.lit(bool(policy.absent_access_groups)) & pl.col("g_perhaps_other")
    return {
        "group_state": pl.when(missing & state.is_in(gains))
        .then(_state("withheld"))
        .when(renamed & state.is_in(["inactive", "expired", "other"]))
        .then(_state("unmatched"))
        .otherwise(state),
        "former": (state == "former") | missing,
    }


def _next_date(policy: Policy) -> pl.Expr:
    """The first day after today on which dates alone change the access: what ends today ends tomorrow."""
    today = pl.lit(policy.today)
    return pl.min_horizontal(
        pl.when(pl.col("valid_from") > today).then("valid_from"),
        pl.when(pl.col("valid_until") >= today).then(pl.col("valid_until").dt.offset_by("1d")),
        "g_begins",
        pl.col("g_ends").dt.offset_by("1d"),
        pl.col("r_ends").dt.offset_by("1d"),
    )


def _held(spans: pl.DataFrame, named: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The spans of each kind together.

    :param spans: of each kind but 0: kind, id and `_FLAGS`.
    :param named: a list to make -> the flags of the groups in it.
    :returns: the kinds in order, 0 first: `_FLAGS`: whether any span is so; and the lists: the ids of the groups that
        are so, each once, sorted.
    """
    together = (
        spans.group_by("kind", "id")
        .agg(pl.col(_FLAGS).any())
        .sort("kind", "id")
        .group_by("kind", maintain_order=True)
        .agg(
            pl.col(_FLAGS).any(),
            **{name: pl.col("id").filter(pl.any_horizontal(of)) for name, of in named.items()},
        )
    )
    nothing = pl.DataFrame(
        {"kind": [0]} | {name: [False] for name in _FLAGS} | {name: [[]] for name in named},
        schema=together.schema,
    )
    # of several chunks, lists are gathered ten times as slowly
    return pl.concat([nothing, together], rechunk=True).drop("kind")


def _days(spans: pl.DataFrame, height: int) -> list[pl.Series]:
    """`_DAYS` of each record: the next day on which one of its spans begins, or ends.

    :param spans: see `_spans`.
    :param height: how many records there are.
    """
    empty = pl.repeat(None, height, dtype=pl.Date, eager=True)
    found = []
    for name in _DAYS:
        days = spans.select("row", "spans", name).drop_nulls(name)
        alone = days.filter(pl.col("spans") == 1)
        first = days.filter(pl.col("spans") > 1).group_by("row").agg(pl.col(name).min())
        placed = empty.scatter(alone["row"], alone[name]).scatter(first["row"], first[name])
        found.append(placed.alias(name))
    return found


def _frame(pairs: Mapping[str, str], name: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"erp_id": list(pairs), name: list(pairs.values())},
        schema={"erp_id": pl.String, name: pl.String},
    )


def _owners(people: pl.DataFrame) -> pl.DataFrame:
    """R8: who is whose dependant: erp_id, owner_id.

    A guardian that the ERP does not have makes nobody a dependant; neither does a circle of guardians.
    """
    wards = people.filter(
        pl.col("guardian_id").is_not_null()
        & (pl.col("guardian_id") != pl.col("erp_id"))
        & (pl.col("email_state") != emails.INVALID)
        & pl.col("presence").is_in(PRESENT)
    )
    if wards.is_empty():
        return _frame({}, "owner_id")
    named = pl.col("erp_id").is_in(wards["guardian_id"].implode())
    owners = people.filter(pl.col("presence").is_in(PRESENT) & named).select(
        guardian_id="erp_id", owner_email="email_norm"
    )
    wards = wards.join(owners, on="guardian_id", how="inner").filter(
        pl.col("email_state").is_in([emails.MISSING, emails.PLACEHOLDER])
        | (pl.col("email_norm") == pl.col("owner_email"))
    )
    pairs = dict(wards.select("erp_id", "guardian_id").iter_rows())
    circles = _circles(pairs)
    return _frame({w: o for w, o in pairs.items() if w not in circles}, "owner_id")


def _successors(people: pl.DataFrame) -> pl.DataFrame:
    """R10: who replaced whom, followed to the end: erp_id, successor.

    "Still listed or not": what the ERP has said of a record that is gone holds, also as a link of a chain.
    A successor that the ERP does not have, or a circle, replaces nobody.
    """
    stated = people.filter(pl.col("replaced_by").is_not_null())
    if stated.is_empty():
        return _frame({}, "successor")
    pairs = dict(stated.select("erp_id", "replaced_by").iter_rows())
    there = set(people.filter(pl.col("presence").is_in(PRESENT))["erp_id"])
    ends: dict[str, str] = {}
    for start in pairs:
        seen, at = {start}, pairs[start]
        while at in pairs and at not in seen:
            seen.add(at)
            at = pairs[at]
        if at not in seen and at in there:
            ends[start] = at
    return _frame(ends, "successor")


def _circles(pairs: Mapping[str, str]) -> set[str]:
    """The keys that come back to themselves by following the pairs."""
    inside: set[str] = set()
    done: set[str] = set()
    for start in pairs:
        path: list[str] = []
        at = start
        while at in pairs and at not in done:
            done.add(at)
            path.append(at)
            at = pairs[at]
        if at in path:
            inside.update(path[path.index(at) :])
    return inside


def _access() -> list[pl.Expr]:
    """R3 put together: any no is no; else any unknown is unknown; else yes."""
    conflicting = pl.col("presence") == CONFLICTING
    reason = _reason_of_no()
    doubt = (
        (pl.col("status_access") == UNKNOWN)
        | (pl.col("group_access") == UNKNOWN)
        | (pl.col("email_state") != emails.VALID)
        | pl.col("odd_links")
        | pl.col("odd_club")
    )
    groups_unread = pl.col("odd_groups_read") | pl.col("odd_group_days")
    return [
        pl.when(conflicting)
        .then(_access_word(UNKNOWN))
        .when(reason.is_not_null())
        .then(_access_word(NO))
        .when(doubt)
        .then(_access_word(UNKNOWN))
        .otherwise(_access_word(YES))
        .alias("access"),
        pl.when(~conflicting).then(reason).alias("access_reason"),
        pl.when(
            _absent()
            | (pl.col("status_access") == NO)
            | (~pl.col("own_groups") & ~groups_unread & (pl.col("group_state") != "unmatched"))
        )
        .then(_access_word(NO))
        # in inactive groups, and not just moved there: whose doing that is, was said when it came about
        .when(
            (pl.col("status_access") == UNKNOWN)
            | pl.col("odd_club")
            | groups_unread
            | pl.col("group_state").is_in(["withheld", "unmatched", "inactive"])
        )
        .then(_access_word(UNKNOWN))
        .otherwise(_access_word(YES))
        .alias("own_access"),
    ]


def _absent() -> pl.Expr:
    return pl.col("presence").is_in([VANISHED, GONE])


def _reason_of_no() -> pl.Expr:
    """Why the record gives no access, the first that holds; null where nothing says so."""
    of_groups = pl.col("group_state").replace_strict(
        {
            "former": "former_group",
            "inactive": "group_inactive",
            "expired": "expired",
            "other": "other_group",
        },
        default="no_group",
        return_dtype=pl.String,
    )
    return (
        pl.when(_absent())
        .then(pl.lit("gone"))
        .when(pl.col("successor").is_not_null())
        .then(pl.lit("replaced"))
        .when(pl.col("erp_id").str.starts_with(WITHOUT_ID))
        .then(pl.lit("without_id"))
        .when(pl.col("placeholder"))
        .then(pl.lit("placeholder"))
        .when(pl.col("status_access") == NO)
        .then(pl.col("status_reason"))
        .when(pl.col("owner_id").is_not_null())
        .then(pl.lit("dependant"))
        .when(pl.col("group_access") == NO)
        .then(of_groups)
    )
