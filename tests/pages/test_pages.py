"""What the pages show, and what their buttons do."""

from __future__ import annotations

import html
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook

from connectors.sdk.errors import ErpUnreachable
from tests.pages.conftest import NAMES, Site
from tests.support.club import Club

PERSONAL = re.compile(
    r"\b(" + "|".join([*NAMES, "Durand", "Petit", r"\w+@\w+", r"3361234567\d"]) + r")\b",
    re.IGNORECASE,
)


def text(page: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def post(site: Site, role: str, where: str, **fields: str) -> str:
    """Press a button of the club's pages, as a browser does; the page that it leads to."""
    browser = site.as_(role)
    form = site.page(role, "").split('name="token" value="')[1].split('"')[0]
    answer = browser.post(
        f"/pages/clubs/{site.club.id}{where}",
        data={"token": form, **fields},
        headers={"sec-fetch-site": "same-origin"},
    )
    if answer.status_code == 303:
        answer = browser.get(answer.headers["location"])
    assert answer.status_code == 200, text(answer.text)
    return answer.text


def acts(site: Site) -> list[tuple[Any, ...]]:
    return site.club.rows(
        "select kind, actor, outcome, people from sync.act where club = %s order by act",
        site.club.number,
    )


def in_words(site: Site) -> str:
    return text(site.as_("viewer").get("/pages/clubs").text)


def test_the_list_says_how_each_club_is(site: Site) -> None:
    """State in words, age, customers, findings; as the engine left them, without counting customers."""
    mine = _row(site, site.club)
    assert mine["state"] == "held"
    assert mine["customers"] == len(site.club.inside())
    assert mine["findings"] == sum(len(codes) for codes in site.club.findings().values())
    assert sum(mine["changes"]) == len(site.club.changes())
    assert _row(site, site.other)["state"] == "fresh"


def _pages(site: Site, query: str) -> list[dict[str, Any]]:
    """The rows of all pages: other tests have left clubs of theirs in the same base."""
    viewer = site.as_("viewer")
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = viewer.get(f"/api/v1/clubs?size=200&page={page}&{query}").json()
        rows += answer["clubs"]
        if not answer["clubs"] or len(rows) >= answer["total"]:
            return rows
        page += 1


def _row(site: Site, club: Club) -> dict[str, Any]:
    """A club's row of the list, found among however many there are by now."""
    answer = site.as_("viewer").get(f"/api/v1/clubs?sort=name&size=200&words={club.id}").json()
    (row,) = [row for row in answer["clubs"] if row["club"] == club.id]
    return dict(row)


def test_every_state_has_its_word(site: Site) -> None:
    """paused over quarantined over failing over held over late over fresh."""

    def state() -> str:
        one = site.as_("viewer").get(f"/api/v1/clubs/{site.other.id}").json()["state"]
        assert _row(site, site.other)["state"] == one, "the list and the club's page say the same"
        return str(one)

    club = site.other
    assert state() == "fresh"
    club.later(hours=5)
    assert state() == "late"
    club.erp.fault = ErpUnreachable("It is down.", remedy="Wait.")
    club.attempt()
    assert state() == "failing"
    club.later(hours=3)
    club.attempt()
    assert state() == "quarantined"
    page = text(site.as_("viewer").get(f"/pages/clubs/{club.id}").text)
    assert "Quarantined since" in page
    assert "Retries are paused until" in page
    assert "It is down." in page
    site.program("support").post(f"/api/v1/clubs/{club.id}/pause")
    assert state() == "paused"
    site.program("support").post(f"/api/v1/clubs/{club.id}/resume")
    club.erp.fault = None
    club.later()
    club.sync()
    assert state() == "fresh"


def test_the_list_is_filtered_sorted_and_paged_by_the_data_base(site: Site) -> None:
    viewer = site.as_("viewer")

    def clubs(query: str) -> list[str]:
        mine = {site.club.id, site.other.id}
        return [row["club"] for row in _pages(site, query) if row["club"] in mine]

    assert clubs("state=held") == [site.club.id]
    assert clubs("state=paused") == []
    assert clubs(f"words={site.other.id.upper()}") == [site.other.id]
    assert clubs("erp=nothing") == []
    assert clubs("sort=customers") == [site.other.id, site.club.id]
    assert clubs("sort=customers&down=true") == [site.club.id, site.other.id]
    assert clubs("sort=age") == [site.other.id, site.club.id], "the youngest reading first"
    assert clubs("sort=state") == [site.club.id, site.other.id]
    whole = viewer.get("/api/v1/clubs?size=200&sort=name").json()
    paged = [
        viewer.get(f"/api/v1/clubs?size=1&sort=name&page={n}").json()["clubs"][0]["club"]
        for n in range(1, min(whole["total"], 12) + 1)
    ]
    assert paged == [row["club"] for row in whole["clubs"][:12]]


def test_summaries_are_what_counting_gives(site: Site) -> None:
    """After runs and acts of every sort: the kept counts are those of the tables."""
    club = site.club
    club.erp.put("30", "new@x.example.org")
    club.sync()
    club.add_by_hand("hand@x.example.org")
    club.detach("1")
    site.program("admin").post(f"/api/v1/clubs/{club.id}/erase", json={"erp_id": "2"})
    ((customers, findings),) = club.rows(
        "select customers, findings from sync.club_summary where club = %s", club.number
    )
    assert customers == len(club.inside())
    assert findings == sum(len(codes) for codes in club.findings().values())
    kept = club.rows(
        "select code, findings, oldest from sync.finding_summary where club = %s order by 1",
        club.number,
    )
    counted = club.rows(
        "select code, count(*), min(since) from sync.finding where club = %s and closed_at is null "
        "and severity != 'info' group by code order by 1",
        club.number,
    )
    assert kept == counted


def test_personal_data_are_masked_until_they_are_asked_for_and_the_asking_is_kept(
    site: Site,
) -> None:
    """On every page that has any, for everybody; who asks stands in the audit with whom they asked for."""
    ((hold,),) = site.club.rows("select hold from sync.hold where club = %s", site.club.number)
    pages = {
        "/person?erp_id=1": ["1"],
        "/findings": ["20"],
        "/people": ["1", "5", "20"],
        "/similar": ["1", "22"],
        f"/holds/{hold}": ["7"],
        "/runs/1": [],
        "/requests": [],
    }
    runs = [row["run"] for row in site.club.changes()]
    pages[f"/runs/{runs[0]}"] = ["1"]
    del pages["/runs/1"]
    for where, people in pages.items():
        for role in ("viewer", "support", "admin"):
            masked = text(site.page(role, where))
            assert PERSONAL.findall(masked) == [], (where, role)
        before = len(acts(site))
        shown = text(post(site, "support", where))
        assert where == "/requests" or PERSONAL.findall(shown), where
        kind, actor, outcome, named = acts(site)[before]
        assert (kind, actor, outcome) == ("show", "support-person", "done")
        assert set(people) <= set(named), where


def test_why_by_email_id_and_name(site: Site) -> None:
    """From any page; a viewer may ask too, by email and id. No answer is in an address."""
    asked = [
        (role, who) for role in ("viewer", "support") for who in ("EVE@mail.example.org ", "5")
    ]
    for role, who in (*asked, ("support", "Eve")):
        answer = site.as_(role).post("/pages/why", data={"who": who, "club": site.club.id})
        assert answer.status_code == 200
        said = text(answer.text)
        assert "In the Customers group" in said, who
        assert "ERP customer 5 is in the Customers group" in said
        assert "E… D…" in said
    everywhere = site.as_("viewer").post("/pages/why", data={"who": "zoe@other.fr"})
    assert "ERP customer 9 is in the Customers group of Padel Lyon" in text(everywhere.text)
    several = site.as_("support").post("/pages/why", data={"who": "Durand", "club": site.club.id})
    assert "people of Boulder Paris match this name" in text(several.text)
    nobody = site.as_("viewer").post("/pages/why", data={"who": "nobody@nowhere.example.org"})
    assert "Not found in any club" in text(nobody.text)


def test_a_whole_name_is_found_in_a_club_of_any_size(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many to search through, by the key that records are compared by (R23)."""
    from plugins.web.services import people

    monkeypatch.setattr(people, "SEARCHED", 3)
    asked = {"club": site.club.id}
    whole = site.as_("support").post("/pages/why", data={"who": "durand eve", **asked})
    assert "ERP customer 5 is in the Customers group" in text(whole.text)
    part = site.as_("support").post("/pages/why", data={"who": "Duran", **asked})
    assert "Nobody of Boulder Paris has exactly that name" in text(part.text)
    by_id = site.as_("viewer").post("/pages/why", data={"who": "5", **asked})
    assert "ERP customer 5 is in the Customers group" in text(by_id.text)


@pytest.mark.parametrize("searched", [50_000, 3])
def test_r19_a_viewer_finds_no_name_letter_by_letter(
    site: Site, monkeypatch: pytest.MonkeyPatch, searched: int
) -> None:
    """What is shown masked is not searched for either: a name, or a part of one, is answered as one that nobody has,
    in a club of any size and across clubs, on the pages and by the API."""
    from plugins.web.services import people

    monkeypatch.setattr(people, "SEARCHED", searched)
    viewer, club = site.as_("viewer"), site.club.id

    def answers(who: str) -> list[str]:
        asked = [viewer.post("/pages/why", data={"who": who, "club": c}) for c in ("", club)]
        apis = ("/api/v1/why", f"/api/v1/clubs/{club}/why")
        asked += [viewer.post(api, json={"who": who}) for api in apis]
        return [text(answer.text) for answer in asked]

    nobody = answers("Xq")
    for who in ("E", "Ev", "Eve", "Durand", "durand eve", "Eve Durand"):
        assert answers(who) == nobody, who
    assert "search by the exact email or ERP id" in nobody[1]
    assert "cannot search by name" in nobody[0]
    assert "Email or ERP id" in site.page("viewer", "")
    assert "Email, ERP id or name" in site.page("support", "")


def test_sync_now_and_dry_run_start_runs_and_tell_when_they_are_done(site: Site) -> None:
    page = post(site, "support", "/do/sync")
    assert "Queued" in page
    assert 'hx-trigger="every 2s"' in page
    page = post(site, "support", "/do/dry-run")
    (_, _, _), (run, club, conf) = site.started
    assert (club, conf) == (site.club.id, {"dry_run": True})

    from clubsync.model import Origin

    engine = site.club.pipeline()
    engine.origin = Origin("sync_one", run, "sync_club", -1)
    site.club.erp.put("40", "forty@x.example.org")
    site.club.later()
    site.club._say(True, None, (), ())
    (step,) = engine.sync([site.club.id], "manual", dry_run=True)
    ((act,),) = site.club.rows("select max(act) from sync.act where club = %s", site.club.number)
    told = text(site.page("support", f"/acts/{act}"))
    assert "done, nothing was written: 1 addition " in told
    plan = text(site.page("viewer", f"/runs/{step['run']}"))
    assert "40 Access given eligible in the ERP" in plan
    assert "40" not in site.club.base()
    log = f"/dags/sync_one/runs/{run}/tasks/sync_club"
    assert log in site.page("viewer", f"/runs/{step['run']}")


def test_pause_resume_and_test_of_a_connection(site: Site) -> None:
    assert ">paused</span>" in post(site, "support", "/do/pause")
    assert ">paused</span>" not in post(site, "support", "/do/resume")
    tested = text(post(site, "support", "/do/test"))
    assert f"successful: {len(site.club.erp.records)} records" in tested
    assert acts(site) == [
        ("pause", "support-person", "done", []),
        ("resume", "support-person", "done", []),
        ("test", "support-person", "done", []),
    ]


def test_a_hold_is_decided_on_the_list_that_was_seen_with_a_reason(site: Site) -> None:
    ((hold,),) = site.club.rows("select hold from sync.hold where club = %s", site.club.number)
    where = f"/holds/{hold}"
    page = site.page("support", where)
    assert "Gold" in page
    seen = page.split('name="list_hash" value="')[1].split('"')[0]
    assert "Decide on this list" not in site.page("viewer", where)
    inside = len(site.club.inside())
    fields = {"what": "approve", "list_hash": seen, "comment": "The course is over."}
    told = text(post(site, "support", f"{where}/decide", **fields))
    assert "Hold approved 6 customers lost access." in told
    assert len(site.club.inside()) == inside - 6
    decided = site.club.rows(
        "select state, decided_by, comment from sync.hold where hold = %s", hold
    )
    assert decided == [("approved", "support-person", "The course is over.")]
    again = site.program("admin").post(
        f"/api/v1/clubs/{site.club.id}/holds/{hold}/reject",
        json={"list_hash": seen, "comment": "no"},
    )
    assert again.status_code == 409
    assert "was approved by support-person" in again.json()["title"]
    assert acts(site)[-1][:3] == ("reject", "admin-person", "refused")


def test_a_rejected_hold_keeps_its_people(site: Site) -> None:
    ((hold, seen),) = site.club.rows(
        "select hold, list_hash from sync.hold where club = %s", site.club.number
    )
    inside = site.club.inside()
    made = site.program("support").post(
        f"/api/v1/clubs/{site.club.id}/holds/{hold}/reject",
        json={"list_hash": seen, "comment": "It goes on."},
    )
    assert made.status_code == 200, made.text
    assert made.json()["detail"]["customers"] == 6
    assert site.club.inside() == inside


def test_a_similar_pair_is_ignored_for_ever(site: Site) -> None:
    assert "1 pair that looks like one person" in text(site.page("viewer", "/similar"))
    page = post(site, "support", "/similar/ignore", one="1", other="22")
    assert "0 pairs that look like one person" in text(page)
    site.club.erp.change("22", first_name="Anna")
    site.club.erp.change("22", first_name="Ana")
    site.club.sync()
    assert site.as_("viewer").get(f"/api/v1/clubs/{site.club.id}/similar").json()["total"] == 0


def test_a_reused_id_is_decided_on_the_pages(site: Site) -> None:
    """R1: the two people side by side, masked unless they are shown; a decision needs the tick, and is in the audit."""
    club = site.club
    club.erp.put("77", "ann@x.fr", first_name="Ann", last_name="Arc")
    club.sync()
    customer = club.base()["77"]["id"]
    club.erp.put("77", "zoe@x.fr", first_name="Zoe", last_name="Zola")
    club.sync()
    page = site.page("viewer", "/reused")
    assert "1 ERP id that shows another person" in text(page)
    assert "zoe@x.fr" not in page
    assert "Another person: replace" not in page, "a viewer decides nothing"
    shown = site.program("support").post(f"/api/v1/clubs/{club.id}/reused/shown").json()
    assert [one["now"]["email"] for one in shown] == ["zoe@x.fr"]
    assert [one["was"]["email"] for one in shown] == ["ann@x.fr"]
    program = site.program("support")
    made = program.post(
        f"/api/v1/clubs/{club.id}/reused/decide", json={"erp_id": "77", "decision": "replace"}
    )
    assert (made.status_code, made.json()["outcome"]) == (200, "done"), made.text
    assert club.base()["77"]["id"] != customer
    assert club.customer(customer)["reason"] == "id_reused"
    again = program.post(
        f"/api/v1/clubs/{club.id}/reused/decide", json={"erp_id": "77", "decision": "keep"}
    )
    assert again.status_code == 409
    assert "0 ERP ids that show another person" in text(site.page("viewer", "/reused"))


def test_a_request_is_accepted_from_the_pages(site: Site) -> None:
    from clubsync.manual import requests

    user = site.club.register("wants@in.example.org")
    requests.request(site.club._base, site.club.config, str(user), by="app")
    assert "1 pending request to become a customer" in text(site.page("viewer", ""))
    listed = site.as_("viewer").get(f"/api/v1/clubs/{site.club.id}/requests").json()
    assert listed[0]["email"] == "w…@i….example.org" or listed[0]["email"].startswith("w…@")
    page = post(site, "support", f"/requests/{listed[0]['id']}/accept")
    assert "No pending requests." in text(page)
    assert "wants@in.example.org" in site.club.base()


def test_a_run_is_undone_after_its_plan_was_shown(site: Site) -> None:
    run = next(row["run"] for row in site.club.changes() if row["kind"] == "email_change")
    changed = text(site.page("viewer", f"/runs/{run}"))
    assert "b…@m….org → b…@m….org" in changed
    plan = text(site.page("viewer", f"/runs/{run}/undo"))
    assert "1 email change " in plan
    assert "Undo this run" not in plan
    post(site, "support", f"/runs/{run}/undo", list_hash="")
    assert site.club.base()["2"]["email"] == "ben@mail.example.org"
    undone = [row for row in site.club.changes() if row["reason"] == "undone"]
    assert undone
    ((actor,),) = site.club.rows(
        "select distinct actor from sync.change where club = %s and reason = 'undone'",
        site.club.number,
    )
    assert actor == "support-person"


def test_an_undo_that_takes_access_from_many_names_its_list(site: Site) -> None:
    """More than pass by themselves: only with the hash of the list that the plan showed (R18)."""
    run = site.club.changes()[0]["run"]
    api = f"/api/v1/clubs/{site.club.id}/runs/{run}/undo"
    plan = site.as_("viewer").get(api).json()
    assert len(plan["loses_access"]) > plan["limit"]
    support = site.program("support")
    assert support.post(api, json={}).status_code == 409
    assert support.post(api, json={"list_hash": "abc0"}).status_code == 409
    assert support.post(api, json={"list_hash": plan["list_hash"]}).status_code == 200


def test_an_erased_person_is_gone_from_the_pages_own_audit_too(site: Site) -> None:
    """R20: base, mirror, and who looked at them."""
    post(site, "support", "/person?erp_id=5")
    page = post(site, "admin", "/erase", erp_id="5", sure="yes")
    assert "Erasure" in text(page)
    assert "5" not in site.club.base()
    ((left,),) = site.club.rows(
        "select count(*) from sync.act where club = %s and '5' = any(people)", site.club.number
    )
    assert left == 0


def test_r24_that_somebody_was_erased_is_told_to_those_who_may_see_personal_data(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugins.web.services import people

    site.program("admin").post(f"/api/v1/clubs/{site.club.id}/erase", json={"erp_id": "5"})
    for searched in (people.SEARCHED, 0):
        monkeypatch.setattr(people, "SEARCHED", searched)
        for who in ("5", "Eve@mail.example.org"):
            for club in ("", site.club.id):
                asked = {"who": who, "club": club}
                told = site.as_("support").post("/pages/why", data=asked)
                assert "was erased from Boulder Paris" in text(told.text)
                masked = site.as_("viewer").post("/pages/why", data=asked)
                assert "was erased" not in text(masked.text)
        for api in ("/api/v1/why", f"/api/v1/clubs/{site.club.id}/why"):
            told = site.program("support").post(api, json={"who": "5"}).json()
            assert told.get("answer", told)["reasons"] == ["erased"]
            assert "erased" not in site.as_("viewer").post(api, json={"who": "5"}).text


def test_the_file_for_the_club(site: Site) -> None:
    where = f"/pages/clubs/{site.club.id}/findings.csv"
    answer = site.program("support").post(where)
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"{site.club.id}-findings.csv" in answer.headers["content-disposition"]
    rows = answer.content.decode("utf-8-sig").splitlines()
    assert rows[0] == "ID;Name;Email;Phone;Birth date;Status;Groups;Since;Code;error"
    assert any("not an email" in row for row in rows)
    assert acts(site)[-1][:3] == ("csv", "support-person", "done")


@pytest.mark.parametrize("where", ["/pages", "/api/v1"])
def test_the_workbook_for_the_club(site: Site, where: str) -> None:
    answer = site.program("support").post(f"{where}/clubs/{site.club.id}/findings.xlsx")
    assert f"{site.club.id}-findings.xlsx" in answer.headers["content-disposition"]
    sheet = load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    cells = [cell.value for row in sheet.iter_rows() for cell in row]
    assert {"EMAIL_INVALID", "not an email"} <= set(cells)
    assert acts(site)[-1][:3] == ("csv", "support-person", "done")


def test_r26_a_run_of_a_backfill_says_what_it_was_filled_from(site: Site) -> None:
    """The stored snapshot, where there is one; else a reading covers what lies before it."""
    club, engine = site.club, site.club.pipeline()
    club.later()
    club._say(True, None, (), ())
    (read,) = engine.sync([club.id], "scheduled")
    at, minute = datetime.fromisoformat(str(read["as_of"])), timedelta(minutes=1)
    told = {}
    club.later()
    for name, start in (("stored", at - minute), ("covered", at - timedelta(days=3))):
        (step,) = engine.backfill([club.id], start, start + 2 * minute)
        assert step["error"] is None
        told[name] = step["run"]
    for name, run in told.items():
        found = site.as_("viewer").get(f"/api/v1/clubs/{club.id}/runs/{run}").json()
        assert found["filled_from"] == name
    page = site.page("viewer", f"/runs/{told['stored']}")
    assert "filled from the snapshot stored then" in text(page)
    assert "A later reading covers" in text(site.page("viewer", f"/runs/{told['covered']}"))
    ordinary = site.as_("viewer").get(f"/api/v1/clubs/{club.id}/runs/{read['run']}").json()
    assert ordinary["filled_from"] is None


def test_a_log_that_was_deleted_is_not_linked_to(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow would show that there is no such run; the pages say why."""
    from clubsync import clock
    from clubsync.model import Origin

    engine = site.club.pipeline()
    engine.origin = Origin("sync_memory", "scheduled__99", "extract", 3)
    site.club.later()
    site.club._say(True, None, (), ())
    (step,) = engine.sync([site.club.id], "scheduled")
    ended = clock.now()
    run = f"/runs/{step['run']}"
    asked = "/airflow?dag=sync_memory&run=scheduled__99"
    monkeypatch.setattr(clock, "now", lambda: ended + timedelta(days=14))
    assert "tasks/load/mapped/3" in site.page("viewer", run)
    monkeypatch.setattr(clock, "now", lambda: ended + timedelta(days=14, hours=1))
    for page in (run, ""):
        assert "tasks/load/mapped/3" not in site.page("viewer", page)
        assert "Log deleted after 14 days" in text(site.page("viewer", page))
    shown = site.as_("viewer").get(f"/pages{asked}").text
    assert "Log deleted after 14 days" in text(shown)
    (found,) = site.as_("viewer").get(f"/api/v1{asked}").json()
    assert (found["log"], found["log_deleted_after"]) == (None, 14)
    monkeypatch.setenv("CLUBSYNC_KEEP_LOGS_DAYS", "0")
    monkeypatch.setenv("CLUBSYNC_KEEP_RUNS_DAYS", "0")
    assert "tasks/load/mapped/3" in site.page("viewer", run)


def test_what_a_run_of_airflow_did(site: Site) -> None:
    from clubsync.model import Origin

    engine = site.club.pipeline()
    run = f"scheduled__{site.club.id}"  # other tests have runs in the same base
    engine.origin = Origin("sync_memory", run, "extract", 3)
    site.club.later()
    site.club._say(True, None, (), ())
    (step,) = engine.sync([site.club.id], "scheduled")
    asked = f"/api/v1/airflow?dag=sync_memory&run={run}"
    viewer = site.as_("viewer")
    (found,) = viewer.get(asked).json()
    assert (found["club"], found["run"]) == (site.club.id, step["run"])
    assert found["log"] == f"dags/sync_memory/runs/{run}/tasks/load/mapped/3"
    assert len(viewer.get(f"{asked}&task=load&index=3").json()) == 1
    assert viewer.get(f"{asked}&task=load&index=2").json() == []
    assert viewer.get(f"{asked}&task=retry_club&index=3").json() == []
    assert len(viewer.get(f"{asked}&task=outcome&index=-1").json()) == 1
    page = asked.replace("/api/v1", "/pages")
    for index in ("3", "{MAP_INDEX}"):
        assert "tasks/load" in viewer.get(f"{page}&task=load&index={index}").text
        assert site.club.id in viewer.get(f"{page}&task=load&index={index}").text
    assert "Boulder Paris" not in viewer.get(asked.replace(run, "other")).text


def test_an_internal_error_is_answered_and_its_message_is_nowhere(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """R19: the server would log the message and lines of source."""

    def fault() -> None:
        raise KeyError("zoe@quintessence.fr")

    for path in ("/api/v1/fault", "/pages/fault"):
        site.app.add_api_route(path, fault)
    browser = site.as_("viewer")
    problem, page = browser.get("/api/v1/fault"), browser.get("/pages/fault")
    assert (problem.status_code, page.status_code) == (500, 500)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["detail"].startswith("Internal error (KeyError).")
    assert "Internal error (KeyError)." in text(page.text)
    assert f"{__file__}:" in caplog.text
    for told in (problem.text, page.text, caplog.text):
        assert "zoe" not in told


def test_french(site: Site) -> None:
    """Sentences, advice, times and the answer; nothing of it is English."""
    french = site.as_("viewer")
    french.headers["accept-language"] = "fr-CH, fr;q=0.9, en;q=0.8"
    page = text(french.get(f"/pages/clubs/{site.club.id}").text)
    assert "À corriger dans le logiciel" in page
    assert "Dernière synchronisation complète" in page
    assert "L'adresse e-mail dans le logiciel n'est pas valide" in page
    answer = text(french.post("/pages/why", data={"who": "5", "club": site.club.id}).text)
    assert "Le client 5 du logiciel est dans le groupe Clients" in answer
    assert "Vu pour la première fois dans le logiciel" in answer
    french.cookies.set("clubsync_language", "en")
    assert "Last complete sync" in text(french.get(f"/pages/clubs/{site.club.id}").text)


def test_ages_and_lengths_are_in_words() -> None:
    from clubsync import clock
    from plugins.web.i18n import Voice

    voice = Voice("fr")
    assert voice.age(clock.now() - timedelta(hours=3)) == "il y a 3 heures"
    assert Voice("en").age(clock.now() + timedelta(minutes=30, seconds=5)) == "in 30 minutes"
    assert voice.age(None) == "–"
    lengths = [voice.length(s) for s in (60, 900, 7200, 93_600, 604_800)]
    assert [length.replace("\xa0", " ") for length in lengths] == [
        "1 minute",
        "15 minutes",
        "2 heures",
        "26 heures",
        "7 jours",
    ]


def test_a_sync_that_was_not_used_or_is_incomplete_says_so(site: Site) -> None:
    """R14, R16: in the list, on the club's page and on the run's, and in the API."""
    club, viewer = site.other, site.as_("viewer")

    def page(where: str = "") -> str:
        return text(viewer.get(f"/pages/clubs/{club.id}{where}").text)

    club.sync(certified=False)
    assert club.last is not None
    for shown in (page(), page(f"/runs/{club.last['run']}")):
        assert "The last page did not come." in shown
    assert "The last sync is incomplete" in page()
    step = club.attempt(as_of=club.now - timedelta(days=2))
    assert not step["used"]
    assert _row(site, club)["state"] == "failing"
    for shown in (page(), page(f"/runs/{step['run']}")):
        assert "nothing of them was used" in shown
        assert "not used" in shown
    (run, *_) = viewer.get(f"/api/v1/clubs/{club.id}/runs").json()
    assert run["used"] is False
    club.sync()
    assert "not used" in page()
    assert "The last sync is incomplete" not in page()


def test_a_finding_about_the_club_itself(site: Site) -> None:
    """R3: a former group that is not there; it belongs to no record, on the page and in the API."""
    site.club.configure(former_groups=("Anciens <b>",))
    site.club.sync()
    page = site.page("viewer", "/findings")
    assert "Anciens &lt;b&gt;" in page
    answer = site.as_("viewer").get(f"/api/v1/clubs/{site.club.id}/findings")
    mine = [one for one in answer.json() if one["code"] == "GROUP_UNKNOWN"]
    assert [one["erp_id"] for one in mine] == [None]


def test_a_run_shows_where_its_time_went(site: Site) -> None:
    """R25: the same on the page and in the API, and nothing of a run that has not ended."""
    club = site.club
    run = club.sync()["run"]
    told = site.as_("viewer").get(f"/api/v1/clubs/{club.id}/runs/{run}").json()["profile"]
    assert [one["stage"] for one in told["stages"]] == ["extract", "validate", "diff", "load"]
    assert told["work"] > 0
    page = site.page("viewer", f"/runs/{run}")
    assert "waiting for PostgreSQL" in page
    assert page.count('class="part-database"') >= len(told["stages"])
    club.rows("update sync.run set profile = null where run = %s returning run", run)
    assert "waiting for PostgreSQL" not in site.page("viewer", f"/runs/{run}")
