"""clubs.yaml: what it may say, and errors that name file, line and club."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import yaml

from clubsync.config import Config, json_schema, load_config
from clubsync.errors import ConfigError, UnknownClub

ROOT = Path(__file__).resolve().parents[2]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clubs.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def load(tmp_path: Path, text: str) -> Config:
    return load_config(written(tmp_path, text))


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return caught.value.what.replace(str(tmp_path), "")


CLUB = """\
clubs:
  - id: boulder-paris
    name: Boulder Paris 11
    erp: eversports
    connection: boulder_paris
"""


def test_defaults_and_what_a_club_says_itself(tmp_path: Path) -> None:
    """A club's own word counts before the defaults; the guard is merged key by key."""
    config = load(
        tmp_path,
        """\
        defaults: {every: 10m, timezone: Europe/Paris, guard: {share: 20%, at_most: 50}}
        clubs:
          - {id: a, name: A, erp: csv, connection: a}
          - id: b
            name: B
            erp: csv
            connection: b
            every: 1m
            timezone: America/Martinique
            access_statuses: [active, paused]
            former_groups: [Anciens membres]
            no_end: [permanent, 2099-12-31, 2099]
            guard: {at_least: 2}
            settings: {customers: "*.csv"}
        """,
    )
    a, b = config.clubs
    assert (a.every, a.zone, a.guard.share) == (
        timedelta(minutes=10),
        ZoneInfo("Europe/Paris"),
        0.2,
    )
    assert (a.guard.at_least, a.guard.at_most) == (5, 50)
    assert (b.every, b.zone) == (timedelta(minutes=1), ZoneInfo("America/Martinique"))
    assert (b.guard.share, b.guard.at_least, b.guard.at_most) == (0.2, 2, 50)
    assert b.access_statuses == {"active", "paused"}
    assert (a.no_end, b.no_end) == ((), ("permanent", "2099-12-31", "2099"))
    assert (b.former_groups, b.settings) == (("Anciens membres",), {"customers": "*.csv"})


def test_a_club_of_few_words(tmp_path: Path) -> None:
    """R25, R15: five minutes, 10%, at least 5, at most 200."""
    (club,) = load(tmp_path, CLUB).clubs
    assert (club.every, club.timezone, club.country) == (timedelta(minutes=5), "Europe/Paris", "FR")
    assert (club.guard.share, club.guard.at_least, club.guard.at_most) == (0.1, 5, 200)
    assert (set(club.access_statuses), club.group_required) == ({"active"}, False)


WRONG = [
    ("every: 30s", "line 6, club boulder-paris: every: the shortest cadence is one minute"),
    ("every: soon", "line 6, club boulder-paris: every: write a duration like 5m"),
    ("timezone: Europe/Pariss", "line 6, club boulder-paris: timezone: unknown time zone"),
    ("country: France", "line 6, club boulder-paris: country:"),
    ("colour: red", "line 6, club boulder-paris: unknown setting `colour`"),
    ("evry: 5m", "line 6, club boulder-paris: unknown setting `evry`; did you mean `every`?"),
    ("access_statuses: [aktive]", "line 6, club boulder-paris: access_statuses"),
    ("guard:\n      share: 200%", "line 7, club boulder-paris: guard.share:"),
    ("guard:\n      shares: 20%", "line 7, club boulder-paris: guard: unknown setting `shares`; did you mean `share`?"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "told"), WRONG)
def test_errors_name_file_line_and_club(tmp_path: Path, line: str, told: str) -> None:
    found = problem(tmp_path, f"{CLUB}    {line}\n")
    assert found.startswith("/clubs.yaml, ")
    assert told in found


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A missing key, a duplicate id, an invalid id, an unknown key at the top level."""
    found = problem(
        tmp_path,
        """\
        clubs:
          - {id: a, name: A, erp: csv, connection: a}
          - {id: a, name: B, erp: csv, connection: b}
          - {id: "A b", name: C, erp: csv, connection: c}
          - {id: d, name: D, erp: csv}
          - just a word
        clubz: []
        """,
    )
    for told in (
        "line 3, club a: this id is already used on line 2",
        "line 4, club A b: id:",
        "line 5, club d: connection is required",
        "line 6: a club is a mapping",
        "line 7: unknown setting `clubz`; did you mean `clubs`?",
    ):
        assert told in found


def test_not_yaml(tmp_path: Path) -> None:
    assert "line 2: not valid YAML" in problem(tmp_path, "clubs:\n  - {id: a]\n")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clubs\.yaml cannot be read"):
        load_config(tmp_path / "clubs.yaml")


def test_an_unknown_club_is_met_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownClub) as caught:
        load(tmp_path, CLUB).club("bolder-paris")
    assert caught.value.remedy == "Did you mean boulder-paris?"


def test_the_schema_for_editors_is_json_and_knows_the_words() -> None:
    schema = json.dumps(json_schema())
    for word in ("former_groups", "access_statuses", "at_most", "first_sync"):
        assert word in schema


def test_the_schema_in_the_repository_is_the_models() -> None:
    """`make schema` writes it."""
    stored = json.loads((ROOT / "config" / "clubs.schema.json").read_text(encoding="utf-8"))
    assert stored == json_schema()


def test_clubs_yaml_names_its_schema_and_keeps_it() -> None:
    clubs = ROOT / "config" / "clubs.yaml"
    first, *_ = clubs.read_text(encoding="utf-8").splitlines()
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None
    schema = json.loads((clubs.parent / named[1]).read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(clubs.read_text(encoding="utf-8")), schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clubs": [{"id": "a", "name": "A", "erp": "csv"}]},
        {"clubs": [], "defaults": {"evry": "5m"}},
        {"clubs": [], "defaults": {"every": "PT5M"}},
        {"clubs": [], "defaults": {"guard": {"share": "much"}}},
    ],
    ids=["no connection", "unknown setting", "another way to write minutes", "no share"],
)
def test_editors_see_what_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())


def test_a_default_in_the_schema_may_be_written_as_it_stands() -> None:
    """Editors insert it."""
    properties = json_schema()["$defs"]["Common"]["properties"]
    for name, default in {"every": "5m", "full_read": "1h"}.items():
        assert properties[name]["default"] == default
        jsonschema.validate(default, properties[name])


def test_reading_the_clubs_stays_light(tmp_path: Path) -> None:
    """Every Dag file loads it at each parse: no frames, no validation, no data base with it."""
    program = (
        "import sys; from pathlib import Path; from clubsync.config import load_config;"
        f"load_config(Path({str(written(tmp_path, CLUB))!r}));"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    loaded = set(ran.stdout.split())
    assert "pydantic" in loaded
    heavy = {"polars", "pandas", "numpy", "great_expectations", "sqlalchemy", "psycopg", "airflow"}
    assert loaded & heavy == set()
