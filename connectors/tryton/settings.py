"""`settings:` of a club on Tryton."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from connectors.sdk.http import HttpLimits
from connectors.sdk.incremental import ChangesSettings


class TrytonSettings(ChangesSettings):
    """`settings:` of a club on Tryton.

    :param protocol: `rest` of Tryton 8 and later, whose password is a user application's key.
    :param database: the database's name, unless the connection's host ends with it.
    :param domain: Tryton search domain that says which parties are customers, e.g.
        `[["categories.name", "=", "Customer"]]`; if empty, all of them are.
    :param page: parties per request.
    :param email_name: if a party has several emails, the one whose contact mechanism has this name;
        otherwise its first.
    :param phone_types: types of contact mechanism that are phones, the best first.
    :param guardian_relation: name of the relation type that leads from a dependant to its guardian
        ("Child of"), in the language of the connection's user; if empty, none is read.
    :param http: limits of requests and readings.
    """

    protocol: Literal["jsonrpc", "rest"] = "jsonrpc"
    database: str | None = None
    domain: list[Any] = Field(default_factory=list)
    page: int = Field(default=500, ge=1, le=5000)
    email_name: str | None = None
    phone_types: tuple[str, ...] = ("mobile", "phone")
    guardian_relation: str | None = None
    http: HttpLimits = HttpLimits()
