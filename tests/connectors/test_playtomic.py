"""The Playtomic connector: what is its own, beside the contract; the API is the sandbox's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.playtomic.connector import PlaytomicConnector, PlaytomicSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import ContractChanged, FileBroken, FileMissing, SettingsWrong
from connectors.sdk.http import HttpLimits
from sandbox import playtomic
from sandbox.world import ClubSpec, World
from tests.support.servers import serving

PARIS = ZoneInfo("Europe/Paris")
CLUB = Club("padel", PARIS, "FR")
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def connector(host: str, **settings: object) -> PlaytomicConnector:
    chosen: dict[str, Any] = {"venue_id": "v", "http": HttpLimits(attempts=1), **settings}
    return PlaytomicConnector(
        Connection("c", host, "client", "secret"),
        PlaytomicSettings(**chosen),
        CLUB,
        now=lambda: NOW,
    )


# An API that answers anything --------------------------------------------------------------------


@dataclass
class Api:
    """Answers pages by cursor, or by a function of the request."""

    url: str = ""
    pages: dict[str | None, object] = field(default_factory=dict)
    answer: Callable[[Request], object] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    it = Api()

    async def token(_: Request) -> Response:
        return JSONResponse({"token": "t", "token_type": "BEARER", "expires_in": 3600})

    async def players(request: Request) -> Response:
        it.asked.append(dict(request.query_params))
        if it.answer:
            return JSONResponse(it.answer(request))
        return JSONResponse(it.pages[request.query_params.get("cursor_id")])

    app = Starlette(
        routes=[
            Route("/api/v1/oauth/token", token, methods=["POST"]),
            Route("/api/v1/venues/v/players", players),
        ]
    )
    with serving(app) as it.url:
        yield it


@pytest.fixture(autouse=True)
def _anew(request: pytest.FixtureRequest) -> None:
    if "api" in request.fixturenames:
        api = request.getfixturevalue("api")
        api.pages, api.answer = {}, None
        api.asked.clear()


def player(key: str, **more: object) -> dict[str, Any]:
    return {"player_id": key, "name": f"Ana {key}", "benefits": [], **more}


def test_fields(api: Api) -> None:
    """Every field of the vendor's sample, and what becomes of it."""
    api.pages[None] = {
        "data": [
            player(
                "u-1",
                email=" Ana@x.es ",
                phone="+34 600 123 123",
                gender="FEMALE",
                birth_date="1990-04-02",
                last_registration_date="2026-11-01T09:00:00",
                benefits=[
                    {"benefit_id": "b1", "name": "Gold", "type": "MEMBERSHIP", "expires_at": None}
                ],
            ),
            player("u-2", gender="HIDDEN", email=""),
        ]
    }
    reading = connector(api.url).read()
    one, two = reading.customers.iter_rows(named=True)
    assert one["email"] == "Ana@x.es"
    assert one["phone"] == "+34600123123"
    assert (one["gender"], one["birth_date"]) == ("female", date(1990, 4, 2))
    assert one["created_at"] == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert one["groups"] == [{"id": "b1", "valid_from": None, "valid_until": None}]
    assert [two[k] for k in ("email", "gender", "phone", "created_at")] == [None] * 4
    assert reading.groups.rows() == [("b1", "Gold", True)]
    assert api.asked[0] == {"limit": "100", "include": "BENEFITS"}


@pytest.mark.parametrize("all_of_them", [False, True])
def test_r03_a_player_without_its_list_of_benefits_is_unknown(api: Api, all_of_them: bool) -> None:
    """A missing key is not an empty list, nor is it if all players lack it; a club may say that it is."""
    benefit = {"benefit_id": "b1", "name": "Gold", "expires_at": None}
    one, two, three = player("u-1", benefits=[benefit]), player("u-2"), player("u-3", benefits=None)
    for lacking in (one, two) if all_of_them else (two,):
        lacking.pop("benefits", None)
    api.pages[None] = {"data": [one, two, three]}
    found = connector(api.url).read().customers["unreadable"]
    assert [[note["field"] for note in notes] for notes in found] == [
        ["groups"] * all_of_them,
        ["groups"],
        [],
    ]
    sure = connector(api.url, omits_empty=True).read().customers["unreadable"]
    assert sure.list.len().to_list() == [0, 0, 0]


def test_a_walk_in_a_circle_ends(api: Api) -> None:
    """R14: a cursor that comes twice."""
    api.pages = {
        None: {"data": [player("a")], "next_cursor_id": "x"},
        "x": {"data": [player("b")], "next_cursor_id": "y"},
        "y": {"data": [player("c")], "next_cursor_id": "x"},
    }
    reading = connector(api.url).read()
    assert not reading.certificate.complete
    assert "already been read" in reading.certificate.doubts[0]
    assert reading.customers.height == 3


