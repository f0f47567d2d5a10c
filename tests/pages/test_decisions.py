"""R15, R28: what a person decides on: the list of a hold, also as a file, and the review of a first sync."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from openpyxl import load_workbook

from clubsync.operate import reminders
from clubsync.operate.reminders import Reminder
from plugins.web.services import review
from tests.pages.conftest import Site
from tests.pages.test_pages import acts, post, text


def _hold(site: Site) -> tuple[int, str]:
    ((hold, list_hash),) = site.club.rows(
        "select hold, list_hash from sync.hold where club = %s", site.club.number
    )
    return hold, list_hash


# --- R15: the list of a hold for the club --------------------------------------------------------


def test_r15_the_list_of_a_hold_is_a_file_for_the_club(site: Site) -> None:
    """Of the list that was looked at; as the findings' list: the club's delimiter, no formula, recorded."""
    hold, seen = _hold(site)
    site.club.erp.change("4", first_name="=cmd()", status="archived")
    site.club.sync()
    where = f"/api/v1/clubs/{site.club.id}/holds/{hold}/list.csv"
    support = site.program("support")
    files = [support.post(where, params=params) for params in ({"list_hash": seen}, {})]
    tables = [
        list(csv.DictReader(io.StringIO(f.content.decode("utf-8-sig")), delimiter=";"))
        for f in files
    ]
    assert [len(table) for table in tables] == [6, 7], "the list that was seen, and the newest"
    (joined,) = [row for row in tables[1] if row["ID"] not in {r["ID"] for r in tables[0]}]
    assert joined["ID"] == "4"
    assert joined["Name"].startswith("'=cmd()")
    assert joined["Why access would be removed"] == "status archived in the ERP"
    assert acts(site)[-2:] == [("hold_csv", "support-person", "done", [])] * 2
    assert site.program("viewer").post(where).status_code == 403
    assert support.post(where, params={"list_hash": "ab"}).status_code == 404


def test_r15_the_list_of_a_hold_is_a_workbook_too(site: Site, tmp_path: Path) -> None:
    hold, seen = _hold(site)
    page = site.page("support", f"/holds/{hold}")
    assert f"/holds/{hold}/list.xlsx?list_hash={seen}" in page
    assert "list.xlsx" not in site.page("viewer", f"/holds/{hold}")
    where = f"/api/v1/clubs/{site.club.id}/holds/{hold}/list.xlsx"
    path = tmp_path / "list.xlsx"
    path.write_bytes(site.program("support").post(where).content)
    sheet = load_workbook(path).active
    assert sheet is not None
    assert (sheet.title, sheet.max_row) == ("Access to decide on", 7)


def test_r15_the_page_of_a_hold_says_who_was_told_and_what_to_check(site: Site) -> None:
    hold, _ = _hold(site)
    where = f"/holds/{hold}"
    page = text(site.page("viewer", where))
    assert "Next reminder, unless someone decides:" in page
    assert "check the export first" not in page
    at = site.club.now
    sent = Reminder("", "", ((site.club.number, hold, at),))
    reminders.mark_sent(site.club._base, sent, "clubsync_alerts (E-mail)")
    assert "Reminder sent: clubsync_alerts (E-mail)" in text(site.page("viewer", where))
    shown = site.as_("viewer").get(f"/api/v1/clubs/{site.club.id}{where}").json()
    assert [one["told"] for one in shown["reminders"]] == ["clubsync_alerts (E-mail)"]

    inside = sorted(site.club.inside())
    site.club.erp.remove(*(i for i in inside if i in site.club.erp.records))
    site.club.erp.put("999", "new@mail.example.org", status="archived")
    site.club.sync()
    page = text(site.page("viewer", where))
    assert "check the export first" in page, page
    board = site.as_("viewer").get("/api/v1/holds").json()
    assert any("check the export first" in cause for h in board["holds"] for cause in h["causes"])
    client = site.as_("viewer")
    client.headers["accept-language"] = "fr"
    french = text(client.get(f"/pages/clubs/{site.club.id}{where}").text)
    assert "La moitié du club ou plus a disparu du logiciel" in french


# --- R28: the review of a first sync -------------------------------------------------------------


def _seen(site: Site) -> str:
    """The plan that the review page shows."""
    answer = site.as_("viewer").get(f"/pages/clubs/{site.club.id}/first-sync")
    assert answer.status_code == 307
    return answer.headers["location"].rpartition("list_hash=")[2]


def test_r28_who_gets_access_and_who_does_not_is_shown_masked_and_filtered(reviewed: Site) -> None:
    plan = _seen(reviewed)
    page = text(reviewed.page("viewer", f"/first-sync?list_hash={plan}"))
    for said in ("5 all", "3 get access", "2 get no access", "n…@m….org", "run ", plan):
        assert said in page
    assert "all of their groups in the ERP are inactive" in page.replace("All of", "all of")
    assert "nother record has the same email" in page
    for hidden in ("new1@", "Offside", "Approve this plan"):
        assert hidden not in page
    out = text(reviewed.page("viewer", f"/first-sync?list_hash={plan}&who=out"))
    assert out.count("no access") == 3, "two people, and the count"
    api = reviewed.as_("viewer").get(
        f"/api/v1/clubs/{reviewed.club.id}/first-sync", params={"situation": "duplicate"}
    )
    (one,) = api.json()["people"]
    assert (one["erp_id"], one["other"], one["change"]) == ("5", "1", None)
    assert "Twice" not in api.text


def test_r28_the_review_shows_names_to_who_may_see_them_and_records_it(reviewed: Site) -> None:
    where = f"/clubs/{reviewed.club.id}/first-sync"
    assert reviewed.program("viewer").post(f"/api/v1{where}/shown").status_code == 403
    shown = reviewed.program("support").post(f"/api/v1{where}/shown")
    assert "Offside" in shown.text
    kind, who, _outcome, people = acts(reviewed)[-1]
    assert (kind, who, sorted(people)) == ("show", "support-person", ["1", "2", "3", "4", "5"])
    page = post(reviewed, "support", f"/first-sync?list_hash={_seen(reviewed)}")
    assert "Offside" in page
    assert "<b>New</b>" not in page


def test_r28_r15_the_plan_that_was_reviewed_is_approved_and_no_other(reviewed: Site) -> None:
    """The reading moves on while somebody looks: it is said, and what they saw is not loaded."""
    seen = _seen(reviewed)
    page = reviewed.page("support", f"/first-sync?list_hash={seen}")
    assert f'name="list_hash" value="{seen}"' in page
    assert "give access to 3 records" in page
    reviewed.club.erp.put("6", "six@mail.example.org")
    reviewed.club.sync()
    moved = text(reviewed.page("support", f"/first-sync?list_hash={seen}"))
    assert "A newer sync has changed the plan since then." in moved
    assert "Approve this plan" not in moved
    url = f"/api/v1/clubs/{reviewed.club.id}/go"
    stale = reviewed.program("support").post(url, json={"list_hash": seen})
    assert (stale.status_code, reviewed.club.base()) == (409, {})
    assert "a newer sync has changed it" in stale.text
    told = text(post(reviewed, "support", "/do/go", list_hash=_seen(reviewed)))
    assert "First sync approved" in told
    assert len(reviewed.club.inside()) == 4
    after = reviewed.as_("viewer").get(f"/pages/clubs/{reviewed.club.id}/first-sync")
    assert (after.status_code, after.headers["location"]) == (
        307,
        f"/pages/clubs/{reviewed.club.id}",
    )
    api = reviewed.as_("viewer").get(f"/api/v1/clubs/{reviewed.club.id}/first-sync")
    assert api.json() is None


def test_r28_a_long_review_is_paged(reviewed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "PAGE_SIZE", 2)
    where = f"/first-sync?list_hash={_seen(reviewed)}"
    pages = [reviewed.page("viewer", f"{where}&page={n}") for n in (1, 2, 3)]
    assert "Page 1 of 3" in text(pages[0])
    assert sum(page.count("<tr data-row>") for page in pages) == 5
