"""R4: which automatic group each ERP group feeds. Pure, no I/O."""

from __future__ import annotations

import polars as pl

from clubsync.marks import ONE_CLUB, Marks
from clubsync.model import Policy
from connectors.sdk import words

#: Where the key of an automatic group begins that clubs.yaml names; any other has its ERP group's id as its key.
_NAMED = "automatic:"
FEEDS = pl.Schema({"id": pl.String(), "key": pl.String(), "name": pl.String()})


def key_of(name: str) -> str:
    """The key of an automatic group that clubs.yaml names: spellings of one name are one group (R3)."""
    return _NAMED + words.word(name)


def named(policy: Policy) -> list[str]:
    """The keys of the automatic groups that clubs.yaml names, sorted."""
    return sorted({key_of(name) for _, name in policy.automatic_groups if name})


def feeds(groups: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The automatic group that each ERP group feeds.

    An ERP group that clubs.yaml does not name feeds the automatic group of its own name, also where others feed it
    by clubs.yaml.

    :param groups: id, name.
    :returns: `FEEDS`, in order: key and name of the automatic group; null where the ERP group is left out.
    """
    own = pl.coalesce(pl.when(pl.col("name").str.strip_chars() != "").then("name"), "id")
    if not policy.automatic_groups:
        return groups.select("id", key="id", name=own).cast(FEEDS)
    configured = {words.word(group): name for group, name in policy.automatic_groups}
    spelled: dict[str, str] = {}
    for _, name in policy.automatic_groups:
        if name:
            spelled.setdefault(key_of(name), name)
    rows: list[tuple[str, str | None, str | None]] = []
    for erp_id, name in groups.select("id", own).iter_rows():
        by = next((w for w in (words.word(erp_id), words.word(name)) if w in configured), None)
        wanted = configured[by] if by is not None else name
        key = None if wanted is None else key_of(wanted)
        if key is None:
            rows.append((erp_id, None, None))
        else:
            rows.append((erp_id, key, spelled[key]) if key in spelled else (erp_id, erp_id, name))
    return pl.DataFrame(rows, schema=FEEDS, orient="row")


def fed(ids: pl.Expr, groups: pl.DataFrame, policy: Policy, marks: Marks = ONE_CLUB) -> pl.Expr:
    """The keys of the automatic groups that lists of ERP groups feed, each once, sorted.

    :param ids: lists of ids of groups in force, sorted.
    :param marks: how ids are written in `ids` and `groups`; the keys are bare.
    """
    if not policy.automatic_groups:
        return _bare(ids, marks)
    table = feeds(groups.with_columns(marks.bare(pl.col("id"))), policy)
    key = pl.element().replace_strict(
        groups["id"], table["key"], default=marks.bare(pl.element()), return_dtype=pl.String
    )
    return ids.list.eval(key).list.drop_nulls().list.unique().list.sort()


def perhaps_fed(ids: pl.Expr, policy: Policy, marks: Marks = ONE_CLUB) -> pl.Expr:
    """The keys of the automatic groups that lists of unknown ERP groups may feed: any that clubs.yaml names.

    :param ids: lists of ids of groups that the ERP's list does not have, or of which it does not say whether they
        are active.
    :param marks: how the ids are written; the keys are bare.
    """
    ids = _bare(ids, marks)
    if not policy.automatic_groups:
        return ids
    every = pl.lit(named(policy), dtype=pl.List(pl.String))
    return pl.when(ids.list.len() > 0).then(ids.list.set_union(every).list.sort()).otherwise(ids)


def _bare(ids: pl.Expr, marks: Marks) -> pl.Expr:
    """Lists of ids without marks."""
    return ids.list.eval(marks.bare(pl.element())) if marks.together else ids
