"""R14: what watches a running Airflow sees a broken promise: each verdict, for and against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.support.chronicle import Change, Chronicle
from tests.support.living_erp import LivingErp, Person

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def _at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def _change(who: Person, kind: str, began: int, at: int, email: str | None = None) -> Change:
    return Change(who.id, kind, email, kind == "deactivation", _at(began), _at(at))


class Told:
    """An ERP with its chronicle, minute by minute."""

    def __init__(self, *, by_memberships: bool = False) -> None:
        self.erp = LivingErp(Random(1), by_memberships=by_memberships)
        self.chronicle = Chronicle(self.erp)

    def note(self, minute: int) -> None:
        self.chronicle.note(_at(minute))

    def wrong(
        self, who: Person, kind: str, began: int, at: int, email: str | None = None
    ) -> str | None:
        return self.chronicle.wrong(_change(who, kind, began, at, email))


@pytest.mark.parametrize(
    ("began", "at", "verdict"),
    [(2, 3, "lost"), (0, 3, None), (2, 11, None), (12, 13, None)],
    ids=["active all along", "came meanwhile", "left meanwhile", "had left"],
)
def test_a_loss_is_wrong_of_who_had_a_right_all_along(
    began: int, at: int, verdict: str | None
) -> None:
    told = Told()
    person = told.erp.come()
    told.note(1)
    told.erp.leave(person)
    told.note(10)
    assert told.wrong(person, "deactivation", began, at) == verdict


def test_nobody_has_a_right_under_an_email_that_another_has() -> None:
    told = Told()
    one, two = told.erp.come(), told.erp.come()
    told.note(1)
    told.erp.change(two, email=one.email)
    told.note(5)
    assert told.wrong(one, "deactivation", 6, 7) is None
    assert told.wrong(one, "deactivation", 2, 4) == "lost"


@pytest.mark.parametrize(("began", "at", "verdict"), [(0, 4, "gained"), (4, 6, None), (6, 7, None)])
def test_an_entry_is_wrong_of_whom_the_erp_kept_out_all_along(
    began: int, at: int, verdict: str | None
) -> None:
    told = Told()
    person = told.erp.come(active=False)
    told.note(0)
    told.erp.change(person, active=True)
    told.note(5)
    assert told.wrong(person, "addition", began, at) == verdict


def test_two_lists_that_kept_somebody_out_in_turn_prove_nothing() -> None:
    """Whoever reads the one list and then the other may see both of them let the person in."""
    told = Told(by_memberships=True)
    person = told.erp.come(active=False)
    told.erp.join(person)
    told.note(0)
    told.erp.memberships.clear()
    told.note(5)
    told.erp.change(person, active=True)
    told.note(5)
    assert told.wrong(person, "addition", 3, 7) is None
    assert told.wrong(person, "addition", 6, 7) == "gained"


def test_an_email_is_wrong_that_the_record_never_had_meanwhile() -> None:
    told = Told()
    person = told.erp.come(email="a@x.fr")
    told.note(0)
    told.erp.change(person, email="b@x.fr")
    told.note(5)
    assert told.wrong(person, "email_change", 1, 3, "b@x.fr") == "foreign email"
    assert told.wrong(person, "email_change", 1, 6, "b@x.fr") is None
    assert told.wrong(person, "email_change", 6, 7, "b@x.fr") is None
