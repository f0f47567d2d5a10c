"""Pages on a telephone, in Chromium, with the longest words that ERPs and people come up with."""

from __future__ import annotations

import shutil

import pytest

from connectors.sdk.errors import ErpUnreachable
from tests.pages.conftest import Site

LONG = "https://erp.example.org/" + "a-very-long-path-without-a-space-" * 4


@pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium"
)
def test_long_words_do_not_make_a_page_wider_than_a_telephone(site: Site) -> None:
    from playwright.sync_api import Route, sync_playwright

    club = site.other
    club.erp.group("long", name="Abonnement-annuel-illimité-" * 3)
    club.erp.put("10", "ten@other.fr", groups=["long"])
    club.sync()
    club.erp.fault = ErpUnreachable(f"{LONG} does not answer.", remedy="Wait.")
    club.attempt()
    client = site.as_("support")

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://pages.test")
        got = client.get(path)
        route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    with sync_playwright() as play:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 375, "height": 760})
        page.route("http://pages.test/**", answer)
        for path in ("", "/runs", "/findings", "/similar"):
            page.goto(f"http://pages.test/pages/clubs/{club.id}{path}")
            if not path:
                page.get_by_text("Abonnement-annuel").first.wait_for()
            wide = page.evaluate("document.documentElement.scrollWidth")
            widest = page.evaluate(
                "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 375)"
                ".map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"
            )
            assert wide <= 375, (path, wide, widest[:8])
        browser.close()
