"""Connections, as Airflow writes them."""

from __future__ import annotations

import json

import pytest

from clubsync.connections import parse, resolve
from clubsync.errors import ConnectionMissing

SECRET = "hunter2"


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of the operating guide; the id's dashes become underscores in the variable."""
    fields = {
        "conn_type": "clubsync_csv",
        "host": "sftp://host:2222/drop",
        "login": "ann",
        "password": SECRET,
        "port": "2222",
        "extra": json.dumps({"tenant": "t1"}),
    }
    monkeypatch.setenv("AIRFLOW_CONN_BOULDER_PARIS", json.dumps(fields))
    found = resolve("boulder-paris")
    assert (found.id, found.host, found.login) == ("boulder-paris", "sftp://host:2222/drop", "ann")
    assert (found.password, found.port, dict(found.extra)) == (SECRET, 2222, {"tenant": "t1"})


def test_uri() -> None:
    """Airflow's other form, percent-encoded."""
    found = parse("x", "http://ann%40x.fr:p%2Fw@host.fr:8080/?tenant=t%201")
    assert (found.host, found.login, found.password) == ("host.fr", "ann@x.fr", "p/w")
    assert (found.port, dict(found.extra)) == (8080, {"tenant": "t 1"})
    extra = parse("x", 'http://host/?__extra__={"a": [1]}')
    assert dict(extra.extra) == {"a": [1]}


@pytest.mark.parametrize(
    "value",
    [
        f'{{"host": "x", "password": "{SECRET}"',
        f"{SECRET}",
        f'{{"host": "x", "extra": "{SECRET}"}}',
        f'{{"host": "x", "extra": ["{SECRET}"]}}',
        f'{{"host": "x", "port": "{SECRET}"}}',
        f"http://host:{SECRET}/",
        f"http://host/?__extra__={SECRET}",
    ],
)
def test_what_is_no_connection_is_refused_without_telling_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The sentence names the variable and says how to write it, and holds nothing of a secret."""
    monkeypatch.setenv("AIRFLOW_CONN_X", value)
    with pytest.raises(ConnectionMissing) as caught:
        resolve("x")
    assert "AIRFLOW_CONN_X" in caught.value.what
    assert SECRET not in str(caught.value)


def test_nowhere_to_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    monkeypatch.delenv("AIRFLOW_CONN_X", raising=False)
    with pytest.raises(ConnectionMissing) as caught:
        resolve("x")
    assert caught.value.what == "There is no connection 'x'."
    assert "AIRFLOW_CONN_X" in caught.value.remedy


def test_a_secret_is_not_shown() -> None:
    """Not in the object's own text either, which ends in logs."""
    found = parse("x", json.dumps({"host": "h", "password": SECRET, "extra": {"key": SECRET}}))
    assert SECRET not in repr(found)
