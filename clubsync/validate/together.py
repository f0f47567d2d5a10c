"""Evaluate the affected records of a batch of clubs at once: each club gets what it would get alone.

Of a few records nearly all that their facts cost is that of each query, however few rows they have. So small clubs with
one policy are put into one frame: their ids, those of their groups and their normalised emails bear the mark of their
club meanwhile (`clubsync.marks`), so that nothing is found in another one's rows (R21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from clubsync.model import Affected
from clubsync.validate import facts, suites
from clubsync.validate.joint import Joint

#: Affected records up to which a club is evaluated together with others.
SMALL = 2_000

#: The columns of records with ids and emails, and with lists of groups, before their facts are known.
_NAMES = (
    *("erp_id", "guardian_id", "replaced_by"),
    *("m_email_norm", "m_guardian_id", "m_replaced_by"),
)
_GROUP_LISTS = ("groups", "m_groups", "m_remembered")
#: The same, with those that facts add.
_ALL_NAMES = (*_NAMES, "email_norm", "owner_id", "successor")
_ALL_GROUP_LISTS = (*_GROUP_LISTS, "remembered")


def evaluated(clubs: Mapping[str, Affected]) -> dict[str, Affected]:
    """The affected records of each club with their facts and their findings (`facts`, `suites`).

    :param clubs: club id -> what `affected.build` has found.
    """
    parts = _parts(clubs)
    # a part goes by the name of its first club
    known = {
        part[0]: (_with_facts([clubs[club] for club in part]), clubs[part[0]].basis.policy)
        for part in parts
    }
    findings = suites.findings(known, {part[0] for part in parts if len(part) > 1})
    made = dict[str, Affected]()
    for part in parts:
        joint = Joint(len(part))
        records = joint.apart(known[part[0]][0], _ALL_NAMES, lists=_ALL_GROUP_LISTS)
        found = joint.apart(findings[part[0]], ("erp_id",))
        for n, club in enumerate(part):
            made[club] = replace(clubs[club], records=records[n], findings=found[n])
    return {club: made[club] for club in clubs}


def _parts(clubs: Mapping[str, Affected]) -> list[list[str]]:
    """The clubs that are evaluated together: small ones, of one policy; a large one by itself."""
    parts = dict[object, list[str]]()
    for club, found in clubs.items():
        small = found.records.height <= SMALL
        parts.setdefault(found.basis.policy if small else club, []).append(club)
    return list(parts.values())


def _with_facts(clubs: Sequence[Affected]) -> pl.DataFrame:
    """The records of clubs of one policy, with their facts; marked, of more than one club."""
    joint = Joint(len(clubs))
    records = joint.joined([club.records for club in clubs], _NAMES)
    records = joint.marks.with_groups(records, _GROUP_LISTS)
    groups = joint.joined([club.basis.groups for club in clubs], ("id",))
    return facts.evaluate(records, groups, clubs[0].basis.policy, joint.marks)
