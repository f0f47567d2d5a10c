"""The pages follow clubs.yaml, one file or a folder, without reading it at every request."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from plugins.web.registry import _File

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
