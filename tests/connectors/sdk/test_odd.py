"""R3: what is wrong with one record of an API is that record's alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk import odd
from connectors.sdk.cells import NOT_TEXT
from connectors.sdk.errors import ContractChanged
from connectors.sdk.http.responses import parsed


class Benefit(msgspec.Struct):
    id: int
    until: str | None = None


class Person(msgspec.Struct):
    id: int | None
    active: bool | None
    email: str | None = None
    benefits: list[Benefit] | str | None = None


class Answer(msgspec.Struct):
    data: list[Person]
    total: int


def answer(*records: Any) -> bytes:
    return json.dumps({"data": records, "total": len(records)}).encode()


def read(*records: Any) -> list[Person]:
    return parsed(answer(*records), Answer, "The ERP (GET /people)").data


GOOD = [{"id": n, "active": True, "email": f"p{n}@x.fr"} for n in range(1, 10)]


@pytest.mark.parametrize(
    ("record", "person"),
    [
        ({"id": 50, "active": True, "email": {"w": "a"}}, Person(50, True, NOT_TEXT)),
        ({"id": 50, "active": True, "email": ["a"]}, Person(50, True, NOT_TEXT)),
        ({"id": 50, "active": True, "email": 7}, Person(50, True, NOT_TEXT)),
        ({"id": 50, "active": "yes"}, Person(50, None)),
        ({"id": 50}, Person(50, None)),
        ({"id": 50.0, "active": True}, Person(50, True)),
        ({"id": 50.5, "active": True}, Person(None, True)),
        ({"id": {"x": 1}, "active": True}, Person(None, True)),
        ({"id": True, "active": True}, Person(None, True)),
        ({"active": True}, Person(None, True)),
        ({"id": 50, "active": True, "benefits": "gold"}, Person(50, True, None, "gold")),
        ({"id": 50, "active": True, "benefits": {"id": 1}}, Person(50, True, None, NOT_TEXT)),
        ({"id": 50, "active": True, "benefits": [{"id": "x"}]}, Person(50, True, None, NOT_TEXT)),
        ({"id": 50, "active": True, "benefits": [7]}, Person(50, True, None, NOT_TEXT)),
        ({"id": float("nan"), "active": True, "email": float("inf")}, Person(None, True)),
        (None, Person(None, None)),
        ("person", Person(None, None)),
    ],
)
def test_one_odd_record_is_that_records_alone(record: Any, person: Person) -> None:
    found = read(*GOOD[:5], record, *GOOD[5:])
    assert found[5] == person
    assert [p.id for p in found[:5] + found[6:]] == list(range(1, 10))


def test_many_odd_records_are_another_format() -> None:
    """More than a tenth, and at least three; or all of several."""
    bad = {"id": 50, "active": True, "email": {}}
    with pytest.raises(ContractChanged, match="unexpected format"):
        read(*GOOD, bad, bad, bad)
    assert len(read(*GOOD, bad, bad)) == 11
    assert len(read(*GOOD * 4, bad, bad, bad)) == 39
    with pytest.raises(ContractChanged):
        read(bad, bad)
    assert read(bad)[0].email == NOT_TEXT


def test_what_is_no_list_of_records_is_as_strict_as_ever() -> None:
    with pytest.raises(ContractChanged):
        parsed(b'{"data": {"1": {}}, "total": 1}', Answer, "The ERP (GET /people)")
    with pytest.raises(ContractChanged):
        parsed(b'{"data": [], "total": "many"}', Answer, "The ERP (GET /people)")


def test_numbers_that_a_writer_made_decimals_are_whole() -> None:
    records = [{"id": float(n), "active": True} for n in range(1, 200)]
    assert [p.id for p in read(*records)] == list(range(1, 200))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (rb"Zo\ud83d", "Zo\ufffd"),
        (rb"Zo\ude00e", "Zo\ufffde"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (b"Zo\xed\xa0\xbd", "Zo\ufffd"),
    ],
)
def test_half_of_an_emoji_is_replaced(written: bytes, read_as: str) -> None:
    """No database takes it; the rest of the answer is read as ever."""
    content = b'{"data": [{"id": 1, "active": true, "email": "' + written + b'"}], "total": 1}'
    (person,) = parsed(content, Answer, "The ERP (GET /people)").data
    assert person.email == read_as
    plain: Any = parsed(content, Any, "The ERP (GET /people)")
    assert plain["data"][0]["email"] == read_as


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(JSON, st.sampled_from(["id", "active", "email", "benefits", "other"]))
def test_whatever_a_field_holds_one_record_stops_nothing(value: Any, field: str) -> None:
    found = read(*GOOD, {"id": 50, "active": True, field: value})
    assert [p.id for p in found[:-1]] == list(range(1, 10))


@given(st.lists(JSON, max_size=3))
def test_plain_records_of_whatever_form(records: list[Any]) -> None:
    try:
        found = odd.typed_all(records, Person)
    except ContractChanged:
        assert len(records) > 1
        return
    assert len(found) == len(records)
