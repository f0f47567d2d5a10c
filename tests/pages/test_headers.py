"""What every response carries; where redirects lead; and what an ERP wrote, on a page."""

from __future__ import annotations

import unicodedata

import pytest
from fastapi.routing import APIRoute

from plugins.web.headers import relative
from tests.pages.conftest import Site
from tests.pages.test_access import path


def test_a_redirect_names_no_host(site: Site) -> None:
    """Neither that of the Host header nor that of a path with two slashes."""
    for asked in (
        "/pages/clubs/",
        "/api/v1/clubs/",
        "/pages",
        "/pages/",
        "//evil.example/pages/clubs/",
    ):
        answer = site.as_("viewer").get(
            f"http://testserver{asked}",
            headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
        )
        assert "evil.example" not in answer.headers.get("location", "").removeprefix(
            "/evil.example"
        )
        if answer.is_redirect:
            assert answer.headers["location"].startswith("/")
            assert not answer.headers["location"].startswith("//")
        else:
            assert asked.startswith("//")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("http://evil.example/clubsync/pages?x=1", "/clubsync/pages?x=1"),
        ("//evil.example/a", "/a"),
        ("http://h//evil.example/", "/evil.example/"),
        ("http://h/\\evil.example/", "/evil.example/"),
        ("/clubsync/pages/clubs/a?act=1", "/clubsync/pages/clubs/a?act=1"),
    ],
)
def test_an_address_becomes_a_path(address: str, wanted: str) -> None:
    assert relative(address) == wanted


def test_nothing_personal_is_kept_by_a_browser_or_a_proxy(site: Site) -> None:
    """Of every route, for everybody: pages, API, files, redirects, errors."""
    admin = site.program("admin")
    for route in site.app.routes:
        if not isinstance(route, APIRoute):
            continue
        method = min(route.methods - {"HEAD", "OPTIONS"})
        answer = admin.request(method, path(route, site.club.id))
        assert answer.headers["cache-control"] == "no-store", (method, route.path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    stranger = site.as_(None).get(f"/api/v1/clubs/{site.club.id}")
    assert (stranger.status_code, stranger.headers["cache-control"]) == (401, "no-store")
    static = site.as_(None).get("/static/pages.css")
    assert "no-store" not in static.headers.get("cache-control", "")


def test_a_page_shows_what_an_erp_wrote_as_text(site: Site) -> None:
    """No markup, no reversed text, nothing invisible; and what a form sends back is exact."""
    odd = "4\u202e\u200b"
    name = "<script>alert(1)</script>\u202egpj\u2066\x1b[2J"
    site.club.erp.put(odd, "odd@mail.example.org", first_name=name, last_name="[/x]")
    site.club.erp.put(
        "41", "odd.d@else.example.org", first_name=name, last_name="[/x]", phone="+33699999999"
    )
    site.club.erp.change(odd, phone="+33699999999")
    site.club.sync()
    pages = {
        where: site.program("support").post(f"/pages/clubs/{site.club.id}{where}").text
        for where in ("/similar", f"/person?erp_id={odd}", "/findings")
    }
    for where, page in pages.items():
        assert "<script>alert" not in page
        body = page.split("<body")[1]
        for line in body.splitlines():
            seen = line.replace(f'value="{odd}"', "")
            assert not {c for c in seen if c != "\t" and unicodedata.category(c) in ("Cc", "Cf")}, (
                where
            )
    assert "\\u202egpj" in pages[f"/person?erp_id={odd}"]
