"""Tryton's REST protocol: an address per model, a key, domain and order as base64 of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec

from connectors.sdk.errors import ContractChanged
from connectors.sdk.http import Http
from connectors.tryton.queries import BY_ID, HIGHEST_FIRST, Domain, context_of

T = TypeVar("T")

#: ids in the address of one request.
IDS_IN_ADDRESS = 200
#: sizes of a page from which a total is requested, one after the other.
COUNT_SIZES = (100, 1000, 10_000, 100_000)


class _Id(msgspec.Struct):
    id: int


class Rest:
    """Queries over REST."""

    most_ids = IDS_IN_ADDRESS

    def __init__(self, http: Http) -> None:
        self._http = http

    def search(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        *,
        limit: int | None = None,
    ) -> T:
        """`GET /rest/model/<model>`."""
        return self._records(model, domain, names, into, limit, BY_ID)

    def _records(
        self,
        model: str,
        domain: Domain,
        names: Sequence[str],
        into: type[T],
        limit: int | None,
        order: Domain,
    ) -> T:
        params = [("d", _packed(domain)), ("o", _packed(order))]
        params += [("f", name) for name in ("id", *names)]
        if limit is not None:
            params.append(("s", str(limit)))
        headers = _context_header(model)
        found = self._http.request(
            "GET", f"/rest/model/{model}", into, params=params, headers=headers
        )
        return cast("T", found.value)

    def highest(self, model: str, domain: Domain) -> int:
        """The first of one record, in descending order."""
        found = self._records(model, domain, [], list[_Id], 1, HIGHEST_FIRST)
        return found[0].id if found else 0

    def count(self, model: str, domain: Domain) -> int:
        """From `Content-Range`, which counts up to ten times the page size."""
        for size in COUNT_SIZES:
            reply = self._http.request(
                "GET",
                f"/rest/model/{model}",
                list[_Id],
                params=[("d", _packed(domain)), ("o", _packed(BY_ID)), ("f", "id")],
                headers={"Range": f"records=0-{size}", **_context_header(model)},
            )
            total = reply.headers.get("Content-Range", "").rpartition("/")[2]
            if total.isdecimal():
                return int(total)
            if total != "*":
                break
        raise ContractChanged(f"Tryton does not say how many records {model} has.")

    def close(self) -> None:
        """A key has no session."""


def _context_header(model: str) -> dict[str, str]:
    context = context_of(model)
    return {"X-Tryton-Context": _packed(context)} if context else {}


def _packed(value: Domain | dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
