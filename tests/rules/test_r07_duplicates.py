"""R7: duplicate emails inside a club."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.club import Club


def others(club: Club, erp_id: str) -> list[str]:
    """Whom the duplicate's finding names."""
    sql = (
        "select detail -> 'others' from sync.finding"
        " where club = %s and erp_id = %s and code = 'EMAIL_DUPLICATE' and closed_at is null"
    )
    return list(club.rows(sql, club.number, erp_id)[0][0])


def test_r07_the_holder_keeps_it(club: Club) -> None:
    """ "the ERP record that already holds the email in the base keeps it", older and lower ids notwithstanding;
    "All records of the cluster get a finding that names the others; the rest are not loaded"."""
    club.erp.put("5", "a@x.fr", created_at=datetime(2025, 1, 1, tzinfo=UTC))
    club.sync()
    club.erp.put("1", "A@x.fr", created_at=datetime(2001, 1, 1, tzinfo=UTC))
    club.erp.put("2", "a@X.fr")
    club.sync()
    assert set(club.base()) == {"5"}
    assert club.inside() == {"5"}
    assert club.findings() == {key: {"EMAIL_DUPLICATE"} for key in "125"}
    assert others(club, "5") == ["1", "2"]
    assert others(club, "1") == ["2", "5"]


def test_r07_the_earliest_created_is_chosen(club: Club) -> None:
    """ "earliest created, blank last"."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr", created_at=datetime(2024, 1, 2, tzinfo=UTC))
    club.erp.put("3", "a@x.fr", created_at=datetime(2024, 1, 1, tzinfo=UTC))
    club.sync()
    assert club.inside() == {"3"}


def test_r07_then_the_lowest_id_as_a_number(club: Club) -> None:
    """ "then lowest ERP id, as numbers where all are digits"."""
    club.erp.put("10", "a@x.fr")
    club.erp.put("9", "a@x.fr")
    club.erp.put("10b", "b@x.fr")
    club.erp.put("9b", "b@x.fr")
    club.erp.put("007", "c@x.fr")
    club.erp.put("12345678901234567890123", "c@x.fr")
    club.sync()
    assert club.inside() == {"9", "10b", "007"}


def test_r07_fixing_the_erp_releases_them(club: Club) -> None:
    """ "Fixing the ERP releases them at the next run", and the findings close by themselves."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.erp.put("3", "a@x.fr")
    club.sync()
    club.erp.change("2", email="b@x.fr")
    club.sync()
    assert club.inside() == {"1", "2"}
    assert club.findings() == {key: {"EMAIL_DUPLICATE"} for key in "13"}
    club.erp.change("1", email="c@x.fr")
    club.sync()
    assert club.inside() == {"1", "2", "3"}
    assert club.findings(all=True) == {}


def test_r07_only_among_those_who_would_be_eligible(club: Club) -> None:
    """ "among records that would be eligible but for it": an archived double harms nobody."""
    club.erp.group("off", active=False)
    club.erp.put("1", "a@x.fr", status="archived")
    club.erp.put("2", "a@x.fr", groups=["off"])
    club.erp.put("3", "a@x.fr")
    club.sync()
    assert club.inside() == {"3"}
    assert club.findings() == {"2": {"GROUP_INACTIVE"}}


def test_r07_the_holder_leaves_and_the_next_one_is_loaded(club: Club) -> None:
    """The holder is archived: the double is released (and takes over the customer, R1)."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    customer = club.base()["1"]["id"]
    club.erp.change("1", status="archived")
    club.sync()
    assert club.inside() == {"2"}
    assert club.base()["2"]["id"] == customer
    assert club.findings() == {}


def test_r07_a_customer_who_takes_anothers_email_is_out_until_it_is_mended(club: Club) -> None:
    """The record gives up its own email for one that is held: a duplicate like any other."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "b@x.fr")
    club.sync()
    before = club.base()
    club.erp.change("2", email="a@x.fr")
    club.sync()
    assert club.inside() == {"1"}
    assert club.base()["2"]["reason"] == "email_duplicate"
    club.erp.change("2", email="b@x.fr")
    club.sync()
    assert club.base() == before


def test_r07_a_holder_in_doubt_keeps_it_too(club: Club) -> None:
    """The holder's status is not understood: it keeps access and email (R3), the double waits with a finding."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", status="unknown")
    club.erp.put("2", "a@x.fr")
    club.sync()
    assert club.inside() == {"1"}
    assert club.findings()["2"] == {"EMAIL_DUPLICATE"}
    assert others(club, "2") == ["1"]
