"""The table of cases of `clubsync.diff.plan`: an example of each situation, and the table as it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from importlib import import_module
from typing import Any, NamedTuple

import polars as pl
import pytest

from clubsync.diff import merges, situations
from clubsync.model import Situation
from clubsync.store.snapshots import Snapshot
from connectors.sdk.model import Consistency
from tests.support.memory import Memory
from tests.support.words import Record

TODAY = date(2026, 3, 2)
GROUPS: dict[str, bool | None] = {"gold": True, "off": False}
ANN, BEN = Record("ann@x.fr"), Record("ben@x.fr")

Erp = Mapping[str, Record]


class Example(NamedTuple):
    """:param record: the one that is in the situation.
    :param before: the ERP at a first, certified reading.
    :param by_hand: what people do after it.
    :param now: the ERP at the reading in question; `reading` changes what it shows.
    """

    before: Erp
    now: Erp
    certified: bool = True
    by_hand: Callable[[Memory], None] = lambda memory: None
    reading: Callable[[Snapshot], Snapshot] = lambda snapshot: snapshot
    record: str = "1"


def conflicting(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, conflicting_ids=("1",))


def walked(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, consistency=Consistency.BY_POSITION)


def somebody_else(snapshot: Snapshot) -> Snapshot:
    return of_one(snapshot, first_name="Zoe", last_name="Zola", phone="+33600000009")


def not_a_person(snapshot: Snapshot) -> Snapshot:
    return of_one(snapshot, placeholder=True)


def nobodys(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, customers=snapshot.customers.with_columns(placeholder=True))


def of_one(snapshot: Snapshot, **values: Any) -> Snapshot:
    columns = [
        pl.when(pl.col("erp_id") == "1").then(pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    ]
    return replace(snapshot, customers=snapshot.customers.with_columns(columns))


def customer_of(memory: Memory, erp_id: str) -> dict[str, Any]:
    return next(row for row in memory.customers() if row["erp_id"] == erp_id)


def held(memory: Memory) -> None:
    customer_of(memory, "1")["keep"] = True


def undone(memory: Memory) -> None:
    customer_of(memory, "1")["undone"] = "1"


def detached(memory: Memory) -> None:
    memory.detach(customer_of(memory, "1")["customer"])


OUT, DOUBTFUL = replace(ANN, status="archived"), replace(ANN, status="unknown")
CHILD, IN_OFF = Record(None, guardian="2"), replace(ANN, groups={"off": None})
WITH_PHONE = replace(ANN, phone="+33600000001")

#: An example of each, in which record 1 is in it.
EXAMPLES = {
    Situation.UNSEEN: Example({"1": ANN, "2": BEN}, {"2": BEN}, certified=False),
    Situation.SUSPECTED: Example({"1": ANN, "2": BEN}, {"2": BEN}, reading=walked),
    Situation.CONFLICTING: Example({"1": ANN}, {}, reading=conflicting),
    # it wants the email that 2 keeps, which is on a page that was lost
    Situation.UNSETTLED: Example({"1": ANN, "2": BEN}, {"1": BEN}, certified=False),
    Situation.ID_REUSED: Example({"1": WITH_PHONE}, {"1": BEN}, reading=somebody_else),
    Situation.UNDONE: Example({"1": ANN}, {"1": OUT}, by_hand=undone),
    Situation.HELD: Example({"1": ANN}, {"1": OUT}, by_hand=held),
    Situation.MERGED: Example({"1": ANN}, {"2": ANN}),
    Situation.GONE: Example({"1": ANN}, {}),
    Situation.WITHOUT_ID: Example({}, {"~row-1": ANN}, reading=nobodys, record="~row-1"),
    Situation.NOT_A_PERSON: Example({"1": ANN}, {"1": ANN}, reading=not_a_person),
    Situation.INACTIVE: Example({"1": ANN}, {"1": OUT}),
    Situation.DEPENDANT: Example({"1": ANN, "2": BEN}, {"1": CHILD, "2": BEN}),
    Situation.NO_ACCESS_GROUP: Example({"1": ANN}, {"1": IN_OFF}),
    Situation.IN_DOUBT: Example({"1": ANN}, {"1": DOUBTFUL}),
    Situation.DUPLICATE: Example({"1": BEN, "2": ANN}, {"1": ANN, "2": ANN}),
    Situation.NEW: Example({}, {"1": ANN}),
    Situation.DETACHED: Example({"1": ANN}, {"1": ANN}, by_hand=detached),
    Situation.ELIGIBLE: Example({"1": ANN}, {"1": ANN}),
}


@pytest.mark.parametrize("situation", list(Situation))
def test_an_example_of_each(situation: Situation) -> None:
    """Found before the plan, and followed by it (`take_in` checks that)."""
    example, memory = EXAMPLES[situation], Memory()
    memory.sync(example.before, GROUPS, True, TODAY)
    example.by_hand(memory)
    snapshot = example.reading(memory.snapshot(example.now, GROUPS, example.certified))
    assert memory.situations(snapshot, TODAY)[example.record] == situation
    memory.take_in(snapshot, TODAY)


def test_the_table_is_what_the_code_follows() -> None:
    """The docstring's table, the cases and the words name the same situations in the same order."""
    table = (import_module("clubsync.diff.plan").__doc__ or "").partition("\n----")[2]
    written = re.findall(r"^([a-z_]+) {2,}", table, flags=re.MULTILINE)
    followed = [situation for situation, _ in situations.cases(merges.ENDED.to_frame(), True)]
    assert written == followed == list(Situation)
