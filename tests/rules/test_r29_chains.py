"""R29: "One ERP tenant, several clubs": read once, split by `members`, moves without a gap, one failure."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner

from clubsync.chains import chains
from clubsync.cli import app
from clubsync.config import Config, Guard, load_config
from clubsync.errors import ConfigError
from clubsync.explain.why import why
from clubsync.extract.reader import connector_of
from clubsync.manual import erasure, lifecycle
from clubsync.operate import freshness, retention
from clubsync.store.database import Base
from connectors.sdk.base import Connection
from connectors.sdk.errors import ErpUnreachable
from tests.support.chain import Chain
from tests.support.club import Club, install
from tests.support.servers import serving

NewChain = Callable[..., Chain]


@pytest.fixture
def new_chain(shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewChain:
    """Makes chains."""
    install(monkeypatch)

    def make(*names: str, **how: Any) -> Chain:
        return Chain(shared_base, tmp_path / "snapshots", monkeypatch, names, **how)

    return make


@pytest.fixture
def chain(new_chain: NewChain) -> Chain:
    """Annecy and Lyon."""
    return new_chain("Annecy", "Lyon")


def put(chain: Chain, **clubs: Any) -> None:
    """Put people into the tenant, each with the club, or clubs, of its record."""
    for erp_id, club in clubs.items():
        chain.erp.put(erp_id, f"{erp_id}@x.fr", clubs=club)


def test_r29_thirty_clubs_cost_the_requests_of_one(new_chain: NewChain) -> None:
    """Over HTTP, in pages, at the first sync and at a quiet one."""
    names = [f"Studio {n}" for n in range(30)]
    people = [{"id": n, "mail": f"p{n}@x.fr", "studio": {"name": names[n % 30]}} for n in range(60)]
    asked: list[str] = []

    def answer(request: Request) -> JSONResponse:
        asked.append(str(request.url))
        start = int(request.query_params["offset"])
        return JSONResponse({"rows": people[start : start + 25], "total": len(people)})

    paging = {"kind": "offset", "size_param": "limit", "size": 25}
    members = {"path": "/members", "records": "rows", "total": "total", "paging": paging}
    settings = {"customers": members, "fields": {"id": "id", "email": "mail"}}
    with serving(Starlette(routes=[Route("/members", answer)])) as url:
        chain = new_chain(
            *names, erp="rest", host=url, settings=settings, members={"at": "studio.name"}
        )
        for _ in range(2):
            asked.clear()
            steps = chain.sync()
            assert len(asked) == 3
            assert [step["read"] for step in steps] == [2] * 30
    assert [club.inside() for club in chain.clubs] == [{str(n), str(n + 30)} for n in range(30)]
    assert chain.unknown() == {}


@pytest.mark.parametrize("word", ["annecy", " ANNECY  ", "Ａｎｎｅｃｙ"])
def test_r29_words_are_compared_in_one_form(chain: Chain, word: str) -> None:
    put(chain, a=word, b="Lyon")
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [{"a"}, {"b"}]


def test_r29_somebody_with_several_clubs_is_in_each(chain: Chain) -> None:
    put(chain, both=["Annecy", "Lyon"], one="Lyon")
    chain.sync()
    annecy, lyon = chain.clubs
    assert (annecy.inside(), lyon.inside()) == ({"both"}, {"both", "one"})
    put(chain, both=["Lyon"])
    chain.sync()
    assert (annecy.inside(), lyon.inside()) == (set(), {"both", "one"})


def test_r29_who_names_no_club_of_ours_is_a_finding_of_the_chain(chain: Chain) -> None:
    put(chain, a="Annecy", nowhere=None, other="Nice")
    chain.sync()
    annecy, lyon = chain.clubs
    assert (annecy.inside(), lyon.inside()) == ({"a"}, set())
    assert chain.unknown() == {"nowhere": "", "other": "Nice"}
    assert (annecy.findings(all=True), lyon.findings(all=True)) == ({}, {})
    put(chain, nowhere="Lyon")
    chain.erp.remove("other")
    chain.sync()
    assert chain.unknown() == {}
    assert lyon.inside() == {"nowhere"}


def test_r24_why_tells_of_a_club_that_nobody_knows(chain: Chain) -> None:
    put(chain, a="Annecy", b="Lyon", x="Nice", n=None)
    chain.sync()
    put(chain, a="Annecy Centre")
    chain.sync()
    annecy = chain.clubs[0]
    (key,) = {one.key for one in chain.pipeline().chains.values()}
    told = {}
    for who in ("a", "x", "n", "b"):
        with annecy.driver() as driver:
            answer = why(driver, annecy.number, annecy.config, who, chain=key)
        told[who] = (answer["verdict"], "CLUB_UNKNOWN" in answer["reasons"], answer["sentence"])
    assert [found[:2] for found in told.values()] == [
        ("in", True),
        ("out", True),
        ("out", True),
        ("unknown", False),
    ]
    assert "(Annecy Centre, since" in told["a"][2]
    assert "(Nice, since" in told["x"][2]
    assert "names no club" in told["n"][2]
    with annecy.driver() as driver:
        viewer = why(driver, annecy.number, annecy.config, "x", chain=key, to_viewer=True)
    assert "Nice" not in viewer["sentence"]
    # another chain's key tells nothing
    with annecy.driver() as driver:
        assert (
            "CLUB_UNKNOWN"
            not in why(driver, annecy.number, annecy.config, "x", chain="?")["reasons"]
        )


def test_r21_a_club_sees_the_moves_from_it_and_to_it_and_no_other(new_chain: NewChain) -> None:
    chain = new_chain("Annecy", "Lyon", "Nice")
    annecy, lyon, nice = chain.clubs
    put(chain, a="Annecy", l="Lyon", n="Nice")
    chain.sync()
    put(chain, a="Lyon")
    chain.sync(annecy)
    seen = [club.rows("select erp_id, arrived from sync.chain_move") for club in chain.clubs]
    assert seen == [[("a", False)], [("a", False)], []]
    for club in (lyon, nice):
        assert club.rows("delete from sync.chain_move returning erp_id") == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        lyon.rows("update sync.chain_move set club = 1 returning erp_id")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        annecy.rows("select * from sync.chain_finding")


def test_r22_who_is_out_by_the_plain_status_is_no_finding_of_the_chain(chain: Chain) -> None:
    chain.erp.put("gone", "gone@x.fr", clubs="Nice", status="archived")
    chain.erp.put("doubt", "doubt@x.fr", clubs="Nice", status="unknown")
    chain.sync()
    assert chain.unknown() == {"doubt": "Nice"}


@pytest.mark.parametrize("word", [None, "", "Annecy Centre", ["Annecy Centre", "Lyon"], {"id": 1}])
def test_r03_a_club_that_nobody_knows_changes_nothing(chain: Chain, word: object) -> None:
    """Renamed in the ERP: whoever has access keeps it, also while another club is named beside it."""
    put(chain, a="Annecy", b="Annecy", c="Lyon")
    chain.sync()
    annecy, _ = chain.clubs
    put(chain, a=word)
    for certified in (True, False, True):
        chain.sync(certified=certified)
        assert annecy.inside() == {"a", "b"}
    assert set(chain.unknown()) == {"a"}
    assert annecy.findings(all=True) == {}
    # their own words still count: they are no customer of any club
    chain.erp.change("a", status="archived")
    chain.sync()
    assert annecy.inside() == {"b"}


def test_r29_words_of_clubs_that_are_not_ours_say_that_somebody_has_left(
    new_chain: NewChain,
) -> None:
    chain = new_chain("Annecy", "Lyon", members={"at": "home_club", "elsewhere": ("Nice",)})
    put(chain, a="Annecy", b="Annecy", n="Nice")
    chain.sync()
    put(chain, a="nice")
    chain.sync()
    assert chain.clubs[0].inside() == {"b"}
    assert chain.clubs[0].base()["a"]["reason"] == "elsewhere"
    assert chain.unknown() == {}


@pytest.mark.parametrize("certified", [True, False])
@pytest.mark.parametrize("pages", [None, 2])
def test_r29_a_move_takes_one_run_and_leaves_no_gap(
    chain: Chain, certified: bool, pages: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever club is loaded first; their own record says it, so that a walk, complete or not, is enough."""
    annecy, lyon = chain.clubs
    put(chain, a="Annecy", b="Lyon", c="Annecy", d="Lyon")
    chain.sync()
    chain.erp.page_size = pages
    everywhere = Everywhere(chain, monkeypatch)
    put(chain, a="Lyon")
    chain.sync(certified=certified)
    assert (annecy.inside(), lyon.inside()) == ({"c"}, {"a", "b", "d"})
    assert annecy.base()["a"]["reason"] == "elsewhere"
    assert "another club of the chain" in annecy.why("a")["sentence"]
    put(chain, a="Annecy")
    chain.sync(certified=certified)
    assert (annecy.inside(), lyon.inside()) == ({"a", "c"}, {"b", "d"})
    assert [row["kind"] for row in annecy.changes() if row["erp_id"] == "a"] == [
        "addition",
        "deactivation",
        "reactivation",
    ]
    assert everywhere.seen
    assert all({"a", "b", "c", "d"} <= inside for inside in everywhere.seen)


