"""Taking apart records that came as plain JSON: where some of an ERP's keys are settings, a type cannot name them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from connectors.sdk.errors import ContractChanged

T = TypeVar("T")


def typed(record: Mapping[str, Any], into: type[T]) -> T:
    """The part of a record that a type names; the rest is dropped (R19).

    :raises ContractChanged: it has another form; the message names the place, and no value.
    """
    try:
        return msgspec.convert(record, into)
    except msgspec.ValidationError as error:
        raise ContractChanged(f"A record came in another form: {error}.") from None


def day(value: object, zone: ZoneInfo) -> date | None:
    """The day of an ISO date, or of a date and time: in the club's calendar where it has an offset.

    :param value: nothing and the empty text are None.
    :raises ContractChanged: anything else; taken for "no end" it would give access for ever.
    """
    if value is None or value == "":
        return None
    try:
        text = str(value)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(zone).date() if moment.tzinfo else moment.date()
    except ValueError:
        raise ContractChanged("The ERP states a date that is none.") from None
