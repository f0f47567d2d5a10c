"""What may happen in a small ERP, as rules of a hypothesis state machine."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.support.words import PEOPLE
from tests.support.world import GROUPS, IDS, LETTERS, PHONES, STATUSES, World

ids = st.sampled_from(IDS)
letters = st.sampled_from(LETTERS)
raw = st.sampled_from([*LETTERS, *LETTERS, None, "not an address"])
phones = st.sampled_from(PHONES)
people = st.sampled_from(sorted(PEOPLE))


class ErpMachine(RuleBasedStateMachine):
    """One world, step by step; the machine that inherits this says what a sync is."""

    world: World
    today: date

    @rule(i=ids, letter=raw, status=st.sampled_from(STATUSES))
    def put(self, i: str, letter: str | None, status: str) -> None:
        self.world.put(i, letter, status)

    @rule(i=ids, who=people)
    def rename(self, i: str, who: str) -> None:
        self.world.rename(i, who)

    @rule(i=ids, who=people, letter=letters)
    def reuse(self, i: str, who: str, letter: str) -> None:
        self.world.reuse(i, who, letter)

    @rule(i=ids)
    def vanish(self, i: str) -> None:
        self.world.vanish(i)

    @rule(i=ids)
    def bereave(self, i: str) -> None:
        self.world.bereave(i)

    @rule(i=ids, j=ids)
    def swap(self, i: str, j: str) -> None:
        self.world.swap(i, j)

    @rule(i=ids, j=ids)
    def merge(self, i: str, j: str) -> None:
        self.world.merge(i, j)

    @rule(i=ids, j=ids)
    def adopt(self, i: str, j: str) -> None:
        self.world.adopt(i, j)

    @rule(i=ids, j=st.none() | ids)
    def state_merge(self, i: str, j: str | None) -> None:
        self.world.change(i, replaced_by=j)

    @rule(i=ids, phone=phones, former=st.booleans())
    def edit_record(self, i: str, phone: str | None, former: bool) -> None:
        self.world.change(i, phone=phone, former=former)

    @rule(
        i=ids,
        held=st.dictionaries(
            st.sampled_from([*GROUPS, "nowhere"]), st.sampled_from([None, 0, 1, 3]), max_size=2
        ),
    )
    def join(self, i: str, held: dict[str, int | None]) -> None:
        days = {g: None if d is None else self.today + timedelta(d) for g, d in held.items()}
        self.world.join(i, days)

    @rule(name=st.sampled_from(GROUPS), active=st.sampled_from([True, False, None, "unlisted"]))
    def switch(self, name: str, active: bool | str | None) -> None:
        self.world.switch(name, active)
