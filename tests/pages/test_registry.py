"""The pages follow clubs.yaml, one file or a folder, without reading it at every request."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from plugins.web import registry
from plugins.web.registry import _File
from tests.pages.conftest import Site
from tests.pages.test_pages import text

CLUB = "clubs: [{{id: {0}, name: {0}, erp: csv, connection: c}}]\n"


@pytest.fixture(params=["file", "folder"])
def edited(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is edited."""
    path = tmp_path / "clubs.yaml"
    if request.param == "folder":
        path.mkdir()
        path = path / "north.yaml"
    path.write_text(CLUB.format("before"))
    monkeypatch.setenv("CLUBSYNC_CONFIG", str(tmp_path / "clubs.yaml"))
    return path


def _clubs_soon(file: _File, wanted: str) -> list[str]:
    """What the pages see, as soon as it is that."""
    for _ in range(200):
        if (seen := list(file.now().clubs)) == [wanted]:
            return seen
        time.sleep(0.02)
    return seen


def test_an_edit_is_seen_and_a_mistake_leaves_what_was(edited: Path) -> None:
    file = _File()
    assert list(file.now().clubs) == ["before"]
    edited.write_text(CLUB.format("after"))
    assert _clubs_soon(file, "after") == ["after"]
    edited.write_text("clubs: 3\n")
    assert list(file.now().clubs) == ["after"]
    edited.write_text(CLUB.format("corrected"))
    assert _clubs_soon(file, "corrected") == ["corrected"]


def test_clubs_that_were_never_synced_are_counted_and_the_first_of_them_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first day: many clubs at once."""
    for n in range(25):
        path = Path(os.environ["CLUBSYNC_CONFIG"])
        entry = f"- {{id: unread-{n}, name: Unread {n}, erp: memory, connection: c}}\n"
        path.write_text(path.read_text() + entry)
    monkeypatch.setattr(registry, "_file", _File())
    page = text(site.as_("viewer").get("/pages/clubs").text)
    assert "never synced: unread-0, unread-1," in page
    assert "unread-19 and 5 more. They sync automatically." in page
