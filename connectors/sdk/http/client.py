"""HTTP client for API connectors: time and size limits, short retries, no secrets in logs.

`Http` wraps a `requests` session. Every request has timeouts, and every reading has limits on bytes and time.
What may be temporary (no connection, a timeout, 5xx, a truncated response) is tried again with growing pauses
(tenacity). A short wait that a 429 asks for is waited; a long one becomes `RateLimited`. Whatever remains is
raised as one of `connectors.sdk.errors`.

Nothing that a server or a user could have filled with a secret or a person's data reaches a message, a
traceback or a log line: no query string, no body, no header (R19). For the same reason the errors of
`requests`, which quote whole addresses, are not chained.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar, cast

import msgspec
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from connectors.sdk import meter
from connectors.sdk.base import Connector
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    ErpUnreachable,
    LimitExceeded,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.http import said
from connectors.sdk.http.auth import LoginHeaders, Unauthorized
from connectors.sdk.http.limits import MAX_BYTES, MAX_TOTAL_BYTES, HttpLimits
from connectors.sdk.http.peers import PeerRefused, check_transport
from connectors.sdk.http.responses import (
    ErrorCheck,
    Reply,
    TryAgain,
    as_utf8,
    check_empty,
    check_status,
    parsed,
    restored,
    stored,
)
from connectors.sdk.http.sizes import check_json
from connectors.sdk.http.sockets import InterruptibleAdapter, Session
from connectors.sdk.http.throttling import throttle_of
from connectors.sdk.messages import message
from connectors.sdk.resume import Bookmark, FieldFilter, field_names
from connectors.sdk.unchanged import Received, Unchanged

log = logging.getLogger(__name__)

T = TypeVar("T")

#: An ERP whose settings do not name it.
UNNAMED = message("The ERP")

Params = Mapping[str, Any] | list[tuple[str, Any]] | None

#: headers by which pages name the next one, or count the rows.
_PAGING_HEADERS = ("Link", "Content-Range")

#: How a body may be compressed.
_CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
#: Logs in: the Authorization header's value, or several headers.
Login = Callable[["Http"], str | Mapping[str, str]]


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    params: Any
    body: Any
    attempts: int
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    empty_statuses: frozenset[int] = frozenset()
    error_check: ErrorCheck | None = None

    def identity(self, base: str, names: frozenset[str]) -> bytes:
        """Everything that makes two requests the same.

        :param names: the fields that are read of the response: one that is read of it only now was not stored
            then, so that reading more fields makes another request.
        """
        parts = (self.method, self.path, self.params, self.body, self.form, self.headers)
        return msgspec.json.encode((base, *parts, sorted(names)), order="deterministic")


@dataclass(frozen=True)
class _Heard:
    """A response that a scout has received, or what became of its request.

    :param parts: of the hash of all responses; None: it is not part of it.
    """

    identity: bytes
    outcome: Reply[Any] | ConnectorError
    parts: tuple[bytes, ...] | None


class Http:
    """One reading's conversation with one ERP.

    :param base: from `base_address`.
    :param erp: the ERP's name, for messages.
    :param now: UTC clock; only used if a server dates a wait and sends no Date of its own.
    :param login: called before the first request that needs it, and once more when a request is answered with
        401 (a token that expired during a walk).
    :param headers: sent with every request, also that of the login.
    :param bookmark: earlier responses, and where responses are stored, those to logins never; None: nowhere.
    :param stored_fields: what may be stored of a response (R19), if its type does not say so itself.
    :param stored_headers: names of headers that are stored as well, besides those of standard paging: a connector looks
        at no others.
    :param received: is told of every response but those to logins; None: nothing is.
    """

    def __init__(
        self,
        base: str,
        erp: str,
        limits: HttpLimits,
        *,
        now: Callable[[], datetime],
        login: Login | None = None,
        sleep: Callable[[float], None] = time.sleep,
        headers: Mapping[str, str] | None = None,
        bookmark: Bookmark | None = None,
        stored_fields: FieldFilter | None = None,
        stored_headers: Sequence[str] = (),
        received: Received | None = None,
    ) -> None:
        self._base = base
        self._erp = erp
        self._limits = limits
        self._now = now
        self._login = login
        self._sleep = sleep
        self._authorization: Mapping[str, str] | None = None
        self._bookmark = bookmark
        self._told = received
        self._scouting = False
        self._heard: deque[_Heard] = deque()
        self._body: bytes | None = None
        self._stored_fields = stored_fields
        self._stored_headers = (*_PAGING_HEADERS, *stored_headers)
        started_at = bookmark.started_at if bookmark else None
        elapsed = now() - started_at if started_at else timedelta(0)
        self._deadline = time.monotonic() + limits.max_seconds - elapsed.total_seconds()
        check_transport(base, plain=limits.allow_plain)
        self._received = 0
        self._throttle = throttle_of(base)
        self._session = Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "clubsync"})
        self._session.headers["Accept-Encoding"] = "gzip, deflate"
        self._session.headers.update(headers or {})
        self._adapter = InterruptibleAdapter(private=limits.private_network)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._watchdog: threading.Timer | None = None

    @classmethod
    def of(
        cls,
        connector: Connector[Any],
        base: str,
        limits: HttpLimits,
        *,
        login: Login | None = None,
        headers: Mapping[str, str] | None = None,
        stored_fields: FieldFilter | None = None,
        stored_headers: Sequence[str] = (),
    ) -> Self:
        """A connector's client: with its title, clock and bookmark."""
        return cls(
            base,
            connector.title,
            limits,
            now=connector.now,
            login=login,
            headers=headers,
            bookmark=connector.bookmark,
            stored_fields=stored_fields,
            stored_headers=stored_headers,
            received=connector.received,
        )

    def __enter__(self) -> Self:
        left = max(0.0, self._deadline - time.monotonic())
        self._watchdog = threading.Timer(left, self._adapter.interrupt)
        self._watchdog.daemon = True
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._session.close()

    def json(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        params: Params = None,
        body: Any = None,
        login: bool = True,
        once: bool = False,
    ) -> T:
        """Send a request and parse the response; fields that `into` does not name are dropped unread (R19).

        Every request of a connector only reads, so that it may be repeated, POST or not.

        :param path: below the base address.
        :param into: a type that msgspec can decode to.
        :param login: whether the request needs the login.
        :param once: do not try again, whatever happens, and store nothing: a request that the reading does not need.
        :raises ErpUnreachable: no connection, timeouts, 5xx or truncated responses until no attempt was left.
        :raises RateLimited: asked to wait longer than `longest_wait`, or repeatedly.
        :raises CredentialsRefused: 401 (again after a new login) or 403.
        :raises SettingsWrong: 404, a redirect, or no valid address.
        :raises ContractChanged: any other response that is not the JSON that the connector knows.
        """
        reply = self.request(method, path, into, params=params, body=body, login=login, once=once)
        return cast("T", reply.value)  # only the statuses of `empty_statuses` have none

    def request(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        params: Params = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        login: bool = True,
        once: bool = False,
        empty_statuses: frozenset[int] = frozenset(),
        error_check: ErrorCheck | None = None,
    ) -> Reply[T]:
        """Like `json`, with more options and the response's headers.

        :param form: sent instead of a JSON body.
        :param empty_statuses: statuses that mean "nothing here", such as 404 behind the last page.
        :param error_check: finds the errors that an ERP puts into responses of status 200. What it raises is
            treated like the status that means the same: `Unauthorized` leads to a new login, `RateLimited` and
            `ErpUnreachable` to another attempt; and `ContractChanged`, that it is not the response that was asked
            for, to a single one.
        """
        request = _Request(
            method,
            path,
            params,
            body,
            1 if once else self._limits.attempts,
            form,
            headers or {},
            empty_statuses,
            error_check,
        )
        if not login:
            return self._with_retries(request, into, {})
        if self._told is not None:
            return self._compared(self._told, request, into, once=once)
        return self._asked(request, into, once=once)

    def scout(self, as_of: datetime, walk: Callable[[], object]) -> None:
        """Find out whether all responses are those of the last reading, before anything is made of them.

        What the walk has received is what the next requests are answered with, as long as they are the same.
        Only a reading of everything may be compared: not one of what changed since.

        :param as_of: of the reading.
        :param walk: sends the requests that the reading sends, in their order, and makes nothing of the rows.
        :raises Unchanged: they are.
        """
        told = self._told
        if told is None or told.before is None:
            return
        self._scouting = True
        try:
            with suppress(ConnectorError):  # the reading meets it again
                walk()
        finally:
            self._scouting = False
        if told.is_unchanged:
            raise Unchanged(as_of)
        told.restart()

    def made(self, rows: Sequence[Any], make: Callable[[], Iterable[T]]) -> list[T]:
        """What a connector makes of the rows of a page; while a scout looks through the list, the rows as they are."""
        return list(rows) if self._scouting else list(make())

    def _compared(
        self, told: Received, request: _Request, into: type[T], *, once: bool
    ) -> Reply[T]:
        """The response, of which the comparison with the last reading is told."""
        identity = request.identity(self._base, field_names(into))
        heard = self._again(identity) if not self._scouting else None
        if heard is None:
            heard = self._listen(identity, request, into, once=once)
            if self._scouting:
                self._heard.append(heard)
        if heard.parts is None:
            told.spoil()
        else:
            told.add(identity, *heard.parts)
        if isinstance(heard.outcome, ConnectorError):
            raise heard.outcome
        return heard.outcome

    def _again(self, identity: bytes) -> _Heard | None:
        """What a scout has heard when it sent this request; None: it sent another one, or none."""
        if self._heard and self._heard[0].identity == identity:
            return self._heard.popleft()
        self._heard.clear()
        return None

    def _listen(self, identity: bytes, request: _Request, into: type[T], *, once: bool) -> _Heard:
        self._body = None
        try:
            reply = self._asked(request, into, once=once)
        except ConnectorError as error:
            return _Heard(identity, error, None)
        body, self._body = self._body, None
        if body is None:
            return _Heard(identity, reply, None)  # from a bookmark, which keeps less
        headers = [(n, reply.headers[n]) for n in self._stored_headers if n in reply.headers]
        told = msgspec.json.encode((reply.status, headers))
        return _Heard(identity, reply, (told, body))

    def _asked(self, request: _Request, into: type[T], *, once: bool) -> Reply[T]:
        if self._bookmark is None or once:
            return self._with_login(request, into, once=once)
        return self._with_bookmark(self._bookmark, request, into)

    def _with_bookmark(self, bookmark: Bookmark, request: _Request, into: type[T]) -> Reply[T]:
        """The stored response, or the ERP's, which is then stored.

        :raises RequestDiffers: the stored response belongs to another request.
        """
        stored_names = self._stored_fields.names if self._stored_fields else frozenset()
        identity = request.identity(self._base, field_names(into) | stored_names)
        kept = bookmark.recall(identity)
        if kept is not None:
            return restored(kept, into, request.empty_statuses)
        try:
            reply = self._with_login(request, into, once=False)
        except ConnectorError as error:
            bookmark.error = error
            raise
        bookmark.error = None
        value = self._stored_fields(reply.value) if self._stored_fields else reply.value
        bookmark.keep(identity, stored(reply, value, self._stored_headers))
        return reply

    def _with_login(self, request: _Request, into: type[T], *, once: bool) -> Reply[T]:
        if self._login is None:
            return self._with_retries(request, into, {})
        if self._authorization is None:
            self._authorization = self._log_in(self._login)
        try:
            return self._with_retries(request, into, self._authorization)
        except Unauthorized:
            if once:
                raise
            log.info("%s: the login expired, logging in again", self._erp)
            self._authorization = self._log_in(self._login)
            return self._with_retries(request, into, self._authorization)

    def _log_in(self, login: Login) -> Mapping[str, str]:
        result = login(self)
        return {"Authorization": result} if isinstance(result, str) else result

    def _with_retries(
        self, request: _Request, into: type[T], authorization: Mapping[str, str]
    ) -> Reply[T]:
        limits = self._limits
        backoff = wait_exponential_jitter(
            multiplier=limits.backoff, max=limits.longest_wait, jitter=limits.backoff
        )

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            requested = error.wait if isinstance(error, TryAgain) else None
            return backoff(state) if requested is None else requested

        def stop(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            most = 2 if isinstance(error, TryAgain) and error.once else request.attempts
            return state.attempt_number >= min(most, request.attempts)

        def announce(state: RetryCallState) -> None:
            log.info(
                "%s: %s %s failed, attempt %d of %d, trying again in %.1f s",
                self._erp,
                request.method,
                request.path,
                state.attempt_number,
                request.attempts,
                state.upcoming_sleep,
            )

        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(TryAgain),
                stop=stop,
                wait=pause,
                sleep=self._sleep,
                before_sleep=announce,
                reraise=True,
            ):
                with attempt:
                    return self._attempt(request, into, authorization)
        except TryAgain as error:
            raise error.final from None
        raise AssertionError("tenacity returns or raises")

    def _attempt(
        self, request: _Request, into: type[T], authorization: Mapping[str, str]
    ) -> Reply[T]:
        where = _where(self._erp, request)
        try:
            with (
                meter.part(meter.ERP),
                self._throttle.slot(self._limits, self._seconds_left(where), self._sleep),
            ):
                response, content = self._send(request, authorization, where)
        except TimeoutError:
            raise self._too_long(where) from None
        meter.received(len(content))
        content = as_utf8(content, response.headers.get("Content-Type"))
        try:
            reply = self._reply(request, into, response, content, where)
        except (ConnectorError, TryAgain):
            said.note(response.status_code, content)
            raise
        said.forget()
        self._body = content
        return reply

    def _reply(
        self,
        request: _Request,
        into: type[T],
        response: requests.Response,
        content: bytes,
        where: str,
    ) -> Reply[T]:
        """What a response says.

        :raises ConnectorError, TryAgain: it is an error.
        """
        if response.status_code in request.empty_statuses:
            check_empty(response.status_code, content, where)
            return Reply(None, response.headers, response.status_code)
        check_status(response, where, longest_wait=self._limits.longest_wait, now=self._now())
        check_json(content, self._limits, where)
        try:
            value = parsed(content, into, where)
        except ContractChanged as error:
            # a gateway may have answered for the ERP
            raise TryAgain(error, once=True) from None
        reply = Reply(value, response.headers, response.status_code)
        if request.error_check is not None:
            self._check(request.error_check, reply.value)
        return reply

    def _check(self, error_check: ErrorCheck, value: Any) -> None:
        """Raise the error in a response of status 200; a temporary one leads to another attempt, and so does an odd
        one, once."""
        try:
            error_check(value)
        except ContractChanged as error:
            raise TryAgain(error, once=True) from None
        except RateLimited as error:
            wait = error.retry_after.total_seconds() if error.retry_after else None
            if wait is not None and wait > self._limits.longest_wait:
                raise
            raise TryAgain(error, wait or None) from None
        except ErpUnreachable as error:
            raise TryAgain(error) from None

    def _seconds_left(self, where: str) -> float:
        """Seconds until this reading's deadline.

        :raises ErpUnreachable: none are left.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_long(where)
        return left

    def _too_long(self, where: str) -> ErpUnreachable:
        return ErpUnreachable(
            f"{where}: the reading took longer than {self._limits.max_seconds:.0f} s and was stopped."
        )

    def _send(
        self, request: _Request, authorization: Mapping[str, str], where: str
    ) -> tuple[requests.Response, bytes]:
        left = self._seconds_left(where)
        try:
            response = self._session.request(
                request.method,
                f"{self._base}{request.path}",
                params=request.params,
                json=request.body,
                data=request.form,
                headers=dict(request.headers),
                auth=LoginHeaders(authorization),
                timeout=(
                    min(self._limits.connect_timeout, left),
                    min(self._limits.read_timeout, left),
                ),
                stream=True,
                allow_redirects=False,
            )
            with response:
                _check_encoding(response, where)
                content = self._content(response, where)
        except PeerRefused as refused:
            raise _refused_peer(refused, where) from None
        except requests.Timeout:
            raise TryAgain(ErpUnreachable(f"{where} did not respond in time.")) from None
        except requests.exceptions.SSLError:
            raise ErpUnreachable(f"{where}: the server's TLS certificate is not valid.") from None
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
        ):
            raise TryAgain(
                ErpUnreachable(f"{where}: no connection, or it was interrupted.")
            ) from None
        except requests.exceptions.ContentDecodingError:
            raise TryAgain(_badly_compressed(where)) from None
        except (requests.RequestException, ValueError):
            raise SettingsWrong(
                f"{where}: the connection's host is not a usable address, or its key cannot be sent in a header."
            ) from None
        return response, content

    def _content(self, response: requests.Response, where: str) -> bytes:
        """The whole body, decompressed, within the limits; the watchdog interrupts a slow transfer."""
        content = bytearray()
        for chunk in response.iter_content(64 * 1024):
            content += chunk
            self._received += len(chunk)
            if len(content) > self._limits.max_bytes:
                raise LimitExceeded(
                    f"{where} sent more than {self._limits.max_bytes / 1e6:.0f} MB in one response.",
                    setting=MAX_BYTES,
                )
            if self._received > self._limits.max_total_bytes:
                raise LimitExceeded(
                    f"{where}: the responses of one reading had more than "
                    f"{self._limits.max_total_bytes / 1e6:.0f} MB together.",
                    setting=MAX_TOTAL_BYTES,
                )
            if time.monotonic() > self._deadline:
                raise self._too_long(where)
        return bytes(content)


def _check_encoding(response: requests.Response, where: str) -> None:
    """:raises ContractChanged: the body is compressed in a way that was not asked for, or several times."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in _CODINGS:
        raise ContractChanged(
            f"{where} sent a response compressed in a way that was not asked for."
        )


