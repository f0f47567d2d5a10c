"""Our connection types in Airflow: their forms, and what a test of a connection says."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from connectors.registry import CONNECTORS, connector_class
from connectors.sdk.forms import FORMS, WEBHOOK_SECRET, form_of
from plugins.connections import hooks
from plugins.connections.provider import provider_info
from plugins.connections.resolver import resolve, tested_id
from sandbox import playtomic
from tests.support.servers import serving

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-of-playtomic"
TYPES = [f"clubsync_{name}" for name in CONNECTORS]


# what Airflow is told ------------------------------------------------------------------------------


def test_airflow_finds_us_by_our_entry_point() -> None:
    (found,) = [
        e for e in entry_points(group="apache_airflow_provider") if e.value.startswith("plugins.")
    ]
    assert found.load() is provider_info


def test_what_it_is_told_has_the_form_it_asks_for() -> None:
    from airflow.providers_manager import _create_provider_info_schema_validator

    validator = _create_provider_info_schema_validator()  # type: ignore[no-untyped-call]  # Airflow's
    validator.validate(provider_info())
    assert [t["connection-type"] for t in provider_info()["connection-types"]] == TYPES


def test_telling_it_imports_nothing_heavy() -> None:
    """Every task pays for it."""
    script = (
        "import sys; from plugins.connections.provider import provider_info; provider_info()\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'polars', 'pydantic', 'msgspec', 'requests', 'airflow', 'clubsync', 'fsspec'}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


@pytest.mark.parametrize("name", CONNECTORS)
def test_the_form_of_every_connector(name: str) -> None:
    """As the user interface gets it, which then asks for no hook."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    forms = {form.connection_type: form for form in HookMetaService.hook_meta_data()}
    form = forms[f"clubsync_{name}"]
    assert form.hook_name == f"clubsync: {connector_class(name).title}"
    standard = form.standard_fields
    assert standard is not None
    assert standard.host is not None
    assert standard.host.title == form_of(name).address
    assert standard.host.placeholder
    assert standard.url_schema is not None
    assert standard.port is not None
    assert (standard.url_schema.hidden, standard.port.hidden) == (True, True)
    assert form.extra_fields is not None
    assert list(form.extra_fields) == [field.name for field in form_of(name).fields]
    for field in form.extra_fields.values():
        assert field["schema"]["title"]
        assert field["description"].endswith(".")
    assert form.extra_fields["webhook_secret"]["schema"]["format"] == "password"


def test_every_connector_has_a_form_and_every_form_a_connector() -> None:
    assert set(FORMS) == set(CONNECTORS)
    for name in CONNECTORS:
        assert FORMS[name].title == connector_class(name).title


def test_a_new_connector_has_a_form_by_itself() -> None:
    assert form_of("sport_club").title == "Sport club"
    assert form_of("sport_club").fields == (WEBHOOK_SECRET,)


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_secret_of_a_form_is_masked_by_airflow(name: str) -> None:
    """What it answers to whoever may see connections goes by the names of the fields."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # not in its __all__

    for field in form_of(name).fields:
        if field.secret or field.name == "private_key":
            assert redact({field.name: "value-of-it"}) == {field.name: "***"}


@pytest.mark.parametrize("name", CONNECTORS)
def test_airflow_finds_the_hook_of_every_type(name: str) -> None:
    from airflow.models import Connection
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()  # type: ignore[no-untyped-call]  # Airflow's
    info = manager.hooks[f"clubsync_{name}"]
    assert info is not None
    assert info.connection_testable
    connection = Connection(conn_id="any", conn_type=f"clubsync_{name}")
    hook = connection.get_hook()  # type: ignore[no-untyped-call]  # Airflow's
    assert isinstance(hook, hooks.ErpHook)
    assert (hook.erp, hook.conn_type, hook.conn_id) == (name, f"clubsync_{name}", "any")


# what a test says ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def erp() -> Iterator[str]:
    """A Playtomic with one empty venue."""
    venue = playtomic.Venue(client_id="client", secret=SECRET, players=list)
    with serving(playtomic.create_app({"venue": venue})) as url:
        yield url


class World:
    """Connections in the environment, and a clubs.yaml that names them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.clubs()

    def clubs(self, *lines: str) -> None:
        path = self.folder / "clubs.yaml"
        path.write_text("\n".join(["clubs:", *(f"  - {{{line}}}" for line in lines)]))
        self.monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))

    def connection(self, conn_id: str, erp: str, host: str, **more: object) -> None:
        value = json.dumps({"conn_type": f"clubsync_{erp}", "host": host, **more})
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)

    def drop(self, *names: str) -> str:
        folder = self.folder / "drop"
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_text("Customer number;First name;Last name;Email\n")
        return f"file://{folder}"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def outcome_of(conn_id: str) -> tuple[bool, str]:
    """As Airflow does it: it makes the connection, and the connection its hook."""
    from airflow.sdk import Connection

    found = Connection.get(conn_id)
    ok, said = found.test_connection()
    assert said.endswith((".", ")."))
    assert SECRET not in said
    return ok, said


