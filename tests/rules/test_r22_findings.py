"""R22: what the club is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from clubsync.validate.suites import advice
from tests.support.club import Club, MemoryConnector

CAUSES: list[tuple[dict[str, Any], str, str]] = [
    ({"email": None}, "EMAIL_MISSING", "error"),
    ({"email": "ann@exemple"}, "EMAIL_INVALID", "error"),
    ({"groups": ["off"]}, "GROUP_INACTIVE", "error"),
    ({"groups": [("gold", date(2026, 3, 1))]}, "GROUP_INACTIVE", "warning"),
    ({"groups": ["nowhere"]}, "GROUP_UNKNOWN", "warning"),
    ({"status": "unknown", "status_raw": "?"}, "STATUS_UNKNOWN", "warning"),
    ({"first_name": None, "last_name": None}, "FIELD_MISSING", "warning"),
    ({"placeholder": True}, "PLACEHOLDER_RECORD", "info"),
]


@pytest.mark.parametrize(("fields", "code", "severity"), CAUSES)
def test_r22_opens_with_its_cause_and_closes_by_itself(
    club: Club, fields: dict[str, Any], code: str, severity: str
) -> None:
    """ "a code, ... since when, and which run saw it; it closes by itself when the cause is gone"."""
    club.erp.group("gold")
    club.erp.group("off", active=False)
    club.erp.put("1", **{"email": "a@x.fr", "groups": ["gold"], **fields})
    opened = club.sync()
    since = club.now
    sql = (
        "select code, severity, since, run, closed_at, closed_run from sync.finding where club = %s"
    )
    assert club.rows(sql, club.number) == [(code, severity, since, opened["run"], None, None)]
    assert opened["findings"] == ({} if severity == "info" else {code: 1})
    club.sync()
    assert club.rows(sql, club.number) == [(code, severity, since, opened["run"], None, None)]
    club.erp.put("1", "a@x.fr", groups=["gold"])
    closed = club.sync()
    assert club.rows(sql, club.number) == [
        (code, severity, since, opened["run"], club.now, closed["run"])
    ]
    assert closed["findings"] == {}


@pytest.mark.parametrize(
    ("former", "active", "told"),
    [
        ([], False, "All of this customer's groups in the ERP are inactive (Saison, 9)."),
        (["7", "8"], True, "(Saison)"),
    ],
)
def test_r22_groups_are_told_by_name(
    new_club: Callable[..., Club], former: list[str], active: bool, told: str
) -> None:
    """ "a plain sentence": nobody at the club knows the ids of groups. Two of one name are told once."""
    club = new_club(former_groups=former)
    club.erp.group("7", active=active, name="Saison")
    club.erp.group("8", active=active, name="Saison")
    club.erp.group("9", active=False)
    club.erp.put("1", "a@x.fr", groups=["7", "8", "9"])
    club.sync()
    (found,) = club.rows(
        "select code, severity, detail from sync.finding where club = %s", club.number
    )
    assert told in advice(*found)


def test_r22_a_plain_status_needs_none(club: Club) -> None:
    """ "for another reason than its plain status"."""
    club.erp.put("1", None, status="archived", groups=["nowhere"], first_name=None, last_name=None)
    club.sync()
    assert club.findings(all=True) == {}


def test_r22_in_with_a_doubt(club: Club) -> None:
    """ "or is there with a doubt"."""
    club.erp.put("1", "a@x.fr")
    club.sync()
    club.erp.change("1", email=None)
    club.sync()
    assert (club.inside(), club.findings()) == ({"1"}, {"1": {"EMAIL_MISSING"}})


def test_r22_a_phone_centred_erp(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "no email in a phone-centred ERP ... has severity `info` ... and is not counted as open"."""
    monkeypatch.setattr(MemoryConnector, "phone_centred", True)
    club.erp.put("1", None, phone="+33600000001")
    assert club.sync()["findings"] == {}
    assert club.findings(all=True) == {"1": {"EMAIL_MISSING"}}


def test_r22_time_opens_and_closes_too(club: Club) -> None:
    """A membership runs out overnight, without a change in the ERP."""
    club.erp.group("month")
    club.erp.put("1", "a@x.fr", groups=[("month", date(2026, 3, 5))])
    club.sync()
    assert club.findings() == {}
    club.at("2026-03-06T12:00")
    club.sync()
    assert club.findings() == {"1": {"GROUP_INACTIVE"}}


def test_r22_gone_records_leave_none_behind(club: Club) -> None:
    """The record that the finding was about is not in the ERP any more."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.erp.put("3", None)
    club.sync()
    assert set(club.findings()) == {"1", "2", "3"}
    club.erp.remove("2", "3")
    club.sync()
    assert club.findings(all=True) == {}


def test_r22_it_keeps_its_time_while_what_it_names_changes(club: Club) -> None:
    """ "since when": a third record joins the cluster, the finding is as old as it is."""
    club.erp.put("1", "a@x.fr")
    club.erp.put("2", "a@x.fr")
    club.sync()
    since = club.now
    club.erp.put("3", "a@x.fr")
    club.sync()
    sql = "select erp_id, since, detail -> 'others' from sync.finding where club = %s and closed_at is null"
    found = {erp_id: (when, others) for erp_id, when, others in club.rows(sql, club.number)}
    assert found["1"] == (since, ["2", "3"])
    assert found["3"] == (club.now, ["1", "2"])
