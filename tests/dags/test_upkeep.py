"""What `upkeep` does beside alerts and nudges."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from apprise.decorators import notify

from clubsync import clock
from clubsync.config import Config
from clubsync.extract import resume
from clubsync.operate import freshness, reminders
from clubsync.operate.freshness import Message
from clubsync.operate.reminders import Reminder
from clubsync.store.database import Base
from clubsync.store.snapshots import Store
from plugins.orchestration import alerts, approvals, upkeep_tasks


def test_a_reading_whose_time_is_over_goes(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUBSYNC_DATABASE", database)
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", str(tmp_path))
    now, minute = clock.now(), timedelta(minutes=1)
    store = Store()
    over = resume.Folder("a", now - 6 * minute, now - minute, "0a")
    lasts = resume.Folder("b", now - minute, now + 4 * minute, "0b")
    for folder in (over, lasts):
        store.put(folder.path, "000000-ff", b"{}")
    upkeep_tasks._sweep()
    assert resume.folders(store) == [lasts]


def test_a_store_that_is_away_stops_neither_alerts_nor_nudges(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLUBSYNC_SNAPSHOTS", "ftp://127.0.0.1:1/snapshots")
    with caplog.at_level(logging.ERROR):
        upkeep_tasks._sweep()
    assert "The snapshot store is unreachable (ConnectionRefusedError)" in caplog.text


ALERT = Message("clubsync: 1 club not fresh", "Boulder <b>\nnext", fixed=False, incidents=())


@pytest.mark.parametrize("extra", ["{}", '{"config": 3}', '{"config": [{"tag": "all"}]}'])
def test_an_alert_that_cannot_be_sent_stops_neither_approvals_nor_nudges(
    extra: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that is not valid; what is not sent is tried again."""
    connection = json.dumps({"conn_type": "apprise", "extra": json.loads(extra)})
    monkeypatch.setenv("AIRFLOW_CONN_CLUBSYNC_ALERTS", connection)
    sent: list[Message] = []
    monkeypatch.setattr(freshness, "mark_sent", lambda _, message: sent.append(message))
    upkeep_tasks._alert(cast(Base, None), [ALERT])
    assert sent == []
    assert "check the connection clubsync_alerts" in caplog.text


def test_r19_an_alert_is_text_where_a_service_shows_html(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error may quote what an ERP wrote, such as the name of a file."""
    got = []

    @notify(on="captured")  # type: ignore[no-untyped-call,untyped-decorator]  # Apprise has no types for it
    def capture(body: str, *_: object, **__: object) -> None:
        got.append(body)

    config = [{"path": "captured://?format=html", "tag": "all"}]
    connection = json.dumps({"conn_type": "apprise", "extra": {"config": config}})
    monkeypatch.setenv("AIRFLOW_CONN_CLUBSYNC_ALERTS", connection)
    assert alerts.send(ALERT)
    (body,) = got
    assert "<b>" not in body
    assert "&lt;b&gt;" in body


def test_digests_that_cannot_be_made_stop_neither_approvals_nor_nudges(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R31: whatever it is that goes wrong; here there is no database at all."""
    upkeep_tasks._tell_clubs(cast(Base, None), Config())
    assert "Digests are retried in a minute (AttributeError)" in caplog.text


def test_more_runs_than_airflow_maps_come_in_the_next_minutes() -> None:
    """An outage held lists in 2,000 clubs: those, and the nudges beside them, are not all lost for it."""
    rows = [
        {"club_id": f"c{n}", "hold": n, "version": 1, "run_id": f"c{n}-hold-{n}-list-1"}
        for n in range(2_000)
    ]
    asked = [approvals.run_of(row, str(row["run_id"])) for row in rows[5:]]
    runs = upkeep_tasks._runs(asked, rows[:5], {"paris": "paris-nudge-7"})
    assert len(runs) == upkeep_tasks.MOST_STARTED < 1024
    assert [run["reset_dag_run"] for run in runs[:5]] == [True] * 5
    assert runs[5]["trigger_run_id"] == "paris-nudge-7"


def test_r15_a_reminder_that_cannot_be_sent_is_not_noted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At least once: it is due again in a minute. Sent, it is noted with where, and without an address (R19)."""
    noted: list[str] = []
    monkeypatch.setattr(reminders, "due", lambda *_: Reminder("1 hold", "Boulder", ()))
    monkeypatch.setattr(reminders, "mark_sent", lambda _base, _what, told: noted.append(told))
    monkeypatch.setenv(
        "AIRFLOW_CONN_CLUBSYNC_ALERTS", '{"conn_type": "apprise", "extra": {"config": 3}}'
    )
    upkeep_tasks._remind(cast(Base, None), Config())
    assert (noted, "The reminder of holds was not sent" in caplog.text) == ([], True)

    @notify(on="reminded", name="Chat of support")  # type: ignore[no-untyped-call,untyped-decorator]  # Apprise has no types for it
    def capture(body: str, *_: object, **__: object) -> None:
        assert body == "Boulder"

    config = [{"path": "reminded://token-of-someone", "tag": "all"}]
    connection = json.dumps({"conn_type": "apprise", "extra": {"config": config}})
    monkeypatch.setenv("AIRFLOW_CONN_CLUBSYNC_ALERTS", connection)
    upkeep_tasks._remind(cast(Base, None), Config())
    assert len(noted) == 1
    assert noted[0].startswith("clubsync_alerts (")
    assert "token" not in noted[0]
