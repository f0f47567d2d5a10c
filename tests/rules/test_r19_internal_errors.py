"""R19: of an internal error class, file, line and function are logged, never a message or a source line."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from clubsync import cli, errors
from clubsync.errors import ConfigError
from plugins.orchestration import failures

ROOT = Path(__file__).resolve().parents[2]
PERSON = "zoe@quintessence.fr"


def fault() -> None:
    raise KeyError("zoe@quintessence.fr")


def caught(work: Callable[[], object]) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_r19_a_place_is_class_file_line_and_function() -> None:
    *_, last = errors.place_of(caught(fault)).splitlines()
    line = fault.__code__.co_firstlineno + 1
    assert last == f"  {__file__}:{line} in fault"


def test_r19_a_place_names_no_value_and_quotes_no_source() -> None:
    told = errors.place_of(caught(fault))
    assert told.startswith("KeyError\n")
    assert "zoe" not in told
    assert "raise" not in told


def test_r19_causes_have_their_places_too() -> None:
    def handling() -> None:
        try:
            fault()
        except KeyError:
            raise RuntimeError(PERSON)  # noqa: B904  # the context is what is looked for

    told = errors.place_of(caught(handling))
    assert [line for line in told.splitlines() if not line.startswith("  ")] == [
        "RuntimeError",
        "raised while handling",
        "KeyError",
    ]
    assert "zoe" not in told


def test_r19_what_is_suppressed_is_left_out() -> None:
    def handling() -> None:
        try:
            fault()
        except KeyError:
            raise RuntimeError(PERSON) from None

    assert "KeyError" not in errors.place_of(caught(handling))


def test_r19_a_task_ends_without_the_message(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow logs the message of whatever ends a task, with what it came from."""
    ended = caught(failures.without_values()(fault))
    assert (type(ended).__name__, str(ended)) == ("InternalError", "KeyError")
    assert ended.__suppress_context__
    assert f"{__file__}:" in caplog.text
    assert "zoe" not in caplog.text


def test_r19_errors_of_airflow_end_a_task_as_they_are() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    worded = AirflowFailException("What.")

    def work() -> None:
        raise worded

    assert caught(failures.without_values()(work)) is worded


def test_r19_errors_that_are_worded_for_people_are_logged_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Airflow logs a traceback for every exception but SystemExit, which it retries all the same."""

    def work() -> None:
        raise ConfigError("What.", remedy="Do.")

    with pytest.raises(failures.Unavailable) as ended:
        failures.without_values()(work)()
    assert isinstance(ended.value, SystemExit)
    assert ended.value.code == 1
    assert ended.value.__suppress_context__
    assert [record.getMessage() for record in caplog.records] == [str(ended.value)]
    assert str(ended.value).startswith("What. Do. Runbook: ")
    assert str(ended.value).endswith("/clubsync/pages/runbooks/contract-changed")


def test_r19_the_shell_prints_the_place_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", fault)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (1, "")
    assert told.err.startswith("Internal error: KeyError\n")
    assert f"{__file__}:" in told.err
    assert "zoe" not in told.err


def _logs_values(node: ast.AST) -> bool:
    """Whether it is a call that writes an exception's message or source lines."""
    if isinstance(node, ast.keyword):
        return node.arg in ("exc_info", "stack_info")
    if not isinstance(node, ast.Attribute):
        return False
    of = node.value.id if isinstance(node.value, ast.Name) else ""
    return (of, node.attr) in (("log", "exception"), ("logging", "exception")) or (
        of == "traceback" and node.attr not in ("walk_tb", "StackSummary")
    )


@pytest.mark.parametrize("package", ["clubsync", "connectors", "plugins", "dags"])
def test_r19_nothing_else_writes_a_traceback(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', '?')}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _logs_values(node)
    ]
    assert found == []


def test_r19_a_traceback_would_be_noticed() -> None:
    calls = ["log.exception('x')", "log.error('x', exc_info=True)", "traceback.format_exc()"]
    for call in calls:
        assert any(_logs_values(node) for node in ast.walk(ast.parse(call))), call
