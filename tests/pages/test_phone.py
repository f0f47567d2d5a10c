"""Pages in windows of every width, in Chromium, with the longest words that ERPs and people come up with."""

from __future__ import annotations

import shutil

import pytest

from clubsync.i18n import LANGUAGES
from connectors.sdk.errors import ErpUnreachable
from tests.pages.conftest import Site

TOO_WIDE = """width => [...document.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > width)
    .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"""
WIDTHS = (375, 390, 768, 1400)
LONG = "https://erp.example.org/" + "a-very-long-path-without-a-space-" * 4


@pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium"
)
def test_no_page_is_wider_than_its_window(site: Site) -> None:
    from playwright.sync_api import Route, sync_playwright

    club = site.other
    club.erp.group("long", name="Abonnement-annuel-illimité-" * 3)
    club.erp.put("10", "ten@other.fr", groups=["long"])
    club.sync()
    club.erp.fault = ErpUnreachable(f"{LONG} does not answer.", remedy="Wait.")
    club.attempt()
    client = site.as_("support")
    ((hold,),) = site.club.rows("select hold from sync.hold where club = %s", site.club.number)
    run = site.club.changes()[-1]["run"]
    mine, other = f"/clubs/{site.club.id}", f"/clubs/{club.id}"
    paths = [
        *(
            "/clubs",
            "/findings",
            "/holds",
            "/runbooks",
            "/webhooks",
            "/runbooks/erp-down",
            other,
            f"{other}/runs",
            f"{other}/person?erp_id=10",
        ),
        *(f"{mine}/findings", f"{mine}/people", f"{mine}/person?erp_id=20", f"{mine}/similar"),
        *(f"{mine}/runbooks/other-club", f"{other}/runbooks/erp-down", "/docs/docs/operating"),
        *(f"{mine}/holds/{hold}", f"{mine}/runs/{run}", f"{mine}/requests", f"{mine}/reused"),
    ]

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://pages.test")
        got = client.get(path)
        route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    wider = []
    with sync_playwright() as play:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.route("http://pages.test/**", answer)
        for language in LANGUAGES:
            client.headers["accept-language"] = language
            for path in paths:
                page.goto(f"http://pages.test/pages{path}")
                if path == other:
                    page.get_by_text("Abonnement-annuel").first.wait_for()
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 760})
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if wide > width:
                        widest = page.evaluate(TOO_WIDE, width)
                        wider.append((language, path, width, wide, widest[-3:]))
        browser.close()
    assert wider == []