PADEL = "id: padel, name: Padel Lyon, erp: playtomic, connection: padel"
YOGA = "id: yoga, name: Yoga Lyon, erp: eversports, connection: yoga"


def test_a_good_log_in_is_told_with_the_club_it_was_tried_for(world: World, erp: str) -> None:
    world.connection("padel", "playtomic", erp, login="client", password=SECRET)
    world.clubs(PADEL + ", settings: {venue_id: venue}")
    ok, said = outcome_of("padel")
    assert ok
    assert said == "Padel Lyon (padel): Login works: the venue has no players."


def test_a_refused_secret_is_told_with_its_remedy(world: World, erp: str) -> None:
    world.connection("padel", "playtomic", erp, login="client", password=SECRET + "x")
    world.clubs(PADEL + ", settings: {venue_id: venue}")
    ok, said = outcome_of("padel")
    assert not ok
    assert "Padel Lyon (padel): " in said
    assert "Ask the club for a new key or password" in said


def test_a_good_log_in_does_not_hide_a_wrong_setting(world: World, erp: str) -> None:
    world.connection("padel", "playtomic", erp, login="client", password=SECRET)
    world.clubs(PADEL)
    ok, said = outcome_of("padel")
    assert (ok, "settings: venue_id" in said) == (False, True)


def test_of_several_clubs_those_in_need_come_first(world: World) -> None:
    world.connection("yoga", "eversports", world.drop("customers.csv"))
    world.clubs(YOGA, YOGA.replace("yoga,", "spin,", 1) + ", settings: {customers: spin*}")
    ok, said = outcome_of("yoga")
    assert not ok
    assert said.startswith(
        "1 of 2 clubs cannot be synced. Yoga Lyon (spin): No file matching `spin*`"
    )
    assert "Yoga Lyon (yoga): 1 file customers.csv" in said


def test_a_type_that_is_another_erps_is_told(world: World) -> None:
    world.connection("yoga", "csv", world.drop("customers.csv"))
    world.clubs(YOGA)
    ok, said = outcome_of("yoga")
    assert ok
    assert said.endswith("its type should be clubsync_eversports.")


@pytest.mark.parametrize("name", ["csv", "eversports", "planity", "playtomic"])
def test_a_folder_that_no_club_names_yet_is_opened(world: World, name: str) -> None:
    world.connection("new", name, world.drop("anything.csv"))
    ok, said = outcome_of("new")
    assert ok
    assert said.startswith("The folder can be opened: 1 file, newest ")
    assert "No club in clubs.yaml uses this connection yet" in said
    world.connection("new", name, f"file://{world.folder}/nowhere")
    ok, said = outcome_of("new")
    assert (ok, "does not exist" in said) == (False, True)


def test_an_api_that_no_club_names_yet_is_logged_in_to(world: World, erp: str) -> None:
    world.connection("new", "playtomic", erp, login="client", password=SECRET)
    ok, said = outcome_of("new")
    assert ok
    assert said.startswith("Login works. No club in clubs.yaml uses this connection yet")
    world.connection("new", "playtomic", erp, login="client", password="wrong")
    assert outcome_of("new")[0] is False


def test_where_nothing_can_be_tried_without_a_club_nothing_is_claimed(world: World) -> None:
    """The database is named in the address, or in a club's settings."""
    world.connection("new", "tryton", "http://127.0.0.1:9", login="ann", password=SECRET)
    ok, said = outcome_of("new")
    assert (ok, "No Tryton database is configured." in said) == (False, True)


def test_a_server_that_is_not_there(world: World, unused_port: int) -> None:
    here = f"http://127.0.0.1:{unused_port}"
    world.connection("padel", "playtomic", here, login="client", password=SECRET)
    settings = ", settings: {venue_id: venue, http: {attempts: 1}}"
    world.clubs(PADEL + settings)
    ok, said = outcome_of("padel")
    assert (ok, "no connection" in said) == (False, True)


