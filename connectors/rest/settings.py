"""The settings of the `rest` connector: what each means; how it works is in the other modules."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from connectors.rest import templates
from connectors.rest.templates import PART
from connectors.sdk.base import CustomerFields, Settings
from connectors.sdk.dates import DateFormat
from connectors.sdk.http import UNNAMED, HttpLimits
from connectors.sdk.messages import message
from connectors.sdk.paths import Path
from connectors.sdk.words import TRUE_WORDS, UNUSED_WORDS, in_two, meanings, words_of

#: Names of headers and parameters for secrets, whose values may only come from the connection.
_SECRET_NAME = re.compile(r"auth|key|token|secret|passw|cookie|session", re.IGNORECASE)
#: Names that only look like one: `sortKey`, `keyword`, `author`.
_NO_SECRET = re.compile(r"(sort|order|group)[_-]?(by[_-]?)?keys?|keywords?|authors?", re.IGNORECASE)

Words = Annotated[tuple[str, ...], BeforeValidator(words_of)]
Scalar = str | int | float | bool
Params = dict[str, Scalar | list[Scalar]]


def _below_the_host(value: str) -> str:
    if not value.startswith("/") or value.startswith("//") or "?" in value or "#" in value:
        raise ValueError(
            message("write it like /members: below the connection's address, without parameters")
        )
    return value


def _no_secret(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if (
            _SECRET_NAME.search(name)
            and not _NO_SECRET.fullmatch(name)
            and isinstance(value, str)
            and not PART.search(value)
            and not templates.places(value)
        ):
            raise ValueError(
                message(
                    f"{name} looks like a secret: store its value in the connection, and write "
                    "{password}, {login} or {extra.NAME} here"
                )
            )
    return values


def _no_secret_inside(value: Any) -> Any:
    """The same of a body, at any depth."""
    if isinstance(value, dict):
        _no_secret(value)
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _no_secret_inside(inner)
    return value


def _from_the_connection(value: str) -> str:
    if not PART.search(value):
        raise ValueError(
            message("a secret belongs in the connection: write {password}, {login} or {extra.NAME}")
        )
    return value


Below = Annotated[str, AfterValidator(_below_the_host)]
Template = Annotated[str, AfterValidator(_from_the_connection)]
Headers = Annotated[dict[str, str], AfterValidator(_no_secret)]


class Condition(Settings):
    """A value that is one of several.

    :param at: path of the value.
    :param values: `is:` in YAML: the words for which the condition holds, compared as words (R3).
    :param absent: the word of what has no such key, for ERPs that omit a flag that is not set.
    """

    at: Path
    values: Words = Field(alias="is", min_length=1)
    absent: Scalar | None = None


# Authenticator ------------------------------------------------------------------------------------


class NoAuth(Settings):
    """The API needs no credentials, or all of them are in `headers` and `params`.

    :param kind: `none`.
    """

    kind: Literal["none"] = "none"


class HeaderAuth(Settings):
    """Keys in headers, one or several.

    :param kind: `header`.
    :param headers: name of the header -> its value, with a value of the connection: `X-Api-Key: "{password}"`.
    """

    kind: Literal["header"]
    headers: dict[str, Template] = Field(min_length=1)


class QueryAuth(Settings):
    """Keys in the query. They are kept out of logs like all of the query.

    :param kind: `query`.
    :param params: parameter -> its value, with a value of the connection: `api_key: "{password}"`.
    """

    kind: Literal["query"]
    params: dict[str, Template] = Field(min_length=1)


class BasicAuth(Settings):
    """A name and a password, by HTTP Basic: those of the connection, unless the settings say otherwise.

    :param kind: `basic`.
    :param login: the name; an ERP that takes its key there: `login: "{password}"`.
    :param password: the password; empty, or any text, where the ERP only looks at the name.
    """

    kind: Literal["basic"]
    login: str = "{login}"
    password: str = "{password}"

    @model_validator(mode="after")
    def _has_a_secret(self) -> BasicAuth:
        _from_the_connection(self.login + self.password)
        return self


class BearerAuth(Settings):
    """A token that does not expire, as `Authorization: Bearer`.

    :param kind: `bearer`.
    :param token: the token: the connection's password, unless another value of it is named.
    """

    kind: Literal["bearer"]
    token: Template = "{password}"


class OAuth2(Settings):
    """OAuth 2 client credentials: login and password of the connection are the client's id and secret.

    :param kind: `oauth2`.
    :param url: of the token: below the host, or a complete https address.
    :param client: whether id and secret are sent in the form or by HTTP Basic.
    :param scope: the scope that is requested; omitted: none.
    :param params: more fields of the form, such as `audience`.
    :param token: path of the token in the response.
    """

    kind: Literal["oauth2"]
    url: str = Field(pattern=r"^(/[^/?#][^?#]*|https://[^?#@]+|http://127\.0\.0\.1[^?#@]*)$")
    client: Literal["form", "basic"] = "form"
    scope: str | None = None
    params: dict[str, str] = Field(default_factory=dict)
    token: Path = "access_token"


class SessionAuth(Settings):
    """A login of the ERP's own: fields are sent, a token or a cookie is returned.

    :param kind: `session`.
    :param path: of the login.
    :param send: its fields, with values of the connection, at any depth: a GraphQL document (`query` beside
        `variables`) is sent as it is.
    :param form: send them as a form, not as JSON.
    :param token: path of the token in the response; without it and `token_header`, the session is a cookie.
    :param token_header: the header that has it, if it is not in the response.
    :param headers: headers of later requests; `{token}` is replaced by the token.
    """

    kind: Literal["session"]
    path: Below
    send: Annotated[dict[str, Any], AfterValidator(_no_secret_inside)] = Field(min_length=1)
    form: bool = False
    token: Path | None = None
    token_header: str | None = None
    headers: dict[str, str] = Field(default_factory=lambda: {"Authorization": "Bearer {token}"})

    @model_validator(mode="after")
    def _is_plain(self) -> SessionAuth:
        if self.form and not all(isinstance(value, str) for value in self.send.values()):
            raise ValueError(message("a form has texts only: send anything else as JSON"))
        if self.token is not None and self.token_header is not None:
            raise ValueError(message("set token or token_header, not both"))
        return self


Auth = Annotated[
    NoAuth | HeaderAuth | QueryAuth | BasicAuth | BearerAuth | OAuth2 | SessionAuth,
    Field(discriminator="kind"),
]


# Paginator ----------------------------------------------------------------------------------------


_SIZE_TOGETHER = message("size and size_param have to be set together")


class Paging(Settings):
    """What all kinds of paging share.

    :param size: rows per page; omitted: the ERP's own number.
    :param size_param: the parameter for the number of rows per page.
    :param more: path of true or false in the response: whether there are more pages.
    """

    size: PositiveInt | None = None
    size_param: str | None = None
    more: Path | None = None

    @model_validator(mode="after")
    def _parameter_has_its_size(self) -> Paging:
        if self.size is None and self.size_param is not None:
            raise ValueError(_SIZE_TOGETHER)
        return self


class NoPaging(Settings):
    """There is one response.

    :param kind: `none`.
    :param unlimited: the ERP is known to have no limit: then a round number of rows is no doubt.
    """

    kind: Literal["none"] = "none"
    unlimited: bool = False


class PageNumber(Paging):
    """`page=1`, `page=2`, …

    :param kind: `page`.
    :param param: the parameter for the page's number.
    :param first: the number of the first page.
    :param last: path of the number of the last page in the response.
    :param last_header: the header that has it, if it is not in the response.
    :param pages: path of the number of pages in the response.
    :param pages_header: the header that has it, if it is not in the response.
    """

    kind: Literal["page"]
    param: str = "page"
    first: int = 1
    last: Path | None = None
    last_header: str | None = None
    pages: Path | None = None
    pages_header: str | None = None

    @model_validator(mode="after")
    def _states_its_end_once(self) -> PageNumber:
        if sum(value is not None for value in self.ends().values()) > 1:
            raise ValueError(message("set one of last, last_header, pages and pages_header"))
        return self

    def ends(self) -> dict[str, str | None]:
        """The settings that say where the response states its last page."""
        return {
            name: getattr(self, name) for name in ("last", "last_header", "pages", "pages_header")
        }


class ByOffset(Paging):
    """What the kinds of paging share that name the position of a page's first row.

    :param overlap: with how many rows of the page before each page begins: the row at the boundary has to be the same
        on both, or rows moved.
    :param by_id: the request makes the ERP sort by `fields.id` (of memberships, by their own id), rising or falling,
        and rows keep their order: then pages that overlap prove who is missing. If the ids that were read are in
        another order, they do not.
    """

    overlap: int = Field(default=0, ge=0)
    by_id: bool = False

    @model_validator(mode="after")
    def _overlaps_sensibly(self) -> ByOffset:
        if self.overlap and self.size is not None and self.overlap >= self.size:
            raise ValueError(message("overlap has to be smaller than size: usually 1"))
        if self.by_id and not self.overlap:
            raise ValueError(message("by_id proves nothing without overlap: set overlap: 1"))
        return self


class Offset(ByOffset):
    """`offset=0`, `offset=100`, …: the number of rows received so far.

    :param kind: `offset`.
    :param param: the parameter for the offset.
    :param first: the offset of the first row.
    """

    kind: Literal["offset"]
    param: str = "offset"
    first: int = 0


class Pointed(Paging):
    """What the kinds of paging share in which a page names the next one.

    :param until_empty: the last page, too, names a next one: only a page without rows is the end.
    """

    until_empty: bool = False


class Cursor(Pointed):
    """The response has a cursor for the next page.

    :param kind: `cursor`.
    :param param: the parameter for the cursor.
    :param at: path of the next cursor in the response.
    :param header: the header that has it, if it is not in the response.
    """

    kind: Literal["cursor"]
    param: str = "cursor"
    at: Path | None = None
    header: str | None = None

    @model_validator(mode="after")
    def _has_one_place(self) -> Cursor:
        if (self.at is None) == (self.header is None):
            raise ValueError(message("set either at (in the response) or header"))
        return self


class LinkHeader(Pointed):
    """`Link: <…>; rel="next"` (RFC 8288).

    :param kind: `link`.
    """

    kind: Literal["link"]


class NextUrl(Pointed):
    """The response has the next page's address, on the ERP's own host.

    :param kind: `next_url`.
    :param at: path of the address in the response.
    """

    kind: Literal["next_url"]
    at: Path


class Keyset(Paging):
    """The next page starts behind the last row's key: `after_id=812`.

    :param kind: `keyset`.
    :param param: the parameter for the last row's key.
    :param at: path of the key in a record, by which the ERP sorts.
    :param first: the parameter's value in the first request; omitted: the parameter is omitted.
    """

    kind: Literal["keyset"]
    param: str = "after"
    at: Path = "id"
    first: Scalar | None = None


class RangeHeader(ByOffset):
    """`Range: items=0-99`, answered by `Content-Range: items 0-99/812`.

    :param kind: `range`.
    :param unit: the unit of the ranges.
    """

    kind: Literal["range"]
    unit: str = "items"
    size: PositiveInt | None = 100


AnyPaging = Annotated[
    NoPaging | PageNumber | Offset | Cursor | LinkHeader | NextUrl | Keyset | RangeHeader,
    Field(discriminator="kind"),
]


class Changes(Settings):
    """How to request what changed since a moment.

    :param param: the parameter for the moment; omitted: `{since}` stands in the list's `params` or `body`.
    :param format: `iso`, `epoch` (seconds), `epoch_ms`, or a strftime pattern, in UTC.
    :param overlap: how much earlier changes are requested, in minutes: clocks differ, and rows are written late.
    """

    param: str | None = None
    format: str = "iso"
    overlap: float = Field(default=10, ge=0, description="minutes")

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("iso", "epoch", "epoch_ms") and "%" not in value:
            raise ValueError(
                message("write iso, epoch, epoch_ms or a pattern such as %Y-%m-%d %H:%M:%S")
            )
        return value

    @property
    def earlier(self) -> timedelta:
        return timedelta(minutes=self.overlap)


class Listing(Settings):
    """A list of the API.

    :param path: below the connection's address and `base_path`.
    :param method: the HTTP method.
    :param params: of the query; of a POST without `in_query` or `body`, of the body. They may hold the placeholders of
        `body`.
    :param in_query: whether parameters are sent in the query, not in the body; omitted: those of GET, and those beside
        `body`, are.
    :param body: the JSON body of a POST, in which `{offset}`, `{page}`, `{size}`, `{cursor}` (also the key of
        `keyset`), `{since}` and values of the connection are filled in at any depth. What has no value, as the cursor
        of the first page, is omitted with its key. A GraphQL document (`query` beside `variables`) is sent as it is.
    :param records: record selector: path of the rows in the response; omitted: the response is the list.
    :param keyed_by: the rows are the values of an object, and each one's key is its field of this name (`id`); a row
        that is no object is its field `value`.
    :param null_is_empty: null instead of the rows means that there are none.
    :param paging: how the list is divided into pages.
    :param total: path of the number of all rows in each response.
    :param total_header: the header that has the number of all rows.
    :param empty_statuses: statuses that mean "no rows", such as 404 behind the last page.
    """

    path: Below
    method: Literal["GET", "POST"] = "GET"
    params: Params = Field(default_factory=dict)
    in_query: bool | None = None
    body: dict[str, Any] | None = None
    records: Path = ""
    keyed_by: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w-]*$")
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

    @field_validator("body")
    @classmethod
    def _secrets_outside_the_body(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return value if value is None else _no_secret_inside(value)

    @model_validator(mode="after")
    def _body_is_sent(self) -> Listing:
        if self.body is not None and (self.method != "POST" or self.in_query is False):
            raise ValueError(message("a body is sent by method: POST, with params in the query"))
        return self

    @model_validator(mode="after")
    def _places_have_values(self) -> Listing:
        param = self.position_param
        own = {"range": set(), "page": {"page"}, "offset": {"offset"}}.get(
            self.paging.kind, {"cursor"} if param else set()
        )
        sized = getattr(self.paging, "size", None) is not None and self.paging.kind != "range"
        known = own | ({"size"} if sized else set())
        if getattr(self, "changes", None) is not None:
            known |= {"since"}
        for place in sorted(self.places - known):
            raise ValueError(
                message(
                    f"the placeholder {place} has no value here: page, offset and cursor are those of the paging's "
                    "kind, size needs paging.size, since needs changes"
                )
            )
        return self

    @model_validator(mode="after")
    def _paging_is_asked_for(self) -> Listing:
        paging = self.paging
        if (
            isinstance(paging, Paging)
            and paging.size is not None
            and paging.size_param is None
            and "size" not in self.places
            and paging.kind != "range"
        ):
            raise ValueError(_SIZE_TOGETHER)
        if self.body is None or self.position_param is None or "param" in paging.model_fields_set:
            return self
        if not self.places & {"page", "offset", "cursor"}:
            place = paging.kind if paging.kind in ("page", "offset") else "cursor"
            raise ValueError(
                message(
                    f"the body needs the placeholder {place} where it says which page; or set paging.param"
                )
            )
        return self

    @property
    def query(self) -> bool:
        """Whether parameters are sent in the query."""
        if self.in_query is None:
            return self.method == "GET" or self.body is not None
        return self.in_query

    @property
    def places(self) -> frozenset[str]:
        """The placeholders in its parameters and its body."""
        return templates.places(self.params) | templates.places(self.body)

    @property
    def position_param(self) -> str | None:
        """The parameter that says where a page starts; None: the kind of paging has none."""
        return getattr(self.paging, "param", None)


class OneCustomer(Settings):
    """How to ask for one customer by id: those whom a reading of several pages misses are asked for alone, so that
    no second reading has to prove that they are gone (R14).

    :param path: below the connection's address and `base_path`, with `{id}` in it: `/members/{id}`.
    :param record: path of the customer in the response; omitted: the response is the customer.
    :param gone_statuses: statuses that mean that there is no such customer.
    """

    path: Below
    record: Path = ""
    gone_statuses: frozenset[int] = frozenset({404, 410})

    @field_validator("path")
    @classmethod
    def _names_the_id(cls, value: str) -> str:
        if "{id}" not in value:
            raise ValueError(message("write {id} where the customer's id belongs"))
        return value


class CustomerListing(Listing):
    """The list of customers.

    :param changes: how to request what changed; omitted: always all of them.
    :param one: how to ask for one customer.
    """

    changes: Changes | None = None
    one: OneCustomer | None = None

    @model_validator(mode="after")
    def _moment_has_its_place(self) -> CustomerListing:
        if self.changes and (self.changes.param is None) == ("since" not in self.places):
            raise ValueError(
                message("set changes.param, or write the placeholder since in params or body")
            )
        return self


# Fields, status, groups ---------------------------------------------------------------------------


class Fields(CustomerFields):
    """Canonical field -> its path in a record. Omitted: the ERP does not have it."""

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
        """Configured field -> path."""
        return {name: path for name, path in self.model_dump().items() if path}


Meaning = Literal["active", "prospect", "paused", "suspended", "former", "archived", "deleted"]


class Override(Condition):
    """A condition, and the status of the records for which it holds.

    :param means: the status.
    """

    means: Meaning


class StatusRule(Settings):
    """What the ERP's words mean. Words are compared as `connectors.sdk.words` says; blank is unknown.

    :param at: path of the status in a record.
    :param active: words that mean active.
    :param prospect: words for somebody who is not a customer yet.
    :param paused: words that mean paused.
    :param suspended: words that mean suspended.
    :param former: words for somebody who was a customer.
    :param archived: words that mean archived.
    :param deleted: words for a record that is deleted in the ERP and listed all the same.
    :param absent: the word of records without the key, for ERPs that omit it; omitted: their status is unknown.
    :param otherwise: the meaning of a word in none of the lists; `unknown` changes nothing (R3).
    :param unless: conditions that take precedence over the words, in order.
    """

    at: Path | None = None
    active: Words = ()
    prospect: Words = ()
    paused: Words = ()
    suspended: Words = ()
    former: Words = ()
    archived: Words = ()
    deleted: Words = ()
    absent: Scalar | None = None
    otherwise: Meaning | Literal["unknown"] = "unknown"
    unless: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> StatusRule:
        if self.at is not None and not self.words() and self.otherwise == "unknown":
            raise ValueError(message("no words are listed: list at least those of active"))
        if twice := in_two(self._lists()):
            raise ValueError(message(f"in two lists: {', '.join(twice)}"))
        return self

    def words(self) -> dict[str, str]:
        """Word (`connectors.sdk.words`) -> status."""
        return meanings(self._lists())

    def _lists(self) -> dict[str, tuple[str, ...]]:
        return {status: getattr(self, status) for status in get_args(Meaning)}


class Held(Settings):
    """The groups that customers hold: a list inside each record (`at`), or a second list (`list` and `customer`).

    :param at: path of the list in a customer's record.
    :param keyed_by: what is at `at` is an object, and each value's key is its field of this name (`id`).
    :param list: a list of the API, read completely before the customers.
    :param customer: path of the customer's id in its rows.
    :param id: path of the group's id in an item; omitted: the item is the id.
    :param name: path of its name, if the ERP has no list of groups.
    :param from_: path of the first day, `from:` in YAML.
    :param until: path of the last day.
    :param until_included: whether the last day itself still counts.
    :param ended: a condition for memberships that have ended, whatever the days say.
    :param row: path of a membership's own id in the second list, by which a row that comes twice is recognised;
        rows without it are compared whole. Default: `id`, unless that is the group's or the customer's.
    """

    at: Path | None = None
    keyed_by: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w-]*$")
    list: Listing | None = None
    customer: Path | None = None
    id: Path = "@"
    name: Path | None = None
    from_: Path | None = Field(default=None, alias="from")
    until: Path | None = None
    until_included: bool = True
    ended: Condition | None = None
    row: Path | None = None

    @property
    def row_id(self) -> str | None:
        """Path of a membership's own id; None: rows are compared whole."""
        return self.row or (None if "id" in (self.id, self.customer) else "id")

    @model_validator(mode="after")
    def _has_one_place(self) -> Held:
        if (self.at is None) == (self.list is None):
            raise ValueError(message("set either at (inside the record) or list (a second list)"))
        if (self.list is None) != (self.customer is None):
            raise ValueError(message("list and customer have to be set together"))
        if self.keyed_by is not None and self.at is None:
            raise ValueError(message("keyed_by belongs to at; a list has its own"))
        return self


