"""What the table of cases in `clubsync.diff.plan` says becomes of a customer, checked against a base (tests only)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clubsync.model import UNCHANGED, Situation

Rows = Mapping[int, Mapping[str, Any]]

LEAVES = (
    Situation.MERGED,
    Situation.GONE,
    Situation.WITHOUT_ID,
    Situation.NOT_A_PERSON,
    Situation.INACTIVE,
    Situation.DEPENDANT,
    Situation.NO_ACCESS_GROUP,
    Situation.DUPLICATE,
    Situation.DETACHED,
)
KEPT = ("erp_id", "email", "in_customers_group", "groups", "reason", "detached")


def check_table(found: Mapping[str, str | None], before: Rows, after: Rows) -> None:
    """Every record is in one situation, and its customer became what the table says.

    :param found: ERP id -> situation.
    :param before, after: base customers by number.
    """
    own = {row["erp_id"]: row for row in before.values() if row["erp_id"]}
    holders = {row["erp_id"]: row for row in after.values() if row["erp_id"]}
    for erp_id, word in found.items():
        assert word in set(Situation), (erp_id, word)
        situation, was = Situation(word), own.get(erp_id)
        if was is None:
            assert situation not in (Situation.DETACHED, Situation.ELIGIBLE, Situation.HELD)
            # a merge may end in any record; none but a new one is added
            assert situation is not Situation.NEW or erp_id in holders
            continue
        assert situation is not Situation.NEW
        now = after[was["customer"]]
        check(situation, was, now, stays=now["erp_id"] == erp_id)


def check(
    situation: Situation, was: Mapping[str, Any], now: Mapping[str, Any], *, stays: bool
) -> None:
    """:param stays: the customer still belongs to the same record."""
    told = (situation, was, now)
    if situation in UNCHANGED:
        assert [was[name] for name in KEPT] == [now[name] for name in KEPT], told
    elif situation in LEAVES:
        assert not stays or not now["in_customers_group"], told
    elif situation is Situation.IN_DOUBT and stays:
        given_up = was["email"] is not None and now["email"] is None
        kept = now["in_customers_group"] == was["in_customers_group"]
        assert kept or (given_up and not now["in_customers_group"]), told
    elif situation is Situation.ELIGIBLE:
        assert stays, told
        assert now["in_customers_group"], told
