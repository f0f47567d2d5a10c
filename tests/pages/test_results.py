"""What the pages say of a result: of an action, of a run, of a club that waits for its first approval."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from clubsync.config import Config
from clubsync.manual import requests
from clubsync.model import Origin, Step
from clubsync.operate import connection_check
from connectors.sdk.errors import ErpUnreachable
from plugins.web import context, registry
from plugins.web.services import operations
from plugins.web.services import requests as service
from tests.pages.conftest import Site
from tests.pages.test_pages import post, text
from tests.support.club import Club, MemoryConnector
from tests.support.owner import as_owner
from tests.support.rules import NewClub


def _asked(site: Site, button: str = "sync") -> tuple[int, str]:
    """Press a button that starts a run: the action, and the run of Airflow."""
    post(site, "support", f"/do/{button}")
    ((act,),) = site.club.rows("select max(act) from sync.act where club = %s", site.club.number)
    return act, site.started[-1][0]


def _line(site: Site, act: int) -> str:
    return text(site.page("support", f"/acts/{act}"))


def _write(site: Site, statement: str, *parameters: object) -> None:
    with as_owner(site.club._base) as driver:
        driver.execute(statement, parameters)


def _run(site: Site, run: str, **fields: Any) -> Step:
    """That run of Airflow syncs the club."""
    engine = site.club.pipeline()
    engine.origin = Origin("sync_one", run, "sync_club", -1)
    site.club.later()
    (step,) = engine.sync([site.club.id], "manual", **fields)
    return step


def test_r16_a_sync_that_was_not_used_is_not_called_done(site: Site) -> None:
    """Another sync loads newer data while this one runs."""
    act, run = _asked(site)
    step = _run(site, run)
    _write(site, "update sync.run set used = false where run = %s", step["run"])
    assert "not used: newer data were loaded" in _line(site, act)
    assert "done" not in _line(site, act)
    page = site.as_("viewer").get("/pages/airflow", params={"dag": "sync_one", "run": run}).text
    assert "not used" in text(page)
    (told,) = (
        site.as_("viewer").get("/api/v1/airflow", params={"dag": "sync_one", "run": run}).json()
    )
    assert (told["used"], told["certified"]) == (False, True)


def test_r16_what_was_not_used_is_no_complete_sync_of_its_hour(site: Site) -> None:
    club = site.other
    viewer, where = site.as_("viewer"), f"/api/v1/clubs/{club.id}/readings"

    def complete() -> tuple[int, int]:
        hours = viewer.get(where, params={"days": 30}).json()
        return sum(h["readings"] for h in hours), sum(h["complete"] for h in hours)

    assert complete() == (1, 1)
    step = club.sync()
    assert complete() == (2, 2)
    _write(site, "update sync.run set used = false where run = %s", step["run"])
    assert complete() == (2, 1)
    club.later()
    club.pipeline().replay(club.id)
    assert complete() == (2, 1), "a replay has read nothing"


def test_a_sync_with_something_held_or_incomplete_says_so(site: Site) -> None:
    act, run = _asked(site)
    site.club.erp.certified = False
    assert _run(site, run)["held"]
    line = _line(site, act)
    assert "done; removals await approval:" in line
    assert "incomplete" in line


def test_a_run_that_takes_long_is_not_called_not_started(site: Site) -> None:
    act, run = _asked(site)
    _write(site, "update sync.act set at = at - interval '11 minutes' where act = %s", act)
    assert "Not started after ten minutes" in _line(site, act)
    engine = site.club.pipeline()
    engine.origin = Origin("sync_one", run, "sync_club", -1)
    engine.start(site.club.id, "manual")
    assert "Running; this line updates when it finishes." in _line(site, act)
    assert "Not started" not in _line(site, act)


def test_an_action_that_was_interrupted_is_not_called_done(site: Site) -> None:
    """The server was killed between the record of an approval and its result."""
    act, _ = _asked(site)
    _write(
        site,
        "update sync.act set kind = 'approve', outcome = 'asked', detail = '{}' where act = %s",
        act,
    )
    assert "Not finished" in _line(site, act)
    assert "lost access" not in _line(site, act)
    assert "Hold approved (not finished)" in text(site.page("viewer", ""))


def test_a_run_of_airflow_shows_the_last_attempt_of_each_club_failed_ones_first(
    site: Site,
) -> None:
    """A club that a retry healed is not shown as failed; among hundreds, those in need come first."""
    both = [site.club, site.other]
    engine = site.club.pipeline()
    engine.config = Config(clubs=tuple(club.config for club in both))
    for task, faulty in (("extract", both), ("retry_club", [site.other])):
        site.club.later()
        for club in both:
            club.at(site.club.now)
            club._say(True, None, (), ())
            club.erp.fault = ErpUnreachable("It is down.") if club in faulty else None
        engine.origin = Origin("sync_memory", "healed__1", task, 0)
        engine.sync([club.id for club in both], "scheduled")
    asked = {"dag": "sync_memory", "run": "healed__1"}
    shown = site.as_("viewer").get("/api/v1/airflow", params=asked).json()
    assert [(row["club"], row["state"]) for row in shown] == [
        (site.other.id, "failed"),
        (site.club.id, "held"),
    ]
    before = {**asked, "task": "load", "index": "0"}
    shown = site.as_("viewer").get("/api/v1/airflow", params=before).json()
    assert {row["state"] for row in shown} == {"failed"}


def test_r15_a_hold_counts_who_would_lose_access_on_the_list_that_is_shown(site: Site) -> None:
    """Not its merges, and not whoever joined since."""
    club, viewer = site.club, site.as_("viewer")
    ((hold, digest),) = club.rows(
        "select hold, list_hash from sync.hold where club = %s", club.number
    )
    where = f"/clubs/{club.id}/holds/{hold}"

    def counted() -> tuple[int, int, int]:
        shown = viewer.get(f"/api/v1{where}", params={"list_hash": digest}).json()
        causes = sum(int(cause.rpartition(": ")[2].split()[0]) for cause in shown["causes"])
        return shown["size"], shown["losing"], causes

    size, losing, causes = counted()
    assert losing == causes == size
    _write(
        site,
        "update sync.hold_member set loses = false where customer = "
        "(select min(customer) from sync.hold_member where hold = %s)",
        hold,
    )
    assert counted() == (size, size - 1, size)
    page = text(site.page("viewer", f"/holds/{hold}"))
    assert f"{size - 1} of " in page
    assert "1 merge found through an email waits with them" in page
    club.erp.change("4", status="archived")
    assert club.sync()["held"] == size + 1
    assert counted() == (size, size - 1, size)
    assert (
        "The list has changed since then."
        in viewer.get(f"/pages{where}", params={"list_hash": digest}).text
    )


def test_a_connection_test_without_an_answer_has_a_result(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "PATIENCE", 0.05)
    monkeypatch.setattr(connection_check, "check", lambda *_: time.sleep(1))
    page = text(post(site, "support", "/do/test"))
    assert "failed: There was no response within 0.05 seconds." in page


def test_an_internal_error_in_a_connection_test_has_a_result(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise KeyError("zoe@other.fr")

    monkeypatch.setattr(MemoryConnector, "check", broken)
    page = text(post(site, "support", "/do/test"))
    assert "failed: Internal error (KeyError) in the connection test." in page
    assert "zoe@" not in page


def _third_club(site: Site, new_club: NewClub) -> Club:
    """A club of which somebody wants to see the first plan; it was read once."""
    club = new_club(first_sync="review")
    for n in range(1, 4):
        club.erp.put(str(n), f"new{n}@mail.example.org", first_name="New", last_name=f"N{n}")
    club.at(site.club.now)
    path = Path(os.environ["CLUBSYNC_CONFIG"])
    entry = f"- {{id: {club.id}, name: Tennis Nice, erp: memory, connection: {club.id}, first_sync: review}}"
    path.write_text(f"{path.read_text()}{entry}\n")
    club.sync()
    context.numbers(at_once=True)
    return club


def test_r28_a_first_sync_awaits_approval_whatever_else_is_run(
    site: Site, new_club: NewClub
) -> None:
    """A dry run, or a pause, after it hides neither the state nor the button; the button approves the plan that is
    shown, and no other."""
    third = _third_club(site, new_club)
    one = Site(site.app, third, site.other, site.started)
    old = one.as_("viewer").get(f"/api/v1/clubs/{third.id}").json()["first_sync_plan"]
    third.erp.put("4", "new4@mail.example.org")
    third.sync()
    third.sync(dry_run=True)
    assert "Approve first sync" in post(one, "support", "/do/pause")
    page = post(one, "support", "/do/resume")
    assert "First sync awaits approval" in page
    assert ">held</span>" in page
    row = next(
        row
        for row in one.as_("viewer").get("/api/v1/clubs").json()["clubs"]
        if row["club"] == third.id
    )
    assert row["state"] == "held"
    plan = one.as_("viewer").get(f"/api/v1/clubs/{third.id}").json()["first_sync_plan"]
    assert plan["additions"] == 4
    assert f"<code>{plan['list_hash']}</code>" in page
    assert f'name="list_hash" value="{plan["list_hash"]}"' in page
    assert plan["list_hash"] in one.page("viewer", f"/runs/{plan['run']}")
    program, url = one.program("support"), f"/api/v1/clubs/{third.id}/go"
    assert program.post(url).status_code == 422
    stale = program.post(url, json={"list_hash": old["list_hash"]})
    assert (stale.status_code, plan["list_hash"] in stale.text) == (409, True)
    assert third.base() == {}
    page = post(one, "support", "/do/go", list_hash=plan["list_hash"])
    assert "Approve first sync" not in page
    assert len(third.inside()) == 4


def test_all_pending_requests_are_counted_and_reached(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    for n in range(5):
        user = site.club.register(f"new{n}@x.example.org")
        requests.request(site.club._base, site.club.config, str(user), by="app")
    assert "5 pending requests" in text(site.page("viewer", ""))
    assert "Page 1 of 3" in text(site.page("viewer", "/requests"))
    listed = [
        row["id"]
        for page in (1, 2, 3)
        for row in site.as_("viewer")
        .get(f"/api/v1/clubs/{site.club.id}/requests", params={"page": page})
        .json()
    ]
    assert len(set(listed)) == 5


def test_clubs_yaml_is_read_again_after_an_error_of_any_kind(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A change that could not be read does not keep the next one from being read."""

    def broken(*_: object) -> Any:
        raise OSError("it is being replaced")

    file = registry._File()
    file.now()
    with monkeypatch.context() as patch:
        patch.setattr(registry, "load_config", broken)
        file._again(("changed",))
    assert not file.reading
    assert "cannot be read; the previous one stays in effect: OSError" in caplog.text
    assert file.now().clubs
