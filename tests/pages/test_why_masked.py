"""R19: a sentence that quotes an email masks it, as every field is, until somebody asks for it and is recorded."""

from __future__ import annotations

import pytest

from tests.pages.conftest import Site

EMAIL = "ana@mail.example.org"


@pytest.fixture
def suspected(site: Site) -> Site:
    """R14: record 5 took on the email of record 1 in a walk; a second reading has to show it too."""
    site.club.erp.page_size = 4
    site.club.erp.change("5", email=EMAIL)
    assert site.club.sync()["suspected"]
    return site


def test_a_viewer_does_not_see_the_email_that_a_second_reading_has_to_show(suspected: Site) -> None:
    page = suspected.page("viewer", "/person?erp_id=5")
    assert "half of a swap" in page
    assert "a…@m….org" in page
    assert EMAIL not in page
    for asked in (f"/clubs/{suspected.club.id}/why", "/why"):
        answer = suspected.program("viewer").post(f"/api/v1{asked}", json={"who": "5"})
        assert "half of a swap" in answer.text
        assert EMAIL not in answer.text


def test_who_may_see_it_sees_it_and_is_recorded(suspected: Site) -> None:
    shown = f"/api/v1/clubs/{suspected.club.id}/why/shown"
    assert EMAIL in suspected.program("support").post(shown, json={"who": "5"}).json()["sentence"]
    ((kind, people),) = suspected.club.rows(
        "select kind, people from sync.act where club = %s", suspected.club.number
    )
    assert (kind, people) == ("show", ["5"])
