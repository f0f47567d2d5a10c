"""The settings of the `rest` connector. What each means stands here, how it is done in the other modules."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from connectors.sdk.base import Settings
from connectors.sdk.fields import TRUE_WORDS, words_of
from connectors.sdk.http import HttpLimits
from connectors.sdk.paths import Path

#: Names of headers and parameters that hold secrets: their values may only come from the connection.
_SECRET_NAME = re.compile(r"auth|key|token|secret|passw|cookie|session", re.IGNORECASE)
#: A part of the connection in a setting: `{login}`, `{password}`, `{extra.tenant}`.
PART = re.compile(r"\{(login|password|extra\.[\w.-]+)\}")

Words = Annotated[tuple[str, ...], BeforeValidator(words_of)]
Scalar = str | int | float | bool
Params = dict[str, Scalar | list[Scalar]]


def _below_the_host(value: str) -> str:
    if not value.startswith("/") or value.startswith("//") or "?" in value or "#" in value:
        raise ValueError("write it as /members: below the connection's address, parameters apart")
    return value


def _no_secret(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if _SECRET_NAME.search(name) and isinstance(value, str) and not PART.search(value):
            raise ValueError(
                f"{name} looks like a secret: put its value into the connection, and here "
                "{password}, {login} or {extra.NAME}"
            )
    return values


def _from_the_connection(value: str) -> str:
    if not PART.search(value):
        raise ValueError(
            "a secret has its place in the connection: write {password}, {login} or {extra.NAME}"
        )
    return value


Below = Annotated[str, AfterValidator(_below_the_host)]
Template = Annotated[str, AfterValidator(_from_the_connection)]
Headers = Annotated[dict[str, str], AfterValidator(_no_secret)]


class Condition(Settings):
    """A thing that has one of some values. :param values: `is:` in YAML; compared in lower case."""

    at: Path
    values: Words = Field(alias="is", min_length=1)


# Authenticator ------------------------------------------------------------------------------------


class NoAuth(Settings):
    """The API asks for nothing, or all of it stands in `headers` and `params`."""

    kind: Literal["none"] = "none"


class HeaderAuth(Settings):
    """Keys in headers, one or several: `X-Api-Key: "{password}"`."""

    kind: Literal["header"]
    headers: dict[str, Template] = Field(min_length=1)


class QueryAuth(Settings):
    """Keys in the query: `api_key: "{password}"`. They are kept out of logs like all of the query."""

    kind: Literal["query"]
    params: dict[str, Template] = Field(min_length=1)


class BasicAuth(Settings):
    """Log-in and password of the connection, by HTTP Basic."""

    kind: Literal["basic"]


class BearerAuth(Settings):
    """A token that does not run out, the connection's password, as `Authorization: Bearer`."""

    kind: Literal["bearer"]
    token: Template = "{password}"


class OAuth2(Settings):
    """OAuth 2 client credentials: log-in and password of the connection are the client's id and secret.

    :param url: of the token: below the host, or a whole https address.
    :param client: whether id and secret are sent in the form or by HTTP Basic.
    :param params: more of the form, such as `audience`.
    """

    kind: Literal["oauth2"]
    url: str = Field(pattern=r"^(/[^/?#][^?#]*|https://[^?#@]+|http://127\.0\.0\.1[^?#@]*)$")
    client: Literal["form", "basic"] = "form"
    scope: str | None = None
    params: dict[str, str] = Field(default_factory=dict)
    token: Path = "access_token"


class SessionAuth(Settings):
    """A log-in of the ERP's own: some fields are sent, a token or a cookie comes back.

    :param path: of the log-in.
    :param send: its fields, with parts of the connection.
    :param form: sent as a form, not as JSON.
    :param token: where the token stands in the answer; left out: the session is a cookie.
    :param headers: what later requests carry; `{token}` stands for the token.
    """

    kind: Literal["session"]
    path: Below
    send: Annotated[dict[str, str], AfterValidator(_no_secret)] = Field(min_length=1)
    form: bool = False
    token: Path | None = None
    headers: dict[str, str] = Field(default_factory=lambda: {"Authorization": "Bearer {token}"})


Auth = Annotated[
    NoAuth | HeaderAuth | QueryAuth | BasicAuth | BearerAuth | OAuth2 | SessionAuth,
    Field(discriminator="kind"),
]


# Paginator ----------------------------------------------------------------------------------------


class Paging(Settings):
    """What all ways of paging share.

    :param size: rows asked for at a time; left out: the ERP's own number.
    :param size_param: the parameter that asks for so many.
    :param more: where the answer says yes or no to "is there more".
    """

    size: PositiveInt | None = None
    size_param: str | None = None
    more: Path | None = None

    @model_validator(mode="after")
    def _size_has_its_parameter(self) -> Paging:
        if (self.size is None) != (self.size_param is None) and self.kind != "range":  # type: ignore[attr-defined]  # every kind has it
            raise ValueError("size and size_param belong together")
        return self


