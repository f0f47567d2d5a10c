"""R25: a run that is late is alerted while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from clubsync.operate.freshness import Message
from plugins.orchestration import alerts, deadlines


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Message]]:
    got: list[Message] = []

    def send(message: Message) -> bool:
        got.append(message)
        return True

    monkeypatch.setattr(alerts, "send", send)
    yield got
    deadlines._alerted.clear()


def late(dag: str = "sync_csv", run_id: str = "scheduled__1") -> str:
    run = {"dag_run": {"dag_id": dag, "dag_run_id": run_id}}
    return asyncio.run(deadlines.late(3, run))


def test_a_late_run_is_named_with_what_was_promised(sent: list[Message]) -> None:
    assert late() == "sent"
    (message,) = sent
    assert message.title == "clubsync: sync_csv is late"
    assert "scheduled__1 of sync_csv has not ended 3 minutes after" in message.body
    assert not message.fixed


def test_r26_a_backfill_is_not_late(sent: list[Message]) -> None:
    assert late(run_id="backfill__1") == "not a scheduled run"
    assert sent == []


def test_run_after_run_is_one_alert_an_hour(
    sent: list[Message], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(5):
        late()
    late("sync_rest")
    assert [message.title.split()[1] for message in sent] == ["sync_csv", "sync_rest"]
    assert caplog.text.count("sync_csv is late") == 5
    monkeypatch.setattr(deadlines, "REPEATED", timedelta(0))
    late()
    assert len(sent) == 3


def test_r19_an_alert_that_cannot_be_sent_says_no_address_and_is_sent_with_the_next(
    sent: list[Message], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message) -> bool:
        raise OSError("mailto://user:secret@example.org")

    with monkeypatch.context() as away:
        away.setattr(alerts, "send", fail)
        assert late() == "not sent (OSError)"
    assert "secret" not in caplog.text
    assert late() == "sent"