def test_a_walk_without_end_ends(api: Api) -> None:
    """Pages are capped."""
    api.answer = lambda _: {
        "data": [player(f"u{len(api.asked)}")],
        "next_cursor_id": f"c{len(api.asked)}",
    }
    reading = connector(api.url, http=HttpLimits(max_pages=5)).read()
    assert reading.certificate.pages == 5
    assert not reading.certificate.complete


@pytest.mark.parametrize("page", [2, 100])
def test_a_cursor_that_moved_elsewhere_is_noticed(api: Api, page: int) -> None:
    """R14 [inf]: a first page of several players that names no next one is requested again as a page of one,
    whether it is full or not: the ERP's own limit may be lower than ours."""
    everybody = [player("a"), player("b"), player("c")]
    api.answer = lambda r: {
        "data": everybody[: int(r.query_params["limit"])],
        "meta": {"next": "x"},
    }
    reading = connector(api.url, page=page).read()
    assert not reading.certificate.complete
    assert [a["limit"] for a in api.asked] == [str(page), "1"]


def test_benefits_of_other_keys_are_refused(api: Api) -> None:
    """[inf] A benefit that we do not understand is never a lost group."""
    held = {"id": "b1", "label": "Gold", "until": "2026-12-31"}
    api.pages[None] = {"data": [player("a", benefits=[held])]}
    with pytest.raises(ContractChanged, match="benefit"):
        connector(api.url).read()
    keys = {"benefit_id": "id", "benefit_name": "label", "benefit_expires": "until"}
    reading = connector(api.url, **keys).read()
    assert reading.groups.rows() == [("b1", "Gold", True)]


@pytest.mark.parametrize(
    ("expires", "word"),
    [("soon", "soon"), (["2026-12-31"], "#NOT_TEXT!"), (True, "True"), ("#N/A", "#N/A")],
)
def test_an_expiry_that_is_no_date_cannot_be_read(api: Api, expires: object, word: str) -> None:
    """R3: read as "never ends" it would give permanent access; only this player is unknown."""
    held = {"benefit_id": "b1", "name": "Gold", "expires_at": expires}
    api.pages[None] = {"data": [player("a", benefits=[held]), player("b")]}
    one, two = connector(api.url).read().customers["unreadable"].to_list()
    assert one == [{"field": "valid_until", "word": word, "group": "b1"}]
    assert two == []


@pytest.mark.parametrize(
    ("expires", "day"),
    [
        (None, None),
        ("", None),
        ("2026-12-31", date(2026, 12, 31)),
        ("2026-12-31T22:59:59", date(2026, 12, 31)),
        ("2026-12-31T23:00:00", date(2027, 1, 1)),
        ("2026-12-31T00:00:00", date(2026, 12, 31)),
        ("2026-06-30T22:00:00Z", date(2026, 7, 1)),
        ("2027-01-01T00:00:00+01:00", date(2027, 1, 1)),
        ("9999-12-31T23:59:59Z", None),
        (20261231, date(2026, 12, 31)),
        ("31/12/2026", date(2026, 12, 31)),
    ],
)
def test_last_day(api: Api, expires: object, day: date | None) -> None:
    """R3: the club's own calendar day; an exclusive end is not guessed."""
    held = {"benefit_id": "b1", "name": "Gold", "expires_at": expires}
    api.pages[None] = {"data": [player("a", benefits=[held])]}
    row = connector(api.url).read().customers.to_dicts()[0]
    assert ([g["valid_until"] for g in row["groups"]], row["unreadable"]) == ([day], [])


@pytest.mark.parametrize(
    ("settings", "login"), [({"venue_id": None}, "client"), ({}, None), ({}, "")]
)
def test_settings_that_cannot_work(settings: dict[str, Any], login: str | None) -> None:
    """Said before anything is asked."""
    read = connector("http://127.0.0.1:9", **settings)
    read.connection = Connection("c", "http://127.0.0.1:9", login, "secret")
    with pytest.raises(SettingsWrong):
        read.read()


# The sandbox's own API ---------------------------------------------------------------------------


def test_the_demo_s_club_comes_through() -> None:
    """What the world says of a club is what the connector reads; the token lasts an hour."""
    world = World(5, [ClubSpec("v", "V", 250)], NOW)
    clock = [NOW]
    venue = playtomic.Venue(
        "client", "secret", lambda: playtomic.players_of(world.club("v", NOW), PARIS)
    )
    app = playtomic.create_app({"v": venue}, now=lambda: clock[0])
    with serving(app) as url:
        reading = connector(url).read()
        assert reading.certificate.complete
        expected = {
            f"u-{p.number}": p
            for p in world.club("v", NOW).people
            if p.status in ("active", "paused")
        }
        found = {r["erp_id"]: r for r in reading.customers.iter_rows(named=True)}
        assert found.keys() == expected.keys()
        for key, person in expected.items():
            assert found[key]["email"] == person.email
            assert found[key]["phone"] == person.phone
            ends = {m.end for m in person.memberships}
            assert {g["valid_until"] for g in found[key]["groups"]} <= ends


