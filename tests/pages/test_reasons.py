"""The list of clubs says in a line why each needs attention, and counts the failures of the last hour."""

from __future__ import annotations

from typing import Any

from connectors.sdk.errors import CredentialsRefused, ErpUnreachable
from tests.pages.conftest import Site
from tests.pages.test_pages import text
from tests.support.club import Club


def row(site: Site, club: Club, language: str = "en") -> dict[str, Any]:
    asked = {"words": club.id, "language": language}
    (found,) = site.as_("viewer").get("/api/v1/clubs", params=asked).json()["clubs"]
    return dict(found)


def line(site: Site, club: Club, language: str = "en") -> str:
    """What the page says of the club in its row."""
    page = site.as_("viewer").get(
        f"/pages/clubs?words={club.id}", headers={"accept-language": language}
    )
    return text(page.text.split("<tr data-row>")[1].split("</tr>")[0])


def test_a_failing_club_says_what_happened_and_leads_to_its_runbook(site: Site) -> None:
    club = site.other
    assert row(site, club)["reason"] is None
    club.erp.fault = CredentialsRefused("The ERP rejected our credentials (HTTP 401).")
    club.attempt()
    why = row(site, club)["reason"]
    assert (why["kind"], why["runbook"]) == ("failing", "credentials-refused")
    assert why["text"] == "The ERP rejected our credentials (HTTP 401)."
    assert "The ERP rejected our credentials (HTTP 401). Runbook" in line(site, club)
    club.later(hours=3)
    club.attempt()
    assert row(site, club)["state"] == "quarantined"
    assert row(site, club)["reason"]["text"] == why["text"]
    assert "CredentialsRefused" not in line(site, club)


def test_r15_a_held_club_says_how_many_and_why(site: Site) -> None:
    found = row(site, site.club)
    assert (found["state"], found["reason"]["kind"]) == ("held", "hold")
    assert found["reason"]["text"].startswith("6 removals await approval: ")
    assert "Gold" in found["reason"]["text"]
    assert "6 retraits attendent une validation : " in line(site, site.club, "fr")
    assert (
        f"/holds/{found['reason']['hold']}"
        in site.as_("viewer").get(f"/pages/clubs?words={site.club.id}").text
    )


def test_r28_a_paused_club_says_who_paused_it_and_when(site: Site) -> None:
    site.program("support").post(f"/api/v1/clubs/{site.other.id}/pause")
    why = row(site, site.other)["reason"]
    assert why["kind"] == "paused"
    assert why["text"].startswith("Paused on 2 Mar 2026, ")
    assert why["text"].endswith(" by support-person.")
    french = row(site, site.other, "fr")["reason"]["text"]
    assert french.startswith("Mis en pause le 2 mars 2026, ")


def test_r25_a_late_club_says_what_was_promised(site: Site) -> None:
    site.other.later(hours=5)
    why = row(site, site.other)["reason"]
    assert why["kind"] == "late"
    assert why["text"].startswith("Last sync: 5 hours ago; promised: at most ")


def test_r14_a_club_says_who_awaits_a_second_reading(site: Site) -> None:
    """Also while it is fresh; and why its last reading was incomplete."""
    club = site.other
    for n in range(1, 9):
        club.erp.put(f"s{n}", f"s{n}@other.fr")
    club.erp.page_size = 3
    club.sync()
    club.erp.remove("s8")
    club.sync()
    found = row(site, club)
    assert (found["state"], found["reason"]["kind"]) == ("fresh", "suspected")
    assert found["reason"]["text"].startswith("1 customer awaits a second reading")
    club.sync()
    assert row(site, club)["reason"] is None
    club.erp.page_size = None
    club.sync(certified=False)
    assert row(site, club)["reason"]["kind"] == "incomplete"
    assert "The last page did not come." in line(site, club)


def test_the_failures_of_the_last_hour_are_counted_by_club_and_by_erp(site: Site) -> None:
    """Those that a later sync made good count as well; after an hour none of them does."""
    club = site.other
    club.erp.fault = ErpUnreachable("It is down.")
    for _ in range(2):
        club.later(minutes=5)
        club.attempt()
    club.erp.fault = None
    club.later(minutes=5)
    club.sync()
    found = row(site, club)
    assert (found["state"], found["failures"]) == ("fresh", 2)
    assert "2 failures in the last hour" in line(site, club)
    assert "2 échecs pendant la dernière heure" in line(site, club, "fr")
    board = site.as_("viewer").get("/api/v1/clubs").json()
    (erp,) = [one for one in board["failures"] if one["erp"] == "memory"]
    assert erp["failing"] >= 1
    assert erp["failures"] >= 2
    assert erp["clubs"] >= 2
    page = text(site.as_("viewer").get("/pages/clubs").text)
    assert f"Failed syncs in the last hour: memory {erp['failures']}" in page
    club.later(minutes=61)
    club.sync()
    assert row(site, club)["failures"] == 0


def test_one_club_is_one_club(site: Site) -> None:
    """In both languages: a number of one takes the singular."""
    for language, one in (("en", "1 club "), ("fr", "1 club ")):
        page = site.as_("viewer").get(
            f"/pages/clubs?words={site.other.id}", headers={"accept-language": language}
        )
        said = text(page.text)
        assert one in said
        assert "1 clubs" not in said
