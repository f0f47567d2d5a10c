"""R19: names, emails and phones stay out of logs, steps and what is validated."""

from __future__ import annotations

import json
import logging

import polars as pl
import pytest

from clubsync import model
from clubsync.load import customers as load_customers
from clubsync.load import small
from clubsync.model import Policy
from clubsync.store import packages, record_index
from clubsync.store.packages import stored_plan
from clubsync.validate import facts, suites
from connectors.sdk.errors import ErpUnreachable
from tests.support.club import Club

SECRETS = ("zoe", "quintessence", "33611223344", "1234567")


def person(club: Club, erp_id: str, *, email: str = "", phone: str = "+33611223344") -> None:
    """Somebody who is easily found in a text."""
    club.erp.put(
        erp_id,
        email or f"zoe.{erp_id}@quintessence.fr",
        first_name="Zoe",
        last_name="Quintessence",
        phone=phone,
    )


def told(text: str) -> list[str]:
    """What of a person a text tells."""
    return [secret for secret in SECRETS if secret in text.lower()]


def test_r19_logs_and_steps_hold_ids_and_counts_only(
    club: Club, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Everything that can happen to a person, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    steps = []
    person(club, "1")
    person(club, "2", email="zoe.1@quintessence.fr")
    person(club, "3", email="zoe quintessence")
    steps.append(club.sync())
    club.link("1")
    person(club, "1", email="zoe.new@quintessence.fr", phone="+33611223344")
    club.erp.change("2", status="archived")
    steps.append(club.sync(lost=("3",)))
    club.erp.remove("3")
    steps.append(club.sync())
    club.erp.fault = ErpUnreachable("The ERP did not answer.")
    steps.append(club.attempt())
    output = capfd.readouterr()
    assert told(caplog.text + output.out + output.err + json.dumps(steps)) == []


def test_r19_a_fault_of_ours_tells_where_not_whom(
    club: Club, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data base's own message holds the row: it is not passed on."""
    caplog.set_level(logging.DEBUG)
    person(club, "1")
    club.sync()
    person(club, "2")

    def broken(*_: object) -> int:
        with club.driver() as driver:
            driver.execute(
                "insert into base.customer (club, customer, email, origin, in_customers_group, created_at, updated_at)"
                " select club, customer, 'zoe@quintessence.fr', 'erp', true, now(), now() from base.customer"
            )
        return 0

    monkeypatch.setattr(small, "SMALL", -1)
    monkeypatch.setattr(load_customers, "writing", broken)
    step = club.attempt()
    assert "Internal error (UniqueViolation)" in (step["error"] or "")
    assert "test_r19_silence.py" in caplog.text
    assert told(caplog.text + json.dumps(step)) == []


def test_r19_the_suites_see_no_value_of_a_person(club: Club) -> None:
    """ "validation reports": what Great Expectations is given are ids, verdicts and counts."""
    from clubsync.store import snapshots
    from connectors.sdk.model import GROUP_REF

    person(club, "1")
    person(club, "2", email="zoe quintessence")
    reading = club.erp.reading()
    customers, _ = snapshots.prepare(reading)
    nothing = pl.lit(None, dtype=pl.List(GROUP_REF))
    records = customers.with_columns(
        presence=pl.lit(model.SEEN), m_groups=nothing, m_remembered=nothing
    )
    policy = Policy(today=club.now.date())
    seen = suites.derived(facts.evaluate(records, reading.groups, policy), policy)
    assert seen.height == 2
    assert told(seen.write_json()) == []
    assert record_index.RECORD_INDEX.names()[:2] == ["erp_id", "row_hash"]


def test_r19_the_plan_that_is_listed_names_nobody(club: Club) -> None:
    """Ids and kinds lie apart from the personal values."""
    person(club, "1")
    step = club.sync()
    store = club.pipeline().store
    folder = f"{club.id}/runs/{step['run']}"
    listed = stored_plan(store, folder).changes
    assert listed["erp_id"].to_list() == ["1"]
    assert told(listed.write_json()) == []
    whole = packages.read(store, folder, packages.PLAN).frames
    assert told(whole["plan.customers"].write_json()) != []
