"""R19: a made-up person and made-up secrets go through every command and every fault; nothing silent has told them.

Two clubs, one read over HTTP and one from files, are synced, broken in every way, corrected by hand and erased from.
Standard output may show a person to whoever asked. Nothing else may.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
import typer
from openpyxl import Workbook
from psycopg import sql
from ruamel.yaml import YAML
from typer.testing import CliRunner

from clubsync import cli
from clubsync.store import embedded
from sandbox import courtside, file_faults
from sandbox.faults import AnswerFault, Fault, Faults, HostileFault, ListFault
from tests.support import canary
from tests.support.canary import MARKED, MARKS, PERSON, PERSONAL, SECRETS, WORDS, Searcher
from tests.support.canary_clubs import (
    API,
    DROP,
    HEADER,
    MOUTHY,
    TOLD,
    Talkative,
    clubs,
    people,
    rows,
    write,
)
from tests.support.servers import serving

pytestmark = pytest.mark.timeout(900)

KINDS = [kind for kinds in (AnswerFault, HostileFault, ListFault) for kind in get_args(kinds)]


class Kept(logging.Handler):
    """Every record as a formatter would write it, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _workbook(path: Path) -> None:
    """One whose sheet is named after the person, under the name of a CSV."""
    book = Workbook()
    book.create_sheet(PERSON["last name"], 0).append([PERSON["email"]])
    book.save(path)


def _bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


FILE_FAULTS: tuple[Callable[[Path], None], ...] = (
    file_faults.cut,
    file_faults.html,
    file_faults.wrong_columns,
    file_faults.no_rows,
    file_faults.empty,
    lambda p: write(p, rows(), header=[*HEADER[:-1], PERSON["email"]]),
    lambda p: write(p, rows(), header=["id", "email", *rows()[0][2:]]),
    lambda p: write(p, rows(), header=["id", "email", *[PERSON["last name"]] * 7]),
    lambda p: write(p, [*rows(), [PERSON["email"]] * 40]),
    lambda p: _bytes(p, p.read_bytes() + f'"{PERSON["email"]}'.encode()),
    lambda p: _bytes(p, b"PK\x03\x04" + TOLD.encode()),
    lambda p: _bytes(p, TOLD.encode("utf-16")),
    _workbook,
    lambda p: write(p, rows(), header=None),
)
"""Damage to an export: the sandbox's own, and what puts a person where a column's or a sheet's name is."""