class NoPaging(Settings):
    """All comes in one answer.

    :param unlimited: the ERP is known to have no limit: then a round number of rows is no doubt.
    """

    kind: Literal["none"] = "none"
    unlimited: bool = False


class PageNumber(Paging):
    """`page=1`, `page=2`, … :param last: where the answer has the number of the last page."""

    kind: Literal["page"]
    param: str = "page"
    first: int = 1
    last: Path | None = None


class Offset(Paging):
    """`offset=0`, `offset=100`, …: counted in rows that came."""

    kind: Literal["offset"]
    param: str = "offset"
    first: int = 0


class Cursor(Paging):
    """The answer has a word that leads to the next page. :param at, header: where it stands."""

    kind: Literal["cursor"]
    param: str = "cursor"
    at: Path | None = None
    header: str | None = None

    @model_validator(mode="after")
    def _stands_in_one_place(self) -> Cursor:
        if (self.at is None) == (self.header is None):
            raise ValueError("name one of at (in the answer) and header")
        return self


class LinkHeader(Paging):
    """`Link: <…>; rel="next"` (RFC 8288)."""

    kind: Literal["link"]


class NextUrl(Paging):
    """The answer has the next page's whole address, on the ERP's own host."""

    kind: Literal["next_url"]
    at: Path


class Keyset(Paging):
    """The next page begins behind the last row's key: `after_id=812`.

    :param at: the key in a record, by which the ERP sorts.
    :param first: what the first request says; left out: nothing.
    """

    kind: Literal["keyset"]
    param: str = "after"
    at: Path = "id"
    first: Scalar | None = None


class RangeHeader(Paging):
    """`Range: items=0-99`, answered by `Content-Range: items 0-99/812`."""

    kind: Literal["range"]
    unit: str = "items"
    size: PositiveInt | None = 100


AnyPaging = Annotated[
    NoPaging | PageNumber | Offset | Cursor | LinkHeader | NextUrl | Keyset | RangeHeader,
    Field(discriminator="kind"),
]


class Changes(Settings):
    """How to ask for what changed since a moment.

    :param format: `iso`, `epoch` (seconds), `epoch_ms`, or a strftime pattern, in UTC.
    :param overlap: asked for that much earlier, in minutes: clocks differ, and rows are written late.
    """

    param: str
    format: str = "iso"
    overlap: float = Field(default=10, ge=0, description="minutes")

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("iso", "epoch", "epoch_ms") and "%" not in value:
            raise ValueError("write iso, epoch, epoch_ms or a pattern like %Y-%m-%d %H:%M:%S")
        return value

    @property
    def earlier(self) -> timedelta:
        return timedelta(minutes=self.overlap)


class Listing(Settings):
    """A list of the API.

    :param path: below the connection's address and `base_path`.
    :param params: of the query; of a POST without `in_query`, of the body.
    :param records: record selector: where the answer has its rows; left out: the answer is the list.
    :param null_is_empty: null in their place means that there are none.
    :param total: where each answer says how many rows there are in all; `total_header`: in which header.
    :param empty_statuses: statuses that say "no rows", such as 404 behind the last page.
    """

    path: Below
    method: Literal["GET", "POST"] = "GET"
    params: Params = Field(default_factory=dict)
    in_query: bool | None = None
    records: Path = ""
    null_is_empty: bool = False
    paging: AnyPaging = NoPaging()
    total: Path | None = None
    total_header: str | None = None
    empty_statuses: frozenset[int] = frozenset()

    @field_validator("params")
    @classmethod
    def _secrets_elsewhere(cls, value: Params) -> Params:
        _no_secret(value)
        return value

    @property
    def query(self) -> bool:
        """Whether parameters stand in the query."""
        return self.method == "GET" if self.in_query is None else self.in_query


class CustomerListing(Listing):
    """The list of customers. :param changes: the incremental cursor."""

    changes: Changes | None = None


# Fields, status, groups ---------------------------------------------------------------------------


class Fields(Settings):
    """Canonical field -> its path in a record. Left out: the ERP does not have it.

    :param name: first and last name in one (rule: `fields.split_name`).
    """

    id: Path
    email: Path | None = None
    first_name: Path | None = None
    last_name: Path | None = None
    name: Path | None = None
    phone: Path | None = None
    birth_date: Path | None = None
    gender: Path | None = None
    country: Path | None = None
    guardian_id: Path | None = None
    replaced_by: Path | None = None
    created_at: Path | None = None
    modified_at: Path | None = None
    valid_from: Path | None = None
    valid_until: Path | None = None
    is_company: Path | None = None
    placeholder: Path | None = None

    def paths(self) -> dict[str, str]:
        """Field -> path, of those that are configured."""
        return {name: path for name, path in self.model_dump().items() if path}


Meaning = Literal["active", "prospect", "paused", "suspended", "former", "archived", "deleted"]