def test_a_token_runs_out_in_mid_walk() -> None:
    """Pages may take longer than the token's hour: one new log-in, and on."""
    clock = [NOW]
    everybody = [
        playtomic.Player(
            player_id=f"u{i}",
            name="Ana",
            email=None,
            phone=None,
            birth_date=None,
            gender="HIDDEN",
            last_registration_date=f"2026-11-01T09:{i:02}:00",
            accepts_commercial_communications=False,
            benefits=[],
        )
        for i in range(6)
    ]

    def players() -> list[playtomic.Player]:
        clock[0] += timedelta(minutes=40)
        return everybody

    app = playtomic.create_app(
        {"v": playtomic.Venue("client", "secret", players)}, now=lambda: clock[0]
    )
    with serving(app) as url:
        reading = connector(url, page=2).read()
    assert reading.certificate.complete
    assert reading.customers.height == 6


# The Manager's file ------------------------------------------------------------------------------

HEADER = (
    "name,email,phone_number,gender,birthdate,category_name,category_expires,"
    "benefit_price_id,next_due_date"
)


def drop(folder: Path, *lines: str, header: str = HEADER) -> PlaytomicConnector:
    (folder / "customers.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return connector(folder.as_uri(), venue_id=None)


def test_manager_file(tmp_path: Path) -> None:
    """The columns of the Manager's import; no ids; a category until its day."""
    read = drop(
        tmp_path,
        "Ana Ruiz,ana@example.com,33612345678,female,1990-04-02,Gold,2026-12-31,p1,2027-01-01",
        "Zoë Núñez,zoe@example.com,,,,,,,",
    )
    reading = read.read()
    assert reading.certificate.complete
    one, two = reading.customers.iter_rows(named=True)
    assert one["erp_id"] is None
    assert (one["first_name"], one["last_name"]) == ("Ana", "Ruiz")
    assert (one["phone"], one["gender"]) == ("+33612345678", "female")
    assert one["status"] == "active"
    assert one["groups"] == [{"id": "Gold", "valid_from": None, "valid_until": date(2026, 12, 31)}]
    assert two["groups"] == []
    assert reading.groups.rows() == [("Gold", "Gold", True)]
    assert reading.columns == tuple(HEADER.split(","))
    mtime = (tmp_path / "customers.csv").stat().st_mtime
    assert reading.as_of == datetime.fromtimestamp(mtime, tz=UTC)
    assert "customers.csv" in read.check()


def test_manager_file_with_several_categories(tmp_path: Path) -> None:
    """[inf] Rows that differ by category alone are one person's."""
    reading = drop(
        tmp_path,
        "Ana Ruiz,ana@example.com,,,,Gold,2026-12-31,,",
        "Ana Ruiz,ana@example.com,,,,Kids,,,",
        "Ana Ruiz,other@example.com,,,,Kids,,,",
    ).read()
    assert [
        [(g["id"], g["valid_until"]) for g in groups] for groups in reading.customers["groups"]
    ] == [[("Gold", date(2026, 12, 31)), ("Kids", None)], [("Kids", None)]]


def test_manager_file_without_a_column(tmp_path: Path) -> None:
    """Never remove a header, the vendor says."""
    with pytest.raises(ContractChanged):
        drop(tmp_path, "Ana,ana@example.com", header="name,email").read()


def test_manager_file_with_a_bad_expiry(tmp_path: Path) -> None:
    """An end that cannot be read is not "no end" (R3)."""
    reading = drop(
        tmp_path, "Ana,ana@example.com,,,,Gold,soon,,", "Zoe,zoe@example.com,,,,Gold,2026-12-31,,"
    ).read()
    assert reading.customers["unreadable"].to_list() == [
        [{"field": "valid_until", "word": "soon", "group": "Gold"}],
        [],
    ]


def test_manager_file_with_a_birth_date_that_cannot_be_read(tmp_path: Path) -> None:
    """R3: it is told, and is not "none", which would empty the one that is known; its word is not (R19)."""
    lines = ["Ana,ana@example.com,,,31/31/1990,,,,", "Zoe,zoe@example.com,,,1990-04-02,,,,"]
    customers = drop(tmp_path, *lines).read().customers
    assert customers["birth_date"].to_list() == [None, date(1990, 4, 2)]
    assert customers["unreadable"].to_list() == [
        [{"field": "birth_date", "word": None, "group": None}],
        [],
    ]


def test_manager_file_cut(tmp_path: Path) -> None:
    """R14: refused whole."""
    with pytest.raises(FileBroken):
        drop(tmp_path, "Ana,ana@example.com,,,,Gold,2026-12-31,,", "Zoe,zoe@exam").read()


def test_manager_file_missing(tmp_path: Path) -> None:
    """No file at all."""
    with pytest.raises(FileMissing):
        connector(tmp_path.as_uri(), venue_id=None).read()