@dataclass
class World:
    """Two clubs and everything around them."""

    folder: Path
    environment: dict[str, str]
    place: courtside.Place
    faults: Faults
    erp: Talkative
    url: str
    stderr: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    commands: set[str] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *arguments: str, stdin: str = "", codes: tuple[int, ...] = (0,)) -> str:
        """A command, which ends with one of these codes; what it prints on standard output."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(cli.app, arguments, input=stdin, env=self.environment)
        error = done.exception
        if error is not None and not isinstance(error, SystemExit):
            done = self._by_main(arguments, stdin)
        self.commands.add(" ".join(arguments[:2]))
        self.commands.add(arguments[0])
        self.stderr.append(done.stderr)
        self.stdout.append(done.stdout)
        if done.exit_code not in codes:
            self.unexpected.append(f"{' '.join(arguments)}: {done.exit_code}, {done.stderr}")
        return str(done.stdout)

    def _by_main(self, arguments: tuple[str, ...], stdin: str) -> Any:
        """The command once more, by the program's entry point, which words what stopped it."""
        program = typer.Typer()

        @program.command(
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
        )
        def whole() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    cli,
                    "app",
                    lambda: typer.main.get_command(_APP)(list(arguments), standalone_mode=False),
                )
                patch.setattr("sys.argv", ["clubsync"])
                cli.main()

        with contextlib.chdir(self.folder):
            return CliRunner().invoke(program, [], input=stdin, env=self.environment)

    def sync(self, club: str, **how: bool) -> None:
        """The four stages without the command line, which takes longer; what they hand on is kept."""
        from clubsync.pipeline.engine import Pipeline

        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            with Pipeline.from_environment() as pipeline:
                self.steps.extend(map(dict, pipeline.sync([club], "test", **how)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment["CLUBSYNC_DATABASE"].replace("+psycopg", "")) as it:
            return it.execute(query).fetchall()


_APP = cli.app


@pytest.fixture(scope="module")
def validated() -> Iterator[list[str]]:
    """What Great Expectations is given and what it answers."""
    from great_expectations.datasource.fluent.interfaces import Batch

    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        validate = Batch.validate

        def watched(self: Batch, *args: Any, **kwargs: Any) -> Any:
            found = validate(self, *args, **kwargs)
            told.extend(
                [
                    str(self.head(n_rows=100)),
                    str(found),
                    json.dumps(found.to_json_dict(), default=str),
                ]
            )
            return found

        patch.setattr(Batch, "validate", watched)
        yield told


@pytest.fixture(scope="module")
def world(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The clubs before anything was read."""
    folder, name = tmp_path_factory.mktemp("canary"), "r19_canary"
    postgres.create_database(name)
    place, faults = courtside.Place(SECRETS["login"], SECRETS["password"]), Faults()
    erp = Talkative(courtside.create_app({"club": place}, faults))
    with serving(erp) as url:
        connection = {
            "conn_type": "clubsync_rest",
            "host": f"{url}/club",
            "login": SECRETS["login"],
            "password": SECRETS["password"],
            "extra": json.dumps(
                {"webhook_secret": SECRETS["webhook secret"], "api_key": SECRETS["API key"]}
            ),
        }
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("CLUBSYNC", "AIRFLOW"))},
            "CLUBSYNC_VAR": str(folder / "var"),
            "CLUBSYNC_CONFIG": str(folder / "clubs.yaml"),
            "CLUBSYNC_DATABASE": postgres.url(name),
            "CLUBSYNC_STORE_KEY": SECRETS["store key"],
            "AIRFLOW_CONN_CANARY_API": json.dumps(connection),
            "AIRFLOW_CONN_CANARY_DROP": json.dumps(
                {"conn_type": "x", "host": (folder / "drop").as_uri()}
            ),
        }
        with (folder / "clubs.yaml").open("w") as file:
            YAML().dump({"clubs": clubs()}, file)
        yield World(folder, environment, place, faults, erp, url)
    postgres.drop_database(name)


def _lookups(world: World) -> None:
    world.run("clubs")
    world.run("chains")
    world.run("feed")
    world.run("webhooks", "list")
    world.run("webhooks", "dead")
    world.run("webhooks", "deliver")
    world.run("webhooks", "test", "nobody", codes=(2,))
    world.run("webhooks", "replay", "nobody", codes=(2,))
    for club in (API, DROP):
        for command in ("customers", "findings", "changes", "feed", "similar", "holds", "reused"):
            world.run(command, club)
        world.run("profile", club, codes=(0, 1))
        world.run("base", "requests", club)
        world.run("guard", "replay", club, codes=(0, 1, 2))
        world.run("erasures", club)
        world.run("findings", club, "--csv", codes=(0, 2))
        world.run("digest", club)
        world.run("digest", club, "--send", codes=(1,))
        for who in (
            PERSON["email"],
            PERSON["last name"],
            MARKED["marked ERP id"],
        ):
            world.run("why", club, "-", stdin=f"{who}\n", codes=(0, 1, 2))
    world.run("profile", "--erp", "csv", "--since", "2000-01-01T00:00:00Z")
    world.run("connector", "list")
    world.run("connector", "try", "clubs.yaml", "--club", DROP)
    world.run("connector", "try", "clubs.yaml", "--club", API, codes=(0, 1))
    world.run("clubs", "check", codes=(0, 1))
    world.run("clubs", "schema")


def _by_hand(world: World) -> None:
    """What people do, with the person's values on standard input."""
    new = f"neu.{PERSON['email']}"
    asked = (PERSON["email"], PERSON["first name"], PERSON["last name"], f"+33{PERSON['phone']}")
    options = ("--first-name", "-", "--last-name", "-", "--phone", "-")
    world.run("base", "add", DROP, "-", *options, stdin="\n".join((new, *asked[1:])) + "\n")
    world.run("base", "add", DROP, "-", stdin=f"{new}\n", codes=(1, 2))
    world.run("base", "add", DROP, "-", stdin=f"{PERSON['last name']} no email\n", codes=(1, 2))
    world.run(
        "base", "edit", DROP, "-", "--last-name", "-", stdin=f"{new}\n{PERSON['last name']}\n"
    )
    world.run("app", "register", "-", stdin=f"{new}\n")
    world.run("app", "register", "-", stdin=f"{new}\n", codes=(0, 1))
    world.run("app", "confirm", "-", stdin=f"{new}\n")
    world.run("app", "set-email", "-", "-", stdin=f"{new}\nneu.{new}\n")
    world.run("app", "confirm", "-", stdin=f"neu.{new}\n")
    for decision in ("refuse", "accept"):
        world.run("base", "request", API, "-", stdin=f"neu.{new}\n", codes=(0, 1))
        world.run("base", decision, API, "-", stdin=f"neu.{new}\n", codes=(0, 1))
    world.run("base", "detach", DROP, "-", stdin=f"{new}\n")
    world.run("base", "detach", DROP, "-", stdin=f"nobody.{new}\n", codes=(1,))
    world.run("reused", DROP, "keep", WORDS["ERP id"], codes=(0, 1, 2))
    world.run("similar", DROP, "--ignore", WORDS["ERP id"], "3", codes=(0, 1, 2))


def _lifecycle(world: World) -> None:
    last = max(run for (run,) in world.rows("select max(run) from sync.run"))
    for club in (API, DROP):
        for command in ("pause", "resume", "confirm-empty", "confirm-source", "approve-first-sync"):
            world.run("clubs", command, club, codes=(0, 1))
        world.run("replay", club, codes=(0, 1, 2, 3))
        world.run("backfill", club, codes=(0, 1, 2, 3))
    world.run("undo", str(last), codes=(0, 1, 3))
    world.run("redo", str(last), codes=(0, 1, 3))
    for (hold,) in world.rows("select hold from sync.hold order by hold"):
        world.run("approve", str(hold), codes=(0, 1, 2))
        world.run("reject", str(hold), codes=(0, 1, 2))
    world.run("store", "rekey")
    world.run("upkeep", codes=(0, 1))
    world.run("db", "upgrade")


def _api_faults(world: World) -> None:
    for kind in KINDS:
        world.faults.set("club", Fault(kind=kind, wait=0.01))
        world.sync(API, full=True)
        world.faults.clear()
    for mouthy in MOUTHY.values():
        world.erp.instead = mouthy
        world.sync(API, full=True)
    world.run("sync", API, "--full", codes=(0, 1, 3))
    world.run("connector", "try", "clubs.yaml", "--club", API, codes=(0, 1))
    world.erp.instead = None
    world.place.secret = "changed since"
    world.run("sync", API, codes=(1,))
    world.place.secret = SECRETS["password"]
    whole = world.environment
    broken = f'{{"password": "{SECRETS["password"]}"'
    world.environment = {**whole, "AIRFLOW_CONN_CANARY_API": broken}
    world.run("sync", API, codes=(1,))
    world.environment = whole


def _file_faults(world: World) -> None:
    path = world.folder / "drop" / "customers.csv"
    for fault in FILE_FAULTS:
        write(path, rows())
        fault(path)
        world.sync(DROP)
    world.run("sync", DROP, codes=(0, 1, 3))
    world.run("connector", "try", "clubs.yaml", "--club", DROP, codes=(0, 1))
    write(path, rows())


def _internal_faults(world: World) -> None:
    """A part of ours that fails with the person's values in its message; a database that quotes a row."""
    from clubsync.load import customers as load_customers

    def own(*_: object, **__: object) -> Any:
        raise KeyError(TOLD)

    def of_postgres(*_: object, **__: object) -> Any:
        world.rows(
            "create temp table one (email text primary key);"
            + f"insert into one values ('{PERSON['email']}');" * 2
        )

    for fault in (own, of_postgres):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(load_customers, "writing", fault)
            write(world.folder / "drop" / "customers.csv", rows(status="left"))
            world.sync(DROP)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clubsync.explain.why.why", fault)
            world.run("why", DROP, "-", stdin=f"{PERSON['email']}\n", codes=(0, 1))


@pytest.fixture(scope="module")
def searched(world: World, validated: list[str], postgres: embedded.Server) -> Searcher:
    """Everything was done, and every place was searched."""
    values = {**PERSON, **WORDS, **MARKS, **SECRETS}
    searcher, kept, root = Searcher(values), Kept(), logging.getLogger()
    level = root.level
    with ExitStack() as undo:
        root.addHandler(kept)
        root.setLevel(logging.DEBUG)
        undo.callback(root.setLevel, level)
        undo.callback(root.removeHandler, kept)
        with canary.process_list(searcher):
            _everything(world)
    for n, token in enumerate(world.place.sessions):
        values[f"session token {n}"] = token
    tokens = Searcher({name: v for name, v in values.items() if name in SECRETS or "token" in name})
    silent = Searcher(values)
    silent.leaks, silent.searched = searcher.leaks, searcher.searched
    silent.rows("logs", "of the program", kept.lines)
    silent.text("logs", "PostgreSQL", (postgres.data_dir / "postgres.log").read_bytes())
    named = Searcher({k: v for k, v in values.items() if "ERP id" not in k and k != "group"})
    named.rows("stderr", "all commands", world.stderr)
    silent.names(world.folder / "var")
    silent.rows("validation results", "Great Expectations", validated)
    _tables(world, named, tokens)
    silent.rows("XCom", "steps", map(json.dumps, world.steps))
    tokens.rows("stderr", "standard output", world.stdout)
    silent.leaks |= tokens.leaks | named.leaks
    silent.searched |= named.searched
    return silent


def _tables(world: World, named: Searcher, tokens: Searcher) -> None:
    names = world.rows(
        "select schemaname, tablename from pg_tables where schemaname in ('base', 'sync')"
    )
    for schema, table in names:
        query = sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, table))
        found = [row for (row,) in world.rows(query)]  # type: ignore[arg-type]  # it is no text, but a query
        name = f"{schema}.{table}"
        (tokens if name in PERSONAL else named).rows("base without people", name, found)