class Override(Condition):
    """A condition, and the status of whom it holds for."""

    means: Meaning


class StatusRule(Settings):
    """What the ERP's words mean. Words are compared in lower case; blank is unknown.

    :param at: the status in a record.
    :param otherwise: what a word in none of the lists means.
    :param unless: looked at before the words, in order.
    """

    at: Path | None = None
    active: Words = ()
    prospect: Words = ()
    paused: Words = ()
    suspended: Words = ()
    former: Words = ()
    archived: Words = ()
    deleted: Words = ()
    otherwise: Meaning | Literal["unknown"] = "unknown"
    unless: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> StatusRule:
        if self.at is not None and not self.words() and self.otherwise == "unknown":
            raise ValueError("no word means anything: list those of active, at least")
        twice = [w for w, n in self._counted().items() if n > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in two lists")
        return self

    def words(self) -> dict[str, str]:
        """Word in lower case -> status."""
        return {
            word.strip().lower(): status
            for status in Meaning.__args__  # type: ignore[attr-defined]  # a Literal has them
            for word in getattr(self, status)
        }

    def _counted(self) -> dict[str, int]:
        out: dict[str, int] = {}
        for status in Meaning.__args__:  # type: ignore[attr-defined]  # a Literal has them
            for word in {w.strip().lower() for w in getattr(self, status)}:
                out[word] = out.get(word, 0) + 1
        return out


class Held(Settings):
    """Who holds which group: a list inside each record (`at`), or a second list (`list` and `customer`).

    :param at: the list in a customer's record.
    :param list: a list of the API, read whole before the customers.
    :param customer: in its rows, the customer's id.
    :param id: the group's id in an item; left out: the item is the id.
    :param name: its name, where the ERP has no list of groups.
    :param from_: `from:` in YAML, the first day; `until`: the last one.
    :param until_included: whether that day itself still counts.
    :param ended: held no more, whatever the days say.
    """

    at: Path | None = None
    list: Listing | None = None
    customer: Path | None = None
    id: Path = "@"
    name: Path | None = None
    from_: Path | None = Field(default=None, alias="from")
    until: Path | None = None
    until_included: bool = True
    ended: Condition | None = None

    @model_validator(mode="after")
    def _stands_in_one_place(self) -> Held:
        if (self.at is None) == (self.list is None):
            raise ValueError("name one of at (inside the record) and list (a list of its own)")
        if (self.list is None) != (self.customer is None):
            raise ValueError("list and customer belong together")
        return self


class GroupList(Settings):
    """The ERP's own list of groups, plans or products.

    :param active: whether the ERP still has it in use; left out: all are active.
    """

    list: Listing
    id: Path = "id"
    name: Path = "name"
    active: Path | None = None
    active_values: Words = TRUE_WORDS


class Groups(Settings):
    """Groups: who holds them, and what there is. Without `known` they are made from what is held."""

    held: Held
    known: GroupList | None = None


class Errors(Settings):
    """Errors that come with status 200.

    :param at: an answer that has anything there is an error.
    :param ok: an answer for which this does not hold is an error.
    :param code: the ERP's word for what went wrong, which the lists below know.
    :param refused: our key is not known; `expired`: the session has run out; `throttled`: too many requests.
    :param wait: where a throttled answer says how many seconds to wait.
    """

    at: Path | None = None
    ok: Condition | None = None
    code: Path | None = None
    refused: Words = ()
    expired: Words = ()
    throttled: Words = ()
    wait: Path | None = None


class RestSettings(Settings):
    """Settings of the `rest` connector; see the package for what it does with them.

    :param name: the ERP's name, for sentences.
    :param base_path: before every path of the lists.
    :param headers: sent with every request; parts of the connection in braces.
    :param params: parameters of every request.
    :param clock: what moments without an offset mean.
    :param date_format: strptime pattern of days and moments, tried before the usual ones.
    :param omits_empty: the ERP leaves out keys that are empty: then a key that is not there is no mistake.
    """

    name: str = "The ERP"
    base_path: Below | Literal[""] = ""
    auth: Auth = NoAuth()
    headers: Headers = Field(default_factory=dict)
    params: Params = Field(default_factory=dict)
    customers: CustomerListing
    fields: Fields
    status: StatusRule = StatusRule()
    groups: Groups | None = None
    errors: Errors | None = None
    clock: Literal["UTC", "club"] = "UTC"
    date_format: str | None = None
    omits_empty: bool = False
    http: HttpLimits = HttpLimits()

    @field_validator("params")
    @classmethod
    def _secrets_elsewhere(cls, value: Params) -> Params:
        _no_secret(value)
        return value

    def listings(self) -> list[Listing]:
        """All lists that are read."""
        found: list[Listing] = [self.customers]
        if self.groups is not None:
            found += [self.groups.held.list] if self.groups.held.list else []
            found += [self.groups.known.list] if self.groups.known else []
        return found
