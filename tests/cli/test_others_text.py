"""R19: what an ERP wrote is text: it is no markup of ours, and nothing that a terminal obeys.

Every command is run on a hostile club, and what it prints is read character by character.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clubsync.cli import app
from clubsync.store import embedded
from clubsync.store.database import Base
from tests.support.owner import as_owner

ROOT = Path(__file__).resolve().parents[2]
MARKUP = "[/x] [bold] [link=https://evil.example]"
ESCAPES = "\x1b[2J\x1b]8;;https://evil.example\x07"
BIDI = "\u202egpj.exe\u2066\u200b"
#: Neither markup nor line break survives in a cell of a CSV as these do.
NAMES = (f"Ana {MARKUP}", f"Bob {ESCAPES}", f"Cleo {BIDI}", "Dan\nHold 7 approved.", "[/red]")
CLUB = """\
clubs:
  - id: rowing
    name: "Rowing [/club] Club"
    erp: csv
    connection: rowing_drop
    guard: {share: 10%, at_least: 0, at_most: 0}
    settings:
      customers: customers.csv
      fields: {id: id, email: email, first_name: first, last_name: last, phone: phone, status: status, groups: groups}
      active_status: [active]
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def run(postgres: embedded.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """`clubsync …` on a club of people with hostile names, one of whom is held.

    In this process, which has the libraries already; with `whole`, in one of its own.
    """
    folder = tmp_path_factory.mktemp("shell")
    postgres.create_database("others_text")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("CLUBSYNC", "AIRFLOW"))},
        "PYTHONPATH": str(ROOT),
        "CLUBSYNC_VAR": str(folder / "var"),
        "CLUBSYNC_CONFIG": str(folder / "clubs.yaml"),
        "CLUBSYNC_DATABASE": postgres.url("others_text"),
        "AIRFLOW_CONN_ROWING_DROP": json.dumps({"conn_type": "x", "host": f"file://{folder}"}),
        "FORCE_COLOR": "",
    }

    def run(*arguments: str, stdin: str = "", whole: bool = False) -> Done:
        if whole:
            made = subprocess.run(
                [sys.executable, "-m", "clubsync.cli", *arguments],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            return Done(made.returncode, made.stdout, made.stderr)
        with contextlib.chdir(folder):
            here = CliRunner().invoke(app, arguments, input=stdin, env=environment)
        assert here.exception is None or isinstance(here.exception, SystemExit), here.exception
        return Done(here.exit_code, here.stdout, here.stderr)

    (folder / "clubs.yaml").write_text(CLUB)
    for left in (False, True):
        with (folder / "customers.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "email", "first", "last", "phone", "status", "groups"])
            for n, name in enumerate(NAMES):
                status = "left" if left and n == 0 else "active"
                row = [
                    n,
                    f"p{n}@example.com",
                    name,
                    name,
                    "06 12 34 56 78",
                    status,
                    f"gold {MARKUP}",
                ]
                writer.writerow(row)
            writer.writerow(
                [f"9{MARKUP}", f"not an email {ESCAPES}", *NAMES[1:3], "", "active", ""]
            )
        done = run("sync", "rowing")
        assert done.returncode == (3 if left else 0), done.stderr
    yield run
    postgres.drop_database("others_text")


COMMANDS = (
    ("clubs",),
    ("customers", "rowing"),
    ("findings", "rowing", "--all"),
    ("changes", "rowing"),
    ("holds", "rowing", "--all"),
    ("similar", "rowing"),
    ("why", "rowing", "p0@example.com"),
    ("why", "rowing", "example.com"),
    ("why", "rowing", "o"),
    ("base", "requests", "rowing"),
    ("connector", "try", "clubs.yaml", "--show"),
    ("sync", "rowing", "--dry-run"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_prints_what_an_erp_wrote_as_text(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "Internal error" not in done.stderr
    printed = done.stdout + done.stderr
    obeyed = {
        c for c in printed if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")
    }
    assert not obeyed
    assert not [line for line in printed.splitlines() if line.startswith("Hold 7 approved")]


def test_markup_is_printed_as_it_was_written(run: Run) -> None:
    names = run("why", "rowing", "p0@example.com").stdout
    tried = run("connector", "try", "clubs.yaml").stdout
    # the cell is broken into two lines
    assert "gold [/x] [bold]" in tried
    assert "[link=https://evil.example]" in tried
    assert names.startswith("in: ERP customer 0 is in the Customers group of Rowing [/club] Club.")


def test_json_is_exact_and_harmless_too(run: Run) -> None:
    done = run("customers", "rowing", "--json")
    found = {row["erp_id"]: row["first_name"] for row in json.loads(done.stdout)}
    assert found["1"] == NAMES[1]
    assert not {c for c in done.stdout if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")}


def test_a_message_keeps_its_own_brackets(run: Run, tmp_path: Path) -> None:
    """The pattern of a club's id stands in square brackets, as markup does."""
    wrong = tmp_path / "clubs.yaml"
    wrong.write_text(CLUB.replace("id: rowing", "id: Rowing Club"))
    done = run("connector", "try", str(wrong), whole=True)
    assert done.returncode == 1
    assert "[a-z0-9-]" in done.stderr


def test_a_person_is_named_on_standard_input(run: Run) -> None:
    """Nothing personal has to stand in the list of processes."""
    asked = run("why", "rowing", "-", "--json", stdin="p1@example.com\n")
    assert json.loads(asked.stdout)["verdict"] == "in", asked.stderr
    added = run(
        *("base", "add", "rowing", "-", "--first-name", "-", "--last-name", "-", "--phone", "-"),
        "--json",
        stdin="eve@example.com\nEve\nNoir\n0612345670\n",
    )
    assert added.returncode == 0, added.stderr
    (eve,) = [
        row
        for row in json.loads(run("customers", "rowing", "--json").stdout)
        if row["email"] == "eve@example.com"
    ]
    assert (eve["first_name"], eve["last_name"], eve["phone"]) == ("Eve", "Noir", "+33612345670")
    user = run("app", "register", "-", "--json", stdin="fay@example.com\n")
    assert user.returncode == 0, user.stderr
    for command, lines in (
        (("app", "confirm", "-"), "fay@example.com\n"),
        (("app", "set-email", "-", "-"), "fay@example.com\nfay.new@example.com\n"),
        (("base", "request", "rowing", "-"), "fay.new@example.com\n"),
        (("base", "refuse", "rowing", "-"), "fay.new@example.com\n"),
        (("base", "request", "rowing", "-"), "fay.new@example.com\n"),
        (("base", "accept", "rowing", "-"), "fay.new@example.com\n"),
        (("base", "edit", "rowing", "-", "--first-name", "-"), "eve@example.com\nEva\n"),
        (("base", "detach", "rowing", "-"), "eve@example.com\n"),
        (("erase", "rowing", "-", "--yes"), "eve@example.com\n"),
    ):
        done = run(*command, stdin=lines)
        assert done.returncode == 0, (command, done.stderr)
    assert "eve@example.com" not in run("customers", "rowing", "--json").stdout


def test_standard_input_that_ends_is_told(run: Run) -> None:
    done = run("why", "rowing", "-")
    assert done.returncode == 2
    assert "Standard input has no line" in done.stderr
    assert "is not text" in run("why", "rowing", "-", stdin="a\0b\n").stderr


def test_commands_have_no_other_way_to_the_terminal() -> None:
    """So that the above holds for the next command too."""
    for module in (ROOT / "clubsync" / "cli").glob("*.py"):
        if module.name != "terminal.py":
            text = module.read_text()
            for other in (
                "import rich",
                "from rich",
                "print(f",
                "typer.echo",
                "click.echo",
                "sys.stdout.write",
            ):
                assert other not in text, (module.name, other)


def test_the_database_is_used(run: Run, postgres: embedded.Server) -> None:
    """The names above did reach the base, so that the commands had them to print."""
    base = Base(postgres.url("others_text"))
    try:
        with as_owner(base) as driver:
            rows = driver.execute("select first_name from base.customer").fetchall()
    finally:
        base.close()
    names = {row[0] for row in rows}
    assert any("\x1b" in (name or "") for name in names)
    assert any("\u202e" in (name or "") for name in names)