def _everything(world: World) -> None:
    people(world.place)
    write(world.folder / "drop" / "customers.csv", rows())
    assert world.run("store", "key")
    world.run("sync", "all", "--dry-run")
    world.run("sync", "all", codes=(0, 3))
    assert PERSON["email"] in world.run("customers", DROP, "--json"), "the person is in"
    _by_hand(world)
    _api_faults(world)
    _file_faults(world)
    world.run("sync", "all", codes=(0, 1, 3))
    write(world.folder / "drop" / "customers.csv", rows(status="left"))
    world.run("sync", DROP, codes=(0, 1, 3))
    _lookups(world)
    _lifecycle(world)
    _internal_faults(world)
    for club in (API, DROP):
        world.run("erase", club, "-", "--yes", stdin=f"{PERSON['email']}\n", codes=(0, 1, 3))
        world.run("erase", club, "-", "--yes", stdin=f"{PERSON['email']}\n", codes=(0, 1, 3))
    world.run("clubs", "move", DROP, "--yes", codes=(0, 1, 2))
    world.run("clubs", "remove", DROP, "--yes", codes=(0, 1, 2))


PLACES = (
    "logs",
    "stderr",
    "file names",
    "process list",
    "XCom",
    "validation results",
    "base without people",
)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_silent_tells_a_person_or_a_secret(searched: Searcher, place: str) -> None:
    assert searched.searched[place] > 0, "it was searched"
    assert [leak for leak in searched.told() if leak.startswith(f"{place}: ")] == []


def test_every_command_was_run(world: World, searched: Searcher) -> None:
    def names(command: Any, before: str = "") -> Iterator[str]:
        if hasattr(command, "commands"):
            for name, one in command.commands.items():
                if not one.hidden:
                    yield from names(one, f"{before} {name}".strip())
        else:
            yield before

    every = set(names(typer.main.get_command(cli.app)))
    assert len(every) > 40
    assert every - world.commands == set()
    assert world.unexpected == []


def test_a_value_that_is_planted_is_found() -> None:
    """In every encoding, in the middle of something, of every value."""
    values = {**PERSON, **WORDS, **MARKED, **SECRETS}
    for name, value in values.items():
        for encoding, planted in canary.encodings(value).items():
            searcher = Searcher(values)
            searcher.text("logs", "a log", b"before " + planted + b" after")
            assert name in {leak.value for leak in searcher.leaks}, (name, encoding)
    silent = Searcher(values)
    silent.text("logs", "a log", "Club: 3 customers, of whom 1 is held.")
    assert silent.told() == []