class GroupList(Settings):
    """The ERP's own list of groups, plans or products.

    :param list: the list of the API.
    :param id: path of the group's id in a row.
    :param name: path of its name.
    :param active: path of whether the ERP still uses the group; omitted: all are active.
    :param absent: the word of groups without the key of `active`, for ERPs that omit it.
    :param active_values, inactive_values: its words for yes and for no; a word in neither list is unknown.
    """

    list: Listing
    id: Path = "id"
    name: Path = "name"
    active: Path | None = None
    absent: Scalar | None = None
    active_values: Words = TRUE_WORDS
    inactive_values: Words = UNUSED_WORDS


class Groups(Settings):
    """Groups: who holds them, and which there are.

    :param held: the groups that customers hold.
    :param known: the ERP's own list of groups; omitted: the groups are those that somebody holds.
    """

    held: Held
    known: GroupList | None = None


class Errors(Settings):
    """Errors in responses of status 200.

    :param at: a response that has anything there is an error.
    :param ok: a response for which this condition does not hold is an error.
    :param code: path of the ERP's word for the error, for the lists below.
    :param refused: codes for wrong credentials.
    :param expired: codes for a session that has expired.
    :param throttled: codes for too many requests.
    :param wait: path of the number of seconds to wait, in a throttled response.
    """

    at: Path | None = None
    ok: Condition | None = None
    code: Path | None = None
    refused: Words = ()
    expired: Words = ()
    throttled: Words = ()
    wait: Path | None = None


class RestSettings(Settings):
    """Settings of the `rest` connector. docs/adding-an-erp.md explains them by an example.

    :param name: the ERP's name, for messages.
    :param base_path: prefix of the paths of all lists.
    :param auth: how requests are authenticated.
    :param headers: sent with every request; values of the connection in braces.
    :param params: parameters of every request.
    :param customers: the list of customers.
    :param fields: the path of each field in a customer's record.
    :param status: what the ERP's words for a customer's status mean.
    :param groups: the groups of customers; omitted: the ERP has none.
    :param errors: how errors are told in responses of status 200; omitted: they are not.
    :param http: limits of requests and readings.
    :param clock: time zone of moments without an offset.
    :param date_format: strptime pattern of days and moments, tried before the usual ones.
    :param omits_empty: the ERP omits keys with empty values: then a missing key is not an error.
    """

    name: str = UNNAMED
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
    date_format: DateFormat | None = None
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
