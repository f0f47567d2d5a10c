"""Plain JSON records: some of an ERP's keys are settings, so that no type can name them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from connectors.sdk.errors import ContractChanged

T = TypeVar("T")


def typed(record: Mapping[str, Any], into: type[T]) -> T:
    """The fields of a record that a type names; the others are dropped (R19).

    :raises ContractChanged: it has another format; the message names the place and no value.
    """
    try:
        return msgspec.convert(record, into)
    except msgspec.ValidationError as error:
        raise ContractChanged(f"A record has an unexpected format: {error}.") from None


def day(value: object, zone: ZoneInfo) -> date | None:
    """The day of an ISO date, or of a date and time: in the club's calendar if it has an offset.

    :param value: None and the empty string are None.
    :raises ContractChanged: anything else; read as "no end", it would give permanent access.
    """
    if value is None or value == "":
        return None
    try:
        text = str(value)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(zone).date() if moment.tzinfo else moment.date()
    except ValueError:
        raise ContractChanged("The ERP sent an invalid date.") from None
