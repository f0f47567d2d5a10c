"""Odd records: what is wrong with one of them is that record's, and what is wrong with many is the ERP's answer.

A record whose email is an object, whose id is missing, or that is not a record at all, is unknown this time (R3); the
others are read as ever. Only where more than a tenth of the records of a response, and at least three, are odd, or
all of several, the ERP no longer answers in the form that the connector knows: `ContractChanged`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from connectors.sdk.cells import NO_KEY, NOT_TEXT
from connectors.sdk.errors import ContractChanged

T = TypeVar("T")

#: More than one in `ONE_IN` records, and at least `AT_LEAST` of them, are not an odd record or two.
ONE_IN, AT_LEAST = 10, 3

#: Records that are converted again for the sake of odd ones: the whole list is, for each of them.
_MOST_WORK = 10_000_000

#: Where msgspec says that a value is.
_PLACE = re.compile(r"(?: - at `(?:key in )?(?P<path>\$[^`]*)`)?$")
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MISSING_FIELD = re.compile(r"missing required field `([^`]+)`")


def are_many(odd: int, of: int) -> bool:
    """Whether that number of odd records, of all that there are, means that the ERP answers in another form."""
    return (odd >= AT_LEAST and odd * ONE_IN > of) or (odd == of and of > 1)


def converted(value: Any, into: type[T]) -> T:
    """Plain JSON as a type, with what is odd of single records put right.

    Of a record that lacks a field, the field is null; a value of the wrong type is `cells.NOT_TEXT`, or null where the
    type takes no text: a type of records says by what it takes which of their fields may be odd. Without a list of
    records, and where many are odd, the type is as strict as ever.

    :param value: is changed.
    :raises msgspec.ValidationError: it is not that type.
    """
    odd: set[int] = set()
    tried: set[tuple[str, str]] = set()
    value = _whole_numbers(value)
    while True:
        try:
            return msgspec.convert(value, into)
        except msgspec.ValidationError as error:
            records, at, field = _place(value, str(error))
            if records is None or at is None:
                raise
            odd.add(at)
            if len(odd) * len(records) > _MOST_WORK:
                raise
            if are_many(len(odd), len(records)) or not _put_right(records, at, field, tried):
                raise


def typed_all(records: Sequence[Mapping[str, Any]], into: type[T]) -> list[T]:
    """The fields of plain records that a type names; the others are dropped (R19). Odd ones: see `converted`.

    :raises ContractChanged: they have another format; the message names the place and no value.
    """
    copies = [dict(record) if isinstance(record, Mapping) else record for record in records]
    try:
        return converted(copies, list[into])  # type: ignore[valid-type]  # a type made of a value
    except msgspec.ValidationError as error:
        raise ContractChanged(f"A record has an unexpected format: {error}.") from None


def _whole_numbers(value: Any) -> Any:
    """12.0 as 12, at any depth: JSON does not distinguish them, and some writers make every number a decimal."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    return [_whole_numbers(item) for item in value] if isinstance(value, list) else value


def several(
    values: Sequence[T] | str | msgspec.UnsetType | None, *, omits_empty: bool = False
) -> Sequence[T | str]:
    """A list of a record; of one that is no list, or is missing, a single value that cannot be read (R3).

    :param values: `msgspec.UNSET`: the record lacks the key.
    :param omits_empty: the ERP leaves empty lists out: a missing one is empty.
    """
    if isinstance(values, msgspec.UnsetType):
        return [] if omits_empty else [NO_KEY]
    return [NOT_TEXT] if isinstance(values, str) else values or ()


def numbers(ids: Iterable[object]) -> list[int]:
    """The ids that are whole numbers, of records of which some may have none, for a walk by id."""
    return [one for one in ids if isinstance(one, int) and not isinstance(one, bool)]


def _place(value: Any, message: str) -> tuple[list[Any] | None, int | None, str | None]:
    """The list of records that an error is about, the record's place in it, and the field.

    :returns: no list, where it is not about one record of a list.
    """
    match = _PLACE.search(message)
    path = (match["path"] if match else None) or "$"
    at, parts = value, list(_parts(path))
    for depth, part in enumerate(parts):
        if isinstance(part, int):
            if not isinstance(at, list) or part >= len(at):
                return None, None, None
            inside = parts[depth + 1 :]
            field = inside[0] if inside else None
            if field is None and (missing := _MISSING_FIELD.search(message)):
                field = missing[1]
            return at, part, field if isinstance(field, str) else None
        if not isinstance(at, dict) or part not in at:
            return None, None, None
        at = at[part]
    return None, None, None


def _parts(path: str) -> Iterator[str | int]:
    for match in _PART.finditer(path):
        yield match[1] if match[1] is not None else int(match[2])


def _put_right(records: list[Any], at: int, field: str | None, tried: set[tuple[str, str]]) -> bool:
    """Replace what is odd; False: nothing is left to replace it with."""
    record = records[at]
    if not isinstance(record, dict):
        records[at] = {}
        return True
    if field is None:
        return False
    for value, name in ((NOT_TEXT, "text"), (None, "null")):
        step = (f"{at} {field}", name)
        if step in tried or (value is NOT_TEXT and field not in record):
            continue
        tried.add(step)
        record[field] = value
        return True
    return False
