"""docs/adding-an-erp.md does what it says: its first steps are taken here, on Courtside."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from clubsync.cli import app
from clubsync.config import load_club, load_config
from clubsync.operate.tryout import try_out
from connectors.rest import RestConnector
from connectors.rest.settings import AnyPaging, RestSettings
from connectors.sdk.base import Club, Connection
from connectors.sdk.errors import CredentialsRefused
from sandbox.courtside import Place, create_app
from sandbox.rallye import Rallye
from tests.support.narrow import present
from tests.support.servers import serving

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "adding-an-erp.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "rest-courtside.yaml"
GRAPHQL = ROOT / "docs" / "examples" / "rest-graphql.yaml"


def test_the_first_file_of_the_guide_reads_and_names_the_rest(tmp_path: Path) -> None:
    """Step 2: a list and an id, and what else the ERP has is named."""
    (first,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    file = tmp_path / "squash-lyon.yaml"
    file.write_text(first)
    person: dict[str, Any] = {
        "no": 7,
        "names": {"given": "Ana", "family": "Ruiz"},
        "mail": "ana@example.com",
        "state": "member",
    }
    with serving(create_app({"lyon": Place("reader", "s3cret", people=[person])})) as url:
        tried = try_out(load_club(file), lambda i: Connection(i, f"{url}/lyon", "reader", "s3cret"))
    assert [record["erp_id"] for record in tried.records] == ["7"]
    assert tried.unused == ["names.given", "names.family", "mail", "state"]


def test_the_example_is_an_entry_of_clubs_yaml(tmp_path: Path) -> None:
    """Step 7: it moves there as it is."""
    entry = YAML(typ="safe").load(EXAMPLE.read_text())
    clubs = tmp_path / "clubs.yaml"
    with clubs.open("w") as out:
        YAML().dump({"clubs": [entry]}, out)
    assert load_config(clubs).club("squash-lyon").erp == "rest"
    RestSettings.model_validate(entry["settings"])


def test_the_example_of_graphql() -> None:
    """R16: nested variables, pages and what changed, against a server that validates every request."""
    erp = Rallye("s3cret", [_member(n) for n in range(1, 8)])
    erp.members[1]["status"] = "FORMER"
    club = load_club(GRAPHQL)
    settings = RestSettings.model_validate(club.settings)
    paging = settings.customers.paging.model_copy(update={"size": 3})
    listing = settings.customers.model_copy(update={"paging": paging})
    with serving(erp.app()) as url:
        tried = try_out(club, lambda i: Connection(i, url, password="s3cret"))
        assert tried.statuses == {"active": 6, "former": 1}
        assert [group["name"] for group in tried.groups] == ["Gold"]
        assert tried.unused == []

        def connector(since: datetime | None = None) -> RestConnector:
            return RestConnector(
                Connection("c", url, password="s3cret"),
                settings.model_copy(update={"customers": listing}),
                Club("padel-nice", ZoneInfo("Europe/Paris"), "FR"),
                now=lambda: datetime(2026, 11, 21, 10, tzinfo=UTC),
                since=since,
            )

        erp.asked.clear()
        assert connector().read().certificate.complete
        variables = [asked["variables"] for asked in erp.asked]
        assert variables[0] == {"first": 3, "filter": {"includeFormer": True}}
        assert [v["first"] for v in variables] == [3, 3, 3]
        assert len({v.get("after") for v in variables}) == 3

        erp.members[4]["updatedAt"] = "2026-11-21T09:59:00Z"
        changed = connector(datetime(2026, 11, 21, 10, tzinfo=UTC)).read()
        assert changed.customers["erp_id"].to_list() == ["5"]

        with pytest.raises(CredentialsRefused):
            try_out(club, lambda i: Connection(i, url, password="another"))


def _member(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "email": f"p{number}@example.com",
        "status": "ACTIVE",
        "updatedAt": "2026-11-01T00:00:00Z",
        "name": {"given": "Ana", "family": "Ruiz"},
        "memberships": [{"endsOn": None, "plan": {"id": "g", "name": "Gold"}}],
    }


def test_every_way_of_paging_is_in_the_guide() -> None:
    kinds = {
        get_args(model.model_fields["kind"].annotation)[0]
        for model in get_args(get_args(AnyPaging)[0])
    }
    table = GUIDE[GUIDE.index("| `kind` |") : GUIDE.index("With `total`")]
    assert {kind for kind in kinds if f"`{kind}`" in table} == kinds


NAMED = sorted(set(re.findall(r"`((?:connectors|sandbox|tests)/[\w/.]+)`", GUIDE)))


@pytest.mark.parametrize("path", [path for path in NAMED if "NAME" not in path])
def test_every_file_that_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_command_that_it_names_is_there() -> None:
    """And every target of make."""
    named = set(re.findall(r"\.venv/bin/clubsync ([a-z]+(?: [a-z]+)?)", GUIDE))
    there = {
        f"{group.name} {command.name or present(command.callback).__name__}"
        for group in app.registered_groups
        for command in present(group.typer_instance).registered_commands
    } | {"sync squash"}
    assert named <= there
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", GUIDE):
        assert f"\n{target}:" in makefile