def test_nobody_waits_for_a_server_that_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with a club nor without."""
    from connectors.eversports import EversportsConnector

    go_on = threading.Event()

    def hang(*_: object, **__: object) -> str:
        go_on.wait(30)
        return "At last."

    monkeypatch.setattr(EversportsConnector, "check", hang)
    monkeypatch.setattr(EversportsConnector, "test_connection", hang)
    monkeypatch.setattr(hooks, "PATIENCE", 0.1)
    world.connection("yoga", "eversports", world.drop())
    try:
        for clubs in ([], [YOGA]):
            world.clubs(*clubs)
            ok, said = outcome_of("yoga")
            assert (ok, "There was no response within 0.1 seconds." in said) == (False, True)
    finally:
        go_on.set()


def test_a_connection_without_anything(world: World) -> None:
    for name in CONNECTORS:
        world.connection("empty", name, "")
        ok, said = outcome_of("empty")
        assert (ok, "has no host" in said) == (False, True)


def test_a_broken_clubs_yaml_is_told_as_such(world: World) -> None:
    world.connection("yoga", "eversports", world.drop("customers.csv"))
    world.clubs("id: yoga")
    ok, said = outcome_of("yoga")
    assert (ok, "clubs.yaml, line 2" in said) == (False, True)


def test_a_fault_of_ours_is_told_without_its_words(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error's message may quote an address with credentials in it; so may a line of source."""
    from connectors.eversports import EversportsConnector

    def fault(_: object) -> str:
        raise RuntimeError(f"sftp://ann:{SECRET}@host")

    monkeypatch.setattr(EversportsConnector, "check", fault)
    world.connection("yoga", "eversports", world.drop("customers.csv"))
    world.clubs(YOGA)
    ok, said = outcome_of("yoga")
    assert (ok, "Internal error (RuntimeError)" in said) == (False, True)
    assert "internal error in the connection test: RuntimeError" in caplog.text
    assert f"{__file__}:" in caplog.text
    assert SECRET not in caplog.text
    assert "sftp://" not in caplog.text


# which clubs are meant -----------------------------------------------------------------------------


def test_under_a_made_up_id_the_clubs_are_found_by_the_one_asked_for(
    world: World, erp: str
) -> None:
    """Also where what is tested is new: another server, another log-in."""
    world.connection("padel", "playtomic", "https://old.example.com", login="old")
    world.connection("x7", "playtomic", erp, login="client", password=SECRET)
    world.clubs(PADEL + ", settings: {venue_id: venue}")
    token = tested_id.set("padel")
    try:
        ok, said = outcome_of("x7")
    finally:
        tested_id.reset(token)
    assert (ok, said.startswith("Padel Lyon (padel): Login works")) == (True, True)


def test_without_it_they_are_found_by_address_and_log_in(world: World, erp: str) -> None:
    world.connection("padel", "playtomic", erp, login="client", password="an old one")
    world.connection("other", "playtomic", erp, login="another", password="an old one")
    world.connection("x7", "playtomic", erp, login="client", password=SECRET)
    other = PADEL.replace("padel", "other").replace("Padel", "Other")
    missing = PADEL.replace("padel", "missing")
    world.clubs(PADEL + ", settings: {venue_id: venue}", other, missing)
    ok, said = outcome_of("x7")
    assert (ok, said) == (True, "Padel Lyon (padel): Login works: the venue has no players.")


# the request, on its way ---------------------------------------------------------------------------


def _passed_on(body: bytes, path: str = "/api/v2/connections/test") -> tuple[bytes, str | None]:
    """What the server gets of a request in two parts, and the id that its hook would see."""
    from plugins.connection_test_plugin import ConnectionTests

    seen: list[tuple[bytes, str | None]] = []
    half = len(body) // 2
    parts = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got = b""
        while True:
            message = await receive()
            got += message["body"]
            if not message["more_body"]:
                break
        length = dict(scope["headers"])[b"content-length"]
        assert int(length) == len(got)
        seen.append((got, tested_id.get()))

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None: ...

    headers = [(b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(ConnectionTests(app)(scope, receive, send))
    assert tested_id.get() is None
    return seen[0]


def test_port_0_of_the_list_is_no_port() -> None:
    """Else Airflow 3.3.2 takes it for another port than the stored one, and refuses to test."""
    got, conn_id = _passed_on(b'{"connection_id": "padel", "port": 0, "password": "***"}')
    assert json.loads(got) == {"connection_id": "padel", "port": None, "password": "***"}
    assert conn_id == "padel"


@pytest.mark.parametrize(
    "body",
    [b'{"connection_id": "padel", "port": 22}', b"no JSON", b"[1]", b'{"connection_id": 7}'],
)
def test_everything_else_is_passed_on_as_it_is(body: bytes) -> None:
    assert _passed_on(body)[0] == body


def test_other_requests_are_not_looked_at() -> None:
    body = b'{"connection_id": "padel", "port": 0}'
    assert _passed_on(body, "/api/v2/connections") == (body, None)


# connections as Airflow has them -------------------------------------------------------------------


def test_what_the_form_leaves_empty_is_not_there(world: World) -> None:
    """An empty known_hosts would say that no server is known."""
    extra = {"known_hosts": "", "region_name": None, "webhook_secret": "whsec_abcdef"}
    world.connection("yoga", "csv", "sftp://host:2222/Drop", login="", port=0, extra=extra)
    found = resolve("yoga")
    assert dict(found.extra) == {"webhook_secret": "whsec_abcdef"}
    assert (found.host, found.port, found.login) == ("sftp://host:2222/Drop", None, None)


def test_outside_a_task_a_changed_connection_is_seen_at_once(world: World) -> None:
    world.connection("yoga", "csv", "file:///a")
    assert resolve("yoga").host == "file:///a"
    world.connection("yoga", "csv", "file:///b")
    assert resolve("yoga").host == "file:///b"
