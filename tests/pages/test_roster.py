"""A club's people by situation: the page, the API, and that both say what `why` says of each."""

from __future__ import annotations

import pytest

from tests.pages.conftest import Site
from tests.pages.test_pages import text


def test_everybody_stands_there_once_with_the_situation_that_why_names(site: Site) -> None:
    club = site.club
    club.erp.put("30", "thirty@mail.example.org", status="archived")
    club.erp.put("31", "ana@mail.example.org")
    club.sync()
    club.add_by_hand("hand@mail.example.org")
    api = site.program("viewer")
    where = f"/api/v1/clubs/{club.id}/people"
    found = api.get(where).json()
    assert found["pages"] == 1
    people = {row["erp_id"]: row["situation"] for row in found["people"]}
    assert people.pop(None) == "without_record"
    assert set(people) == {
        row[0]
        for row in club.rows(
            "select erp_id from sync.erp_customer where club = %s union "
            "select erp_id from base.customer where club = %s and erp_id is not null",
            *(club.number, club.number),
        )
    }
    assert {erp_id: club.why(erp_id)["situation"] for erp_id in people} == people
    assert {"held", "eligible", "inactive", "duplicate"} <= set(people.values())
    assert found["inside"] == len(club.inside())
    assert sum(found["situations"].values()) == found["total"] == len(people) + 1
    held = api.get(where, params={"situation": "held"}).json()
    assert {row["erp_id"] for row in held["people"]} == {
        erp_id for erp_id, situation in people.items() if situation == "held"
    }
    outside = api.get(where, params={"inside": "false"}).json()
    assert outside["people"]
    assert not any(row["in_customers_group"] for row in outside["people"])


def test_the_page_links_to_each_answer(site: Site) -> None:
    page = site.page("viewer", "/people?situation=eligible&inside=true")
    assert f'href="/pages/clubs/{site.club.id}/person?erp_id=5"' in page
    assert "eligible" in text(page)
    assert f'href="/pages/clubs/{site.club.id}/people"' in site.page("viewer", "")
    assert "Nobody." in text(site.page("viewer", "/people?situation=unseen"))


def test_a_suspected_record_stands_as_suspected(site: Site) -> None:
    """R14: also where the mirror still has it as it was."""
    club = site.other
    for n in range(1, 9):
        club.erp.put(f"s{n}", f"s{n}@other.fr")
    club.erp.page_size = 3
    club.sync()
    club.erp.remove("s8")
    club.sync()
    api = site.program("viewer")
    where = f"/api/v1/clubs/{club.id}/people"
    (row,) = api.get(where, params={"situation": "suspected"}).json()["people"]
    assert row["erp_id"] == "s8"


def test_a_club_that_is_too_large_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from plugins.web.services import roster

    monkeypatch.setattr(roster, "LARGEST", 3)
    answer = site.as_("viewer").get(f"/pages/clubs/{site.club.id}/people")
    assert answer.status_code == 422
    assert "clubsync customers" in text(answer.text)
