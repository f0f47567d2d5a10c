"""R29: where the pages show a chain, and its records that are no club's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from clubsync.store.database import Base
from tests.pages.conftest import Site
from tests.pages.test_pages import text
from tests.support.chain import Chain


@pytest.fixture
def chain(site: Site, shared_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """Annecy and Lyon in clubs.yaml, read once: four records name no club of theirs."""
    made = Chain(shared_base, tmp_path / "snapshots", monkeypatch, ("Annecy", "Lyon"))
    for erp_id, club in {"a": "Annecy", "b": "Lyon", "x": "Bob Brun", "y": None}.items():
        made.erp.put(erp_id, f"{erp_id}@x.fr", clubs=club)
    for n in range(3):
        made.erp.put(f"n{n}", f"n{n}@x.fr", clubs="Nice")
    made.sync()
    path = tmp_path / "chain.yaml"
    with path.open("w") as file:
        entries = [
            {
                "id": club.id,
                "name": name,
                "erp": "memory",
                "connection": made.connection,
                "members": {"at": "home_club", "is": [name]},
            }
            for club, name in zip(made.clubs, ("Annecy", "Lyon"), strict=True)
        ]
        YAML().dump({"clubs": entries}, file)
    monkeypatch.setenv("CLUBSYNC_CONFIG", str(path))
    from plugins.web import context

    monkeypatch.setattr(context, "_known", (0.0, {}))
    return made


def test_r29_the_club_the_findings_and_the_chain_lead_to_each_other(
    site: Site, chain: Chain
) -> None:
    (key,) = {one.key for one in chain.pipeline().chains.values()}
    browser = site.as_("viewer")
    club = browser.get(f"/pages/clubs/{chain.clubs[0].id}").text
    assert f"Read together with 1 other club of the chain {chain.connection}." in text(club)
    assert f"/pages/chains/{key}" in club
    board = browser.get("/pages/findings").text
    assert f"/pages/chains/{key}" in board
    assert "5 records of the chain" in text(board)
    page = browser.get(f"/pages/chains/{key}").text
    assert all(f"/pages/clubs/{one.id}" in page for one in chain.clubs)
    assert "Nice" in text(page)
    assert browser.get("/pages/chains/0123456789abcdef").status_code == 404
    assert site.as_(None).get(f"/pages/chains/{key}").status_code != 200


def test_r19_a_word_that_may_be_a_person_is_masked_for_viewers(site: Site, chain: Chain) -> None:
    """The field of the club may be the wrong one: what few records have there may be their names."""
    (key,) = {one.key for one in chain.pipeline().chains.values()}
    for role, shown in (("viewer", False), ("support", True)):
        page = site.as_(role).get(f"/pages/chains/{key}").text
        rows = site.program(role).get(f"/api/v1/chains/{key}/records").json()["rows"]
        assert ("Bob Brun" in page) is shown
        assert ("Bob Brun" in {row["word"] for row in rows}) is shown
        assert {row["erp_id"] for row in rows} == {"x", "y", "n0", "n1", "n2"}
    (found,) = site.program("viewer").get("/api/v1/chains").json()
    assert (found["unknown"], found["certified"], list(found["clubs"].values())) == (
        *(5, True),
        ["Annecy", "Lyon"],
    )


def test_r29_the_pages_of_clubs_that_are_in_no_chain_say_nothing_of_one(site: Site) -> None:
    assert "chain" not in text(site.page("viewer", "")).lower()
    assert site.program("viewer").get("/api/v1/chains").json() == []