class Everywhere:
    """Who has access to some club of a chain, looked at after every load."""

    def __init__(self, chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
        from clubsync.pipeline import load

        self.seen: list[set[str]] = []
        once = load._load_once

        def watched(*given: Any) -> bool:
            done = once(*given)
            self.seen.append(set[str]().union(*(club.inside() for club in chain.clubs)))
            return done

        monkeypatch.setattr(load, "_load_once", watched)


def test_r29_two_clubs_that_swap_people_leave_no_gap(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    annecy, lyon = chain.clubs
    put(chain, a="Annecy", b="Lyon", c="Annecy", d="Lyon")
    chain.sync()
    everywhere = Everywhere(chain, monkeypatch)
    put(chain, a="Lyon", b="Annecy")
    steps = chain.sync()
    assert (annecy.inside(), lyon.inside()) == ({"b", "c"}, {"a", "d"})
    assert all({"a", "b", "c", "d"} <= inside for inside in everywhere.seen)
    assert [step["counts"]["deactivation"] for step in steps] == [1, 1]
    assert [step["suspected"] for step in steps] == [0, 0]


def test_r29_who_moves_stays_until_the_other_club_has_taken_them(chain: Chain) -> None:
    """The other club is not synced, fails, or is paused: nobody is without access meanwhile."""
    annecy, lyon = chain.clubs
    put(chain, a="Annecy", b="Lyon", c="Annecy")
    chain.sync()
    put(chain, a="Lyon")
    for _ in range(3):
        (step,) = chain.sync(annecy)
        assert (annecy.inside(), step["suspected"]) == ({"a", "c"}, 1)
    told = annecy.why("a")["sentence"]
    assert "until that club has taken them over" in told
    assert "second reading" not in told
    chain.sync(lyon)
    assert (annecy.inside(), lyon.inside()) == ({"a", "c"}, {"a", "b"})
    (step,) = chain.sync(annecy)
    assert (annecy.inside(), step["suspected"]) == ({"c"}, 0)


def test_r29_who_came_back_is_waited_for_anew(chain: Chain) -> None:
    """Also where the reading that showed them back was not complete."""
    annecy, lyon = chain.clubs
    put(chain, a="Annecy", b="Lyon", c="Annecy")
    chain.sync()
    put(chain, a="Lyon")
    chain.sync()
    put(chain, a="Annecy")
    chain.sync(certified=False)
    assert (annecy.inside(), lyon.inside()) == ({"a", "c"}, {"b"})
    put(chain, a="Lyon")
    chain.sync(annecy)
    assert annecy.inside() == {"a", "c"}
    chain.sync()
    assert (annecy.inside(), lyon.inside()) == ({"c"}, {"a", "b"})


def test_r29_who_moves_and_has_no_access_there_loses_it_here(new_chain: NewChain) -> None:
    """The other club has settled it: the record gives no access."""
    chain = new_chain("Annecy", "Lyon", former_groups=("ex",))
    chain.erp.group("ex")
    annecy, lyon = chain.clubs
    put(chain, a="Annecy", b="Lyon", c="Annecy")
    chain.sync()
    chain.erp.put("a", "a@x.fr", clubs="Lyon", groups=["ex"])
    chain.sync()
    assert (annecy.inside(), lyon.inside()) == ({"c"}, {"b"})


def test_r15_moves_count_for_the_guard(new_chain: NewChain) -> None:
    chain = new_chain("Annecy", "Lyon", guard=Guard(at_least=1))
    people = [f"p{n}" for n in range(10)]
    put(chain, **dict.fromkeys(people, "Annecy"), x="Lyon")
    chain.sync()
    put(chain, **dict.fromkeys(people[:5], "Lyon"))
    steps = chain.sync()
    annecy, lyon = chain.clubs
    assert annecy.inside() == set(people)
    assert lyon.inside() == {"x", *people[:5]}
    assert steps[0]["hold"] is not None
    assert "moved to another club of the chain" in steps[0]["hold"]["causes"][0]


def test_r14_one_certificate_for_all_clubs(chain: Chain) -> None:
    """Who is missing from a reading that is not complete stays, in every club; absence needs the whole's proof."""
    put(chain, a="Annecy", b="Lyon", c="Annecy", d="Lyon")
    chain.sync()
    chain.erp.remove("a", "b")
    steps = chain.sync(certified=False)
    assert [step["certified"] for step in steps] == [False, False]
    assert [club.inside() for club in chain.clubs] == [{"a", "c"}, {"b", "d"}]
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [{"c"}, {"d"}]


def test_r14_an_absence_from_a_walk_needs_a_second_reading_in_each_club(chain: Chain) -> None:
    put(chain, **{str(n): "Annecy" if n % 2 else "Lyon" for n in range(1, 11)})
    chain.sync()
    chain.erp.page_size = 3
    chain.erp.remove("1", "2")
    steps = chain.sync()
    assert [step["suspected"] for step in steps] == [1, 1]
    assert {"1"} <= chain.clubs[0].inside()
    assert {"2"} <= chain.clubs[1].inside()
    chain.sync()
    assert not {"1", "2"} & (chain.clubs[0].inside() | chain.clubs[1].inside())


def test_r14_a_club_whose_people_all_vanish_is_an_outage(chain: Chain) -> None:
    """The other clubs of the reading go on."""
    put(chain, a="Annecy", b="Lyon", c="Lyon")
    chain.sync()
    chain.erp.remove("a", "b")
    annecy, lyon = chain.attempt()
    assert annecy["error"] is not None
    assert "returned no customers" in annecy["error"]
    assert lyon["error"] is None
    assert [club.inside() for club in chain.clubs] == [{"a"}, {"c"}]


def test_r29_a_failure_of_the_reading_is_one_failure(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    put(chain, a="Annecy", b="Lyon")
    chain.sync()
    chain.erp.fault = ErpUnreachable("The tenant does not respond.")
    with caplog.at_level(logging.ERROR):
        steps = chain.attempt()
    assert {step["error"] for step in steps} == {"The tenant does not respond."}
    assert [step["together"][0] for step in steps] == [step["club"] for step in steps]
    assert all(sorted(step["together"]) == sorted(c.id for c in chain.clubs) for step in steps)
    told = [r.getMessage() for r in caplog.records if "does not respond" in r.getMessage()]
    assert len(told) == 1
    named = [r.getMessage() for r in caplog.records if "clubs of a chain" in r.getMessage()]
    assert len(named) == 1
    assert all(club.id in named[0] for club in chain.clubs)
    chain.erp.fault = None
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [{"a"}, {"b"}]


def test_r07_the_same_email_in_two_clubs_is_no_duplicate(chain: Chain) -> None:
    chain.erp.put("1", "one@x.fr", clubs="Annecy")
    chain.erp.put("2", "one@x.fr", clubs="Lyon")
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [{"1"}, {"2"}]
    assert [club.findings(all=True) for club in chain.clubs] == [{}, {}]


def test_r17_a_chain_that_has_not_changed_writes_nothing(chain: Chain) -> None:
    put(chain, a="Annecy", b="Lyon", x="Nice")
    chain.sync()
    put(chain, a="Lyon")
    chain.sync()
    for _ in range(2):
        assert [step["rows_written"] for step in chain.sync()] == [0, 0]
        assert [club.unsettled() for club in chain.clubs] == [{}, {}]


def test_r29_changes_only(chain: Chain) -> None:
    """A reading of changes moves people too, and says nothing of those whom it does not show."""
    put(chain, a="Annecy", b="Lyon", x="Nice")
    chain.sync()
    put(chain, a="Lyon")
    chain.erp.changed = {"a"}
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [set(), {"a", "b"}]
    assert chain.unknown() == {"x": "Nice"}


# memberships and groups ---------------------------------------------------------------------------


def held(chain: Chain, erp_id: str, *memberships: tuple[str | None, Any]) -> None:
    """Put somebody with memberships, each of a club, into the tenant."""
    groups = [group for _, group in memberships]
    chain.erp.put(erp_id, f"{erp_id}@x.fr", clubs=list(memberships), groups=groups)


@pytest.fixture
def by_membership(new_chain: NewChain) -> Chain:
    chain = new_chain("Annecy", "Lyon", members={"at": "studio", "of": "membership"})
    chain.erp.by_membership = True
    chain.erp.group("gold")
    chain.erp.group("silver")
    return chain


def test_r29_a_membership_gives_access_where_it_is_valid(by_membership: Chain) -> None:
    """The one in Annecy has expired: nobody gets in there by one of Lyon (R3)."""
    chain = by_membership
    expired = ("gold", date(2026, 3, 1))
    held(chain, "a", ("Annecy", expired), ("Lyon", "gold"))
    held(chain, "b", ("Annecy", "silver"))
    chain.sync()
    annecy, lyon = chain.clubs
    assert (annecy.inside(), lyon.inside()) == ({"b"}, {"a"})
    assert annecy.findings() == {"a": {"GROUP_INACTIVE"}}
    assert annecy.base()["b"]["groups"] == ["silver"]


def test_r29_who_loses_the_membership_of_a_club_leaves_that_club(by_membership: Chain) -> None:
    chain = by_membership
    held(chain, "a", ("Annecy", "gold"), ("Lyon", "gold"))
    held(chain, "b", ("Annecy", "gold"))
    held(chain, "c", ("Annecy", "gold"))
    chain.sync()
    annecy, lyon = chain.clubs
    held(chain, "a", ("Lyon", "gold"))
    held(chain, "b", ("Lyon", "gold"))
    held(chain, "c")
    chain.sync()
    assert (annecy.inside(), lyon.inside()) == (set(), {"a", "b"})
    assert annecy.base()["c"]["reason"] == "unlisted"
    assert chain.unknown() == {}


def test_r03_a_membership_of_a_club_that_nobody_knows_changes_nothing(
    by_membership: Chain,
) -> None:
    chain = by_membership
    held(chain, "a", ("Annecy", "gold"))
    held(chain, "b", ("Annecy", "gold"))
    chain.sync()
    held(chain, "a", ("Annecy Centre", "gold"))
    held(chain, "b", (None, "gold"))
    held(chain, "c", ("Nice", "gold"))
    chain.sync()
    assert chain.clubs[0].inside() == {"a", "b"}
    assert chain.unknown() == {"a": "Annecy Centre", "b": "", "c": "Nice"}


def test_r29_groups_name_their_clubs(new_chain: NewChain) -> None:
    chain = new_chain("Annecy", "Lyon", members={"at": "studio", "of": "group"})
    for group in ("gold-a", "gold-l", "all"):
        chain.erp.group(group)
    chain.erp.group_clubs = {"gold-a": ["Annecy"], "gold-l": ["Lyon"], "all": ["Annecy", "Lyon"]}
    for erp_id, group in {"a": "gold-a", "l": "gold-l", "both": "all"}.items():
        chain.erp.put(erp_id, f"{erp_id}@x.fr", groups=[group])
    chain.erp.put("none", "none@x.fr", groups=[])
    chain.sync()
    annecy, lyon = chain.clubs
    assert (annecy.inside(), lyon.inside()) == ({"a", "both"}, {"l", "both"})
    chain.erp.change("a", groups=["gold-l"])
    chain.sync()
    assert (annecy.inside(), lyon.inside()) == ({"both"}, {"a", "l", "both"})


# when, and alerts ---------------------------------------------------------------------------------


def test_r29_where_one_club_is_due_all_are_but_those_paused(chain: Chain) -> None:
    put(chain, a="Annecy", b="Lyon")
    chain.sync()
    annecy, lyon = chain.clubs
    annecy.configure(every="1m")
    engine, later = chain.pipeline(), annecy.now + timedelta(minutes=2)
    with annecy.driver() as driver:
        driver.execute("update sync.club_state set next_read_at = %s", [annecy.now])
    assert set(engine.due("memory", later)) == {annecy.id, lyon.id}
    lifecycle.pause(engine.base, lyon.config, paused=True, by="somebody")
    assert engine.due("memory", later) == [annecy.id]


def test_r29_a_broken_promise_of_a_chain_is_one_line(chain: Chain) -> None:
    put(chain, a="Annecy", b="Lyon")
    chain.sync()
    chain.erp.fault = ErpUnreachable("The tenant does not respond.")
    for _ in range(4):
        chain.attempt()
    engine = chain.pipeline()
    (told,) = freshness.watch(engine.base, engine.config)
    (line,) = [line for line in told.body.splitlines() if chain.connection in line]
    assert all(club.id in line for club in chain.clubs)
    assert line.count("The tenant does not respond.") == 1
    freshness.mark_sent(engine.base, told)
    chain.erp.fault = None
    chain.sync()
    (told,) = freshness.watch(engine.base, engine.config)
    (line,) = [line for line in told.body.splitlines() if chain.connection in line]
    assert "recovered after" in line
    freshness.mark_sent(engine.base, told)


def test_r29_what_is_not_in_clubs_yaml_any_more_is_forgotten(chain: Chain) -> None:
    put(chain, x="Nice")
    chain.sync()
    assert chain.unknown() == {"x": "Nice"}
    engine = chain.pipeline()
    alone = Config(clubs=())
    retention.forget_chains(engine.base, alone, before=chain.clubs[0].now)
    assert chain.unknown() == {}


def test_r20_who_is_erased_is_erased_from_the_chain_too(chain: Chain) -> None:
    put(chain, a="Annecy", b="Annecy")
    chain.sync()
    put(chain, a="Nice")
    chain.sync()
    assert chain.unknown() == {"a": "Nice"}
    annecy = chain.clubs[0]
    engine = chain.pipeline()
    erasure.erase(engine.base, engine.store, annecy.config, "a", by="somebody")
    assert chain.unknown() == {}
    chain.sync()
    assert annecy.inside() == {"b"}


# from files ---------------------------------------------------------------------------------------

FIELDS = {"id": "Id", "email": "E-mail", "first_name": "Prénom", "last_name": "Nom"}


class Files:
    """A chain that exports one file of all its clubs."""

    def __init__(self, new_chain: NewChain, folder: Path, **more: Any) -> None:
        folder.mkdir()
        self._folder = folder
        members = more.pop("members", {"at": "Salle"})
        fields = more.pop("fields", {**FIELDS, "groups": "Abonnement", "valid_until": "Fin"})
        self.chain = new_chain(
            *("Annecy", "Lyon"),
            members=members,
            erp="csv",
            host=folder.as_uri(),
            settings={"customers": "clients.csv", "fields": fields, **more},
        )

    def export(
        self, *rows: str, columns: str = "Id;E-mail;Prénom;Nom;Salle;Abonnement;Fin"
    ) -> None:
        path = self._folder / "clients.csv"
        path.write_text("\n".join((columns, *rows)) + "\n")
        now = self.chain.clubs[0].now.timestamp()
        os.utime(path, (now, now))

    def inside(self) -> list[set[str]]:
        return [
            {str(row["email"]) for row in club.base().values() if row["in_customers_group"]}
            for club in self.chain.clubs
        ]


def test_r29_a_column_of_a_file_names_the_club(new_chain: NewChain, tmp_path: Path) -> None:
    """Rows of one person, each a membership in another club: the one that has expired gives no access there."""
    files = Files(new_chain, tmp_path / "drop")
    ann, bob = "1;ann@x.fr;Ann;Abc", "2;bob@x.fr;Bob;Bcd"
    files.export(
        f"{ann};Annecy;Or;2025-01-01",
        f"{ann};LYON;Or;2027-01-01",
        f"{bob};Annecy;Or;",
        "3;c@x.fr;C;D;;Or;",
    )
    files.chain.sync()
    assert files.inside() == [{"bob@x.fr"}, {"ann@x.fr"}]
    assert files.chain.unknown() == {"3": ""}
    files.export(f"{ann};LYON;Or;2027-01-01", f"{bob};Lyon;Or;")
    (annecy, lyon) = files.chain.sync()
    assert files.inside() == [set(), {"ann@x.fr", "bob@x.fr"}]
    assert (annecy["suspected"], lyon["counts"]["addition"]) == (0, 1)


def test_r29_a_cell_may_name_several_clubs(new_chain: NewChain, tmp_path: Path) -> None:
    """Split as a cell of groups is, but for a name that has a separator in it."""
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "c.csv").write_text(
        'Id;Mail;Salle\n1;a@x.fr;Annecy, Lyon\n2;b@x.fr;"Paris, Bastille"\n3;c@x.fr;lyon|Nice\n'
    )
    chain = new_chain(
        *("Annecy", "Lyon", "Paris, Bastille"),
        members={"at": "Salle"},
        erp="csv",
        host=folder.as_uri(),
        settings={"customers": "c.csv", "fields": {"id": "Id", "email": "Mail"}},
    )
    chain.sync()
    assert [club.inside() for club in chain.clubs] == [{"1"}, {"1", "3"}, {"2"}]
    assert chain.unknown() == {"3": "Nice"}


def test_r14_rows_without_an_id_are_their_clubs(new_chain: NewChain, tmp_path: Path) -> None:
    files = Files(new_chain, tmp_path / "drop")
    rows = ["1;a@x.fr;Ann;Abc;Annecy;Or;", ";b@x.fr;Bob;Bcd;Lyon;Or;", ";c@x.fr;Cat;Cde;;Or;"]
    files.export(*rows, "2;d@x.fr;Dan;Def;Lyon;Or;")
    files.chain.sync()
    found = [
        {code for codes in club.findings().values() for code in codes} for club in files.chain.clubs
    ]
    assert found == [set(), {"ID_MISSING"}]
    assert files.chain.unknown() == {"": ""}


def test_r29_rows_that_contradict_each_other_doubt_the_whole(
    new_chain: NewChain, tmp_path: Path
) -> None:
    files = Files(new_chain, tmp_path / "drop")
    files.export(
        "1;a@x.fr;Ann;Abc;Annecy;Or;", "2;b@x.fr;Bob;Bcd;Lyon;Or;", "3;c@x.fr;C;D;Lyon;Or;"
    )
    files.chain.sync()
    files.export(
        "1;a@x.fr;Ann;Abc;Annecy;Or;", "1;z@x.fr;Zoe;Zyx;Annecy;Or;", "2;b@x.fr;Bob;Bcd;Lyon;Or;"
    )
    steps = files.chain.sync()
    assert [step["certified"] for step in steps] == [False, False]
    assert files.inside() == [{"a@x.fr"}, {"b@x.fr", "c@x.fr"}]


def test_r29_files_without_ids(new_chain: NewChain, tmp_path: Path) -> None:
    """R1: found by email in each club; who moves is told from who is gone; a club that nobody knows changes nothing."""
    fields = {name: column for name, column in FIELDS.items() if name != "id"}
    files = Files(new_chain, tmp_path / "drop", fields=fields)
    columns = "E-mail;Prénom;Nom;Salle"
    files.export(
        "a@x.fr;Ann;Abc;Annecy", "b@x.fr;Bob;Bcd;Lyon", "c@x.fr;Cat;Cde;Annecy", columns=columns
    )
    files.chain.sync()
    assert files.inside() == [{"a@x.fr", "c@x.fr"}, {"b@x.fr"}]
    files.export(
        "a@x.fr;Ann;Abc;Lyon", "b@x.fr;Bob;Bcd;Lyon", "c@x.fr;Cat;Cde;Anncy", columns=columns
    )
    annecy, lyon = files.chain.sync()
    assert files.inside() == [{"c@x.fr"}, {"a@x.fr", "b@x.fr"}]
    assert (annecy["read"], lyon["read"]) == (0, 2)
    reasons = {row["email"]: row["reason"] for row in files.chain.clubs[0].base().values()}
    assert reasons["a@x.fr"] == "elsewhere"
    assert set(files.chain.unknown().values()) == {"Anncy"}


def test_r14_a_cut_file_of_a_chain_is_compared_as_a_whole(
    new_chain: NewChain, tmp_path: Path
) -> None:
    """A few people of each club were at its end: too few for each club alone to suspect it."""
    files = Files(new_chain, tmp_path / "drop")
    rows = [f"{n};p{n}@x.fr;F{n};L{n};{'Annecy' if n % 2 else 'Lyon'};Or;" for n in range(40)]
    files.export(*rows)
    files.chain.sync()
    everybody = files.inside()
    # also where a club has joined the chain since, of which no reading is known
    files.chain.clubs.insert(0, files.chain.one_more("Nice"))
    everybody.insert(0, set())
    files.export(*rows[:36])
    files.chain.sync()
    assert files.inside() == everybody
    files.export(*rows[:36])
    files.chain.sync()
    assert [len(inside) for inside in files.inside()] == [0, 18, 18]


def test_r29_a_groups_file_names_the_clubs(new_chain: NewChain, tmp_path: Path) -> None:
    groups = {"file": "groupes.csv", "id": "Id", "name": "Nom"}
    members = {"at": "Salle", "of": "group"}
    fields = {**FIELDS, "groups": "Groupe"}
    files = Files(new_chain, tmp_path / "drop", members=members, fields=fields, groups=groups)
    (tmp_path / "drop" / "groupes.csv").write_text(
        "Id;Nom;Salle;active\n1;Or;Annecy;1\n2;Or;Lyon;1\n3;Argent;Nice;1\n"
    )
    columns = "Id;E-mail;Prénom;Nom;Groupe"
    files.export(
        "1;a@x.fr;Ann;Abc;1", "2;b@x.fr;Bob;Bcd;2|1", "3;c@x.fr;Cat;Cde;3", columns=columns
    )
    files.chain.sync()
    assert files.inside() == [{"a@x.fr", "b@x.fr"}, {"b@x.fr"}]
    assert files.chain.unknown() == {"3": "Nice"}


# clubs.yaml ---------------------------------------------------------------------------------------

YAML = """
clubs:
  - {{id: annecy, name: Annecy, erp: {erp}, connection: chain, members: {first}, settings: {settings}}}
  - {{id: lyon, name: Lyon, erp: {erp}, connection: chain{second}, settings: {settings}}}
"""


def written(tmp_path: Path, first: str, second: str, erp: str = "csv") -> Path:
    path = tmp_path / "clubs.yaml"
    settings = "{customers: c.csv, fields: {id: Id}}" if erp == "csv" else "{}"
    path.write_text(YAML.format(first=first, second=second, erp=erp, settings=settings))
    return path


def test_r29_clubs_yaml_says_which_clubs_are_a_chain(tmp_path: Path) -> None:
    path = written(tmp_path, "{at: Salle, is: Annecy}", ", members: {at: Salle, is: [Lyon, 69]}")
    config = load_config(path)
    assert chains(config.clubs)["lyon"].ids == ("annecy", "lyon")
    assert chains(config.clubs)["lyon"].words["lyon"] == ("Lyon", "69")
    path = written(tmp_path, "{}", ", members: {}")
    assert chains(load_config(path).clubs) == {}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            "{at: Salle, is: A}",
            "",
            "line 4, club lyon: it shares its connection and settings with annecy",
        ),
        (
            "{at: Salle, is: A}",
            ", members: {at: Club, is: L}",
            "`at` and `of` differ from those of annecy",
        ),
        ("{at: Salle}", ", members: {at: Salle, is: L}", "members.is is required"),
        ("{at: Salle, is: []}", ", members: {at: Salle, is: L}", "members.is"),
        ("{at: Salle, is: A, iss: B}", ", members: {at: Salle, is: L}", "did you mean `is`?"),
    ],
)
def test_r29_what_is_wrong_with_a_chain_is_told(
    tmp_path: Path, first: str, second: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(written(tmp_path, first, second))


def test_r29_an_erp_that_cannot_tell_clubs_apart_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "{at: x, is: A}", ", members: {at: x, is: L}", erp="planity")
    club = load_config(path).clubs[0]
    with pytest.raises(ConfigError, match="planity connector cannot tell clubs apart"):
        connector_of(club, lambda name: Connection(id=name, host="file:///nowhere"))


