"""R24: the page that answers a caller: four questions, links between answers, and the way back after a sync."""

from __future__ import annotations

import re

from clubsync.manual import app_users, requests
from tests.pages.conftest import Site
from tests.pages.test_pages import post, text


def asked(site: Site, who: str, role: str = "support", **fields: str) -> str:
    answer = site.as_(role).post("/pages/why", data={"who": who, "club": site.club.id, **fields})
    assert answer.status_code == 200
    return answer.text


def test_the_four_questions_are_answered_on_one_page(site: Site) -> None:
    page = asked(site, "5")
    questions = re.findall(r'<li class="(yes|no|unknown)">\s*<h2>([^<]+?) <b>', page)
    assert [about for _, about in questions] == [
        "Is this person in the ERP?",
        "Does the ERP record give access?",
        "Is the email theirs?",
        "Is the app account linked?",
    ]
    assert [answer for answer, _ in questions] == ["yes", "yes", "yes", "no"]
    assert "As of the complete reading of" in text(page)


def test_an_answer_links_to_the_records_that_it_names(site: Site) -> None:
    """The one who lost a duplicate leads to the one who has it."""
    club = site.club
    club.erp.put("90", "two@mail.example.org")
    club.erp.put("91", "two@mail.example.org")
    club.sync()
    page = asked(site, "91", "viewer")
    assert f'href="/pages/clubs/{club.id}/person?erp_id=90"' in page
    assert "90" in site.page("viewer", "/person?erp_id=90")


def test_the_answer_comes_back_after_sync_now(site: Site) -> None:
    back = post(site, "support", "/do/sync", erp_id="5")
    assert "ERP customer 5 is in the Customers group" in text(back)
    assert site.started
    ((customer,),) = site.club.rows(
        "select customer from base.customer where club = %s and erp_id = '5'", site.club.number
    )
    back = post(site, "support", "/do/sync", customer=str(customer))
    assert "ERP customer 5 is in the Customers group" in text(back)
    assert "Boulder Paris" in post(site, "support", "/do/sync")


def test_somebody_of_another_club_is_found_there(site: Site) -> None:
    """The caller named the wrong club: masked, with the way to the right one."""
    page = asked(site, "zoe@other.fr", "viewer")
    assert "Not found in this club" in text(page)
    assert "In other clubs" in text(page)
    assert f'href="/pages/clubs/{site.other.id}/person?erp_id=9"' in page
    assert "Zoé" not in page
    api = f"/api/v1/clubs/{site.club.id}/why"
    told = site.program("viewer").post(api, json={"who": "zoe@other.fr"}).json()
    assert [(one["club"], one["erp_id"]) for one in told["elsewhere"]] == [(site.other.id, "9")]
    nobody = site.program("viewer").post(api, json={"who": "nobody@nowhere.fr"}).json()
    assert nobody["elsewhere"] == []


def test_the_email_of_the_app_finds_its_customer(site: Site) -> None:
    """R9: in the club and across clubs; its request too, with the button that accepts it (R11)."""
    club = site.club
    user = club.register("eve@mail.example.org")
    app_users.set_email(club._base, {club.number: club.config}, str(user), "eva@mail.example.org")
    for page in (
        asked(site, "eva@mail.example.org", "viewer"),
        site.as_("viewer").post("/pages/why", data={"who": "eva@mail.example.org"}).text,
    ):
        assert "ERP customer 5 is in the Customers group" in text(page)
        assert "Their app account has another email: e…@m….org" in text(page)
        assert "eva@mail.example.org" not in page.replace('value="eva@mail.example.org"', "")
    other = club.register("guest@mail.example.org")
    made = requests.request(club._base, club.config, str(other), by="x")
    page = asked(site, "guest@mail.example.org")
    assert f"/requests/{made['id']}/accept" in page
    across = site.as_("support").post("/pages/why", data={"who": "guest@mail.example.org"})
    assert f'href="/pages/clubs/{club.id}/requests"' in across.text or (
        "asked to become a customer" in text(across.text)
    )


def test_a_pair_of_questions_in_french(site: Site) -> None:
    site_in_french = site.as_("viewer")
    site_in_french.headers["accept-language"] = "fr"
    page = site_in_french.post("/pages/why", data={"who": "5", "club": site.club.id}).text
    assert "Cette personne est-elle dans le logiciel ?" in text(page)
    assert "Le compte d'application est-il lié ?" in text(page)
