"""One request for a page of a list, and what its response holds."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from connectors.rest import templates
from connectors.rest.auth import params_of, part_of
from connectors.rest.errors import error_check_of
from connectors.rest.keyed import keyed_rows
from connectors.rest.settings import Listing, OneCustomer, RestSettings
from connectors.sdk.base import Connection
from connectors.sdk.errors import ContractChanged
from connectors.sdk.http import Http, Reply
from connectors.sdk.messages import message
from connectors.sdk.paths import MISSING, described, getter, text

CONTENT_RANGE = re.compile(r"\s*[\w-]+ (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)\s*")


@dataclass(frozen=True)
class PageRequest:
    """What distinguishes the request for one page of a list from those for the others.

    :param places: placeholder (`connectors.rest.templates`) -> value; where the list's settings have no such
        placeholder, the value is sent by the paging's parameter for it.
    :param headers: in addition to those of the list.
    :param address: a path and query that replace the list's own.
    """

    places: tuple[tuple[str, Hashable], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    address: tuple[str, tuple[tuple[str, str], ...]] | None = None


@dataclass(frozen=True)
class ListPage:
    """One page of a list.

    :param total: of all rows, if the response states it.
    :param url: where it was requested.
    """

    records: list[Any]
    reply: Reply[Any]
    total: int | None
    url: str


class Api:
    """The lists of one club's API."""

    def __init__(
        self, http: Http, base: str, settings: RestSettings, connection: Connection
    ) -> None:
        self._http = http
        self._base = base
        self._settings = settings
        self._connection = connection
        self._params = params_of(settings, connection)
        self._error_check = error_check_of(settings) or (lambda _: None)
        self.limits = settings.http
        self.omits_empty = settings.omits_empty

    def page(
        self,
        listing: Listing,
        setting: str,
        request: PageRequest,
        *,
        since: Hashable = None,
        later: bool = False,
    ) -> ListPage:
        """One page of a list.

        :param setting: where the list is in the settings, for messages.
        :param since: the moment since when changes are requested, as the ERP writes it; None: everything is.
        :param later: it is not the first page: some ERPs state the total on the first page only.
        :raises ConnectorError: no response, or no list in it.
        """
        values = {**dict(request.places), "since": since}
        own = self._filled(listing.params, values, f"{setting}.params")
        own |= _by_parameter(listing, values)
        path, params, body = self._settings.base_path + listing.path, None, None
        if request.address is not None:
            path, given = request.address
            present = {name for name, _ in given}
            params = [*given, *((n, v) for n, v in self._params.items() if n not in present)]
        elif listing.query:
            params = list({**self._params, **own}.items())
        else:
            params, body = list(self._params.items()), own
        omits = self._settings.omits_empty

        def check(response: Any) -> None:
            self._error_check(response)
            _records(response, listing, setting, omits)

        if listing.body is not None:
            body = self._filled(listing.body, values, f"{setting}.body")
        reply = self._http.request(
            listing.method,
            path,
            object,
            params=[(n, _as_parameter(v)) for n, v in params],
            body=body,
            headers=dict(request.headers),
            empty_statuses=listing.empty_statuses | ({416} if request.headers else set()),
            error_check=check,
        )
        if reply.status in listing.empty_statuses or reply.status == 416:
            return ListPage([], reply, _range_total(reply), self._base + path)
        records = _records(reply.value, listing, setting, omits)
        total = _total(reply, listing, setting, may_lack=omits or later)
        return ListPage(records, reply, total, self._base + path)

    def _filled(
        self, template: Mapping[str, Any], values: Mapping[str, Hashable], setting: str
    ) -> dict[str, Any]:
        part = part_of(self._connection, setting)
        found: Any = templates.filled(template, values, part)
        return {} if found is MISSING else dict(found)

    def one(self, one: OneCustomer, erp_id: str) -> Any | None:
        """One customer, as the ERP has it now; None: it has no such customer.

        :raises ConnectorError: it does not answer, or not with a customer.
        """
        path = self._settings.base_path + one.path.replace("{id}", quote(erp_id, safe=""))
        reply = self._http.request(
            "GET",
            path,
            object,
            params=[(n, _as_parameter(v)) for n, v in self._params.items()],
            empty_statuses=one.gone_statuses,
            error_check=self._error_check,
        )
        if reply.status in one.gone_statuses:
            return None
        record = getter(one.record)(reply.value)
        if not isinstance(record, dict):
            raise ContractChanged(
                f"The response to {one.path} has no customer at {one.record or 'the top'}.",
                remedy="Correct settings: customers.one.",
            )
        return record

    def below_base(
        self, page: ListPage, address: str, setting: str
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Path and query of a next page's address, which has to be on the ERP's own host: our key is sent there.

        An ERP behind a proxy may write http, or its own port, there: the connection's scheme and port are kept.

        :raises ContractChanged: it is not.
        """
        parts, base = urlsplit(urljoin(page.url, address)), urlsplit(self._base)
        if (
            parts.scheme not in ("http", "https")
            or parts.hostname != base.hostname
            or not f"{parts.path}/".startswith(f"{base.path}/")
        ):
            raise ContractChanged(
                f"The next page's address (settings: {setting}) is not on the connection's host; "
                "our key is not sent there.",
                remedy="Write the connection's host as the ERP itself writes it, with the same path.",
            )
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return parts.path[len(base.path) :], query


def _by_parameter(listing: Listing, values: Mapping[str, Hashable]) -> dict[str, Hashable]:
    """The values for which the list's settings have no placeholder, by the parameter that sends them."""
    changes = getattr(listing, "changes", None)
    names = {
        **dict.fromkeys(("page", "offset", "cursor"), listing.position_param),
        "size": getattr(listing.paging, "size_param", None),
        "since": changes.param if changes else None,
    }
    return {
        name: value
        for place, value in values.items()
        if value is not None and place not in listing.places and (name := names[place])
    }


def _as_parameter(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _records(response: Any, listing: Listing, setting: str, omits_empty: bool) -> list[Any]:
    found = getter(listing.records)(response)
    if listing.keyed_by is not None and isinstance(found, dict):
        return keyed_rows(found, listing.keyed_by)
    if (found is None and listing.null_is_empty) or (
        found in (MISSING, None) and omits_empty and isinstance(response, dict)
    ):
        return []
    if not isinstance(found, list):
        place = listing.records or message("the top level")
        raise ContractChanged(
            f"The response to {listing.path} has {described(found)} at {place} instead of a list; "
            f"the response is {described(response)}.",
            remedy=f"Correct settings: {setting}.records; if this is an error message, "
            "describe such errors in settings: errors.",
        )
    return found


def _total(reply: Reply[Any], listing: Listing, setting: str, *, may_lack: bool) -> int | None:
    """The total; None: the response has none.

    :param may_lack: a later page, or an ERP that omits what is empty.
    """
    if listing.total_header is not None:
        value: Any = reply.headers.get(listing.total_header)
        where = f"{setting}.total_header"
    elif listing.total is not None:
        where = f"{setting}.total"
        value = text(getter(listing.total)(reply.value), where)
    else:
        return _range_total(reply)
    if value is None and may_lack:
        return None
    if value is None or not re.fullmatch(r"[0-9]{1,18}", value.strip()):
        raise ContractChanged(
            "The response does not state a total where the settings say that it does.",
            remedy=f"Correct settings: {where}; the response is {described(reply.value)}.",
        )
    return int(value)


def _range_total(reply: Reply[Any]) -> int | None:
    found = CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
    return int(found[3]) if found and found[3] != "*" else None