def test_r29_trying_a_club_shows_how_the_tenant_is_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.csv").write_text("Id;Salle\n1;Annecy\n2;Lyon\n3;annecy\n4;Nice\n5;\n6;Nice\n")
    path = written(tmp_path, "{at: Salle, is: Annecy}", ", members: {at: Salle, is: Lyon}")
    monkeypatch.setenv("AIRFLOW_CONN_CHAIN", json.dumps({"host": tmp_path.as_uri()}))
    done = CliRunner().invoke(
        app, ["connector", "try", str(path), "--club", "lyon", "--json", "--show"]
    )
    assert done.exit_code == 0, done.output
    tried = json.loads(done.stdout)
    assert tried["chain"] == {"clubs": {"annecy": 2, "lyon": 1}, "unknown": {"Nice": 2, "": 1}}
    assert [record["erp_id"] for record in tried["records"]] == ["2"]
    told = CliRunner().invoke(app, ["connector", "try", str(path), "--club", "annecy"]).stdout
    assert "Of the chain: annecy 2, lyon 1." in " ".join(told.split())
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        "{erp: csv, connection: chain, members: {at: Salle, is: Lyon}, "
        "settings: {customers: c.csv, fields: {id: Id}}}"
    )
    done = CliRunner().invoke(app, ["connector", "try", str(draft), "--json"])
    assert json.loads(done.stdout)["chain"]["clubs"] == {"draft": 1}