def _badly_compressed(where: str) -> ErpUnreachable:
    return ErpUnreachable(
        f"{where} responded with something that is not compressed as its header Content-Encoding says, or was damaged "
        "on the way.",
        remedy="If it persists, whoever runs the ERP, or a proxy in front of it, has to correct the header.",
    )


def _refused_peer(refused: PeerRefused, where: str) -> SettingsWrong:
    if refused.private:
        return SettingsWrong(
            f"{where}: the host's name means an address of a private network; nothing was sent there.",
            remedy="If the ERP is in your own network, allow it by `http: {private_network: true}` in the club's "
            "settings, or write its address as the connection's host. If not, somebody changed what the name means.",
        )
    return SettingsWrong(
        f"{where}: the host's name means an address at which no ERP can be; nothing was sent there.",
        remedy="Check the connection's host, and who runs its DNS.",
    )


class _WithoutQuery(logging.Filter):
    """Removes the query string from urllib3's own debug lines: some ERPs put keys there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                a.partition("?")[0] if isinstance(a, str) and a.startswith("/") else a
                for a in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQuery())


def _where(erp: str, request: _Request) -> str:
    """What was asked, in the reader's language where the ERP has no name of its own."""
    if erp == UNNAMED:
        return message(f"The ERP ({request.method} {request.path})")
    return f"{erp} ({request.method} {request.path})"
