"""Many records of one email: each has its finding (R7), and none of them a list of all others."""

from __future__ import annotations

from clubsync.validate.suites import advice
from tests.support.club import Club
from tests.support.measured import MEGABYTE, measured
from tests.support.rules import NewClub

CROWD = """
from datetime import date
import polars as pl
from clubsync.marks import ONE_CLUB
from clubsync.model import GROUP_LIST, Policy
from clubsync.validate import facts, suites
from connectors.sdk.model import customers_frame, groups_frame
def findings(many):
    one = {"email": "one@x.fr", "first_name": "F", "status": "active"}
    rows = [{"erp_id": f"customer-{n:09d}", **one} for n in range(many)]
    none = pl.lit(None, dtype=GROUP_LIST)
    customers = customers_frame(rows).drop("gender", "country", "modified_at")
    customers = customers.with_columns(presence=pl.lit("seen"), m_groups=none, m_remembered=none)
    policy = Policy(today=date(2026, 1, 1))
    evaluated = facts.evaluate(customers, groups_frame([]), policy)
    failed = evaluated.select("erp_id", code=pl.lit("EMAIL_DUPLICATE"), severity=pl.lit("error"))
    return suites._detailed(failed, evaluated, ONE_CLUB)
findings(30)
"""


def test_five_thousand_records_of_one_email() -> None:
    """Took 1.6 GB: each with a list of all others."""
    found = measured(
        "told = findings(5_000)\nassert told.height == 5_000\n"
        "assert told['detail'].str.len_chars().max() < 600",
        CROWD,
    )
    assert (found.kind, found.said) == (None, "")
    assert found.grown < 120 * MEGABYTE


def test_each_names_some_others_and_says_how_many(new_club: NewClub) -> None:
    """R7: "All records of the cluster get a finding that names the others; the rest are not loaded"."""
    club: Club = new_club(shared_email_limit=100)
    for n in range(60):
        club.erp.put(f"{n:03d}", "one@x.fr")
    club.sync()
    assert club.inside() == {"000"}
    assert set(club.findings()) == {f"{n:03d}" for n in range(60)}
    rows = club.rows("select erp_id, detail from sync.finding where club = %s", club.number)
    for erp_id, detail in rows:
        assert len(detail["others"]) == 20
        assert erp_id not in detail["others"]
        assert detail["count"] == 59
    said = advice("EMAIL_DUPLICATE", "error", rows[0][1])
    assert said.startswith("Several ERP customers share this email (also ")
    assert ", \u2026 (59)" in said


def test_a_few_are_all_named(new_club: NewClub) -> None:
    club: Club = new_club()
    for n in range(3):
        club.erp.put(f"{n}", "one@x.fr")
    club.sync()
    found = dict(club.rows("select erp_id, detail from sync.finding where club = %s", club.number))
    assert found["0"] == {"others": ["1", "2"]}
