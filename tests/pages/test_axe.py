"""axe finds no serious fault on the pages of clubs in trouble, runbooks and webhooks, in light and dark."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from clubsync.i18n import LANGUAGES
from connectors.sdk.errors import CredentialsRefused
from tests.pages.conftest import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_axe_finds_no_serious_fault_on_the_pages_of_clubs_in_trouble(site: Site) -> None:
    """Also with the confirmations open. CLUBSYNC_PICTURES names a folder for pictures of them."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Route, sync_playwright

    empty, failing = site.club, site.other
    failing.erp.fault = CredentialsRefused("The ERP rejected our credentials (HTTP 401).")
    failing.later(minutes=5)
    failing.attempt()
    empty.erp.records.clear()
    empty.at(failing.now)
    empty.attempt()
    client = site.as_("support")

    def answer(route: Route) -> None:
        got = client.get(route.request.url.removeprefix("http://pages.test"))
        route.fulfill(status=got.status_code, headers=dict(got.headers), body=got.content)

    paths = {
        "clubs": f"/clubs?words={empty.id[:3]}",
        "failing": f"/clubs/{failing.id}",
        "empty": f"/clubs/{empty.id}",
        "runbooks": "/runbooks",
        "runbook": "/runbooks/credentials-refused",
        "empty-answer": f"/clubs/{empty.id}/runbooks/empty-answer",
        "erp-down": f"/clubs/{failing.id}/runbooks/erp-down",
        "document": "/docs/docs/operating",
        "webhooks": "/webhooks",
    }
    serious = []
    folder = os.environ.get("CLUBSYNC_PICTURES")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for language in LANGUAGES:
            client.headers["accept-language"] = language
            page = browser.new_page(color_scheme="light" if language == "en" else "dark")
            page.route("http://pages.test/**", answer)
            for name, path in paths.items():
                page.goto(f"http://pages.test/pages{path}")
                page.evaluate(
                    "for (const one of document.querySelectorAll('.confirm')) one.open = true"
                )
                serious += [
                    (name, fault["id"], [node["target"] for node in fault["nodes"]][:3])
                    for fault in Axe().run(page).response["violations"]
                    if fault["impact"] in ("serious", "critical")
                ]
                for width in (390, 1400) if folder else ():
                    page.set_viewport_size({"width": width, "height": 900})
                    file = Path(folder or "") / f"{name}-{language}-{width}.png"
                    page.screenshot(path=file, full_page=name != "document")
            page.close()
        browser.close()
    assert serious == []