# people who move while the pages are read ---------------------------------------------------------


class Living:
    """A tenant that people edit between the pages of its readings, and what has been true of each of them.

    :param named: person -> the club that the record names now; None: the record is gone.
    """

    def __init__(self, chain: Chain, seed: int) -> None:
        self.chain, self.dice = chain, Random(seed)
        self.names = {club.id: name for club, name in zip(chain.clubs, CLUBS, strict=True)}
        self.named: dict[str, str | None] = {}
        self.since: dict[str, set[str | None]] = {}
        self.count = 0
        for _ in range(12):
            self.join()
        chain.erp.page_size = 4
        chain.erp.between = self.edit

    def join(self) -> None:
        self.count += 1
        self.put(f"{self.count}", self.dice.choice(CLUBS))

    def put(self, person: str, club: str | None) -> None:
        """The record names that club from now on; None: it is gone."""
        self.named[person] = club
        self.since.setdefault(person, {None}).add(club)
        if club is None:
            self.chain.erp.records.pop(person, None)
        else:
            self.chain.erp.put(person, f"{person}@x.fr", clubs=club)

    def edit(self) -> None:
        for _ in range(self.dice.randint(0, 2)):
            there = sorted(person for person, club in self.named.items() if club)
            what = self.dice.choice(["move", "move", "move", "leave", "join"])
            if what == "join" or len(there) < 6:
                self.join()
            elif what == "move":
                self.put(self.dice.choice(there), self.dice.choice(CLUBS))
            else:
                self.put(self.dice.choice(there), None)

    def sync(self, *clubs: Club) -> None:
        """A reading, after which the promise is looked at."""
        before = self.inside()
        self.since = {person: {club} for person, club in self.named.items()}
        self.chain.sync(*clubs)
        inside = self.inside()
        everywhere = set().union(*inside.values())
        for person in set().union(*before.values()):
            assert person in everywhere or None in self.since[person], f"{person} is locked out"
        for club, people in inside.items():
            for person in people - before[club]:
                assert self.names[club] in self.since[person], f"{person} is in {club}"

    def inside(self) -> dict[str, set[str]]:
        return {club.id: club.inside() for club in self.chain.clubs}

    def truth(self) -> dict[str, set[str]]:
        return {
            club: {person for person, named in self.named.items() if named == name}
            for club, name in self.names.items()
        }


CLUBS = ("Annecy", "Lyon", "Nice")


@pytest.mark.parametrize("seed", range(3))
def test_r29_nobody_who_moves_while_pages_are_read_is_without_access(
    new_chain: NewChain, seed: int
) -> None:
    """All clubs at once, or some of them; when nobody edits any more, the base becomes as the tenant is."""
    chain = new_chain(*CLUBS)
    living = Living(chain, seed)
    chain.sync()
    for _ in range(6):
        living.edit()
        living.sync(*living.dice.sample(chain.clubs, living.dice.choice([1, 3, 3])))
    chain.erp.between = lambda: None
    for _ in range(3):
        living.sync()
    assert living.inside() == living.truth()
