"""What the pages call the trigger of a run, in French too: whatever the code starts one with has words."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from plugins.web.i18n import MANUAL, Voice
from plugins.web.pages.charts import week
from plugins.web.services.clubs import Hour
from tests.pages.conftest import Site

ROOT = Path(__file__).resolve().parents[2]
PARIS = ZoneInfo("Europe/Paris")


def _texts(node: ast.expr) -> Iterator[str]:
    """The triggers that an expression can be, with 7 for each value in it."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        decided = any("decision" in ast.dump(part) for part in node.values)
        for word in ("keep", "replace") if decided else ("7",):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else _value(part, word)
                for part in node.values
            )


def _value(part: Any, word: str) -> str:
    return "ann" if "'by'" in ast.dump(part) else word


def _started() -> Iterator[tuple[str, str]]:
    """(file, trigger) of every run that manual edits and decisions start."""
    for path in sorted((ROOT / "clubsync").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "start_action":
                for text in _texts(node.args[2]):
                    yield path.name, f"by hand: {text}"
            elif name in ("start", "replay_snapshot") and len(node.args) > 1:
                for text in _texts(node.args[1]):
                    yield path.name, text


def test_every_trigger_has_words_in_both_languages() -> None:
    started = dict(_started())
    triggers = {text for _, text in _started()} | {"by hand: erasure"}
    assert len(started) >= 5
    assert len(triggers) >= 20
    for text in sorted(triggers):
        english, french = Voice("en").trigger(text), Voice("fr").trigger(text)
        assert english != french, text
        if text.startswith("by hand: "):
            assert french.startswith("à la main : "), text
            assert english.removeprefix("by hand: ") != french.removeprefix("à la main : "), text
    assert Voice("fr").trigger("hold 7 approved by ann") == "validation 7 approuvée par ann"
    assert Voice("fr").trigger("by hand: add") == "à la main : client ajouté"
    assert {f"by hand: {what}" for what in MANUAL} <= triggers


@pytest.mark.parametrize(
    ("now", "first", "shown"),
    [
        # forward at 02:00: there is no hour from 2 to 3
        (datetime(2026, 3, 29, 21, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        # back at 03:00: the hour from 2 to 3 comes twice
        (datetime(2026, 10, 25, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC), 24),
        (datetime(2026, 7, 1, 21, tzinfo=UTC), datetime(2026, 6, 30, 22, tzinfo=UTC), 24),
    ],
)
def test_every_hour_of_a_day_stands_once_in_the_week(
    now: datetime, first: datetime, shown: int
) -> None:
    """Also on days when the clocks change: no reading is shown twice, and none is left out."""
    hours, at = [], first
    while at <= now:
        hours.append(Hour(hour=at, readings=1, failed=0, complete=1))
        at = datetime.fromtimestamp(at.timestamp() + 3600, UTC)
    day, cells = week(hours, now, PARIS)[-1]
    assert (day.date(), len(cells)) == (now.astimezone(PARIS).date(), 24)
    assert sum(cell.row.readings for cell in cells if cell.row) == len(hours)
    assert sum(cell.quality == "complete" for cell in cells) == shown
    assert [h for h, cell in enumerate(cells) if cell.quality == "skipped"] == [2] * (shown == 23)


def test_a_club_that_is_gone_is_linked_to_nowhere(site: Site, tmp_path: Path) -> None:
    """Its data stay while clubs.yaml no longer lists it, and it has no page: neither list links to one."""
    from clubsync.model import Origin
    from plugins.web import context, registry

    engine = site.other.pipeline()
    engine.origin = Origin("sync_memory", "scheduled__gone", "sync.load", 0)
    site.other.at(site.club.now)
    site.other.later()
    engine.sync([site.other.id], "scheduled")
    path, viewer = tmp_path / "clubs.yaml", site.as_("viewer")
    asked = {"dag": "sync_memory", "run": "scheduled__gone"}
    link = f"/clubs/{site.other.id}"
    assert link in viewer.get("/pages/airflow", params=asked).text
    assert link in viewer.get("/pages/clubs").text

    kept = [line for line in path.read_text().splitlines() if line]
    at = next(n for n, line in enumerate(kept) if site.other.id in line)
    path.write_text("\n".join(kept[:at]) + "\n")
    registry._file.read = None
    context.numbers(at_once=True)
    for page in (viewer.get("/pages/airflow", params=asked), viewer.get("/pages/clubs")):
        assert page.status_code == 200
        assert site.other.config.name in page.text
        assert f'{link}"' not in page.text
        assert f"{link}/" not in page.text
    assert viewer.get(f"/pages{link}").status_code == 404
    (told,) = viewer.get("/api/v1/airflow", params=asked).json()
    assert told["listed"] is False
