"""The one way in which API connectors speak HTTP: bounded, patient for a moment, and discreet.

`Http` wraps a `requests` session. Every request has timeouts; every reading has caps on bytes and
time; what may pass by itself (no connection, a timeout, 5xx, a cut answer) is tried again with growing
pauses (tenacity); a 429 or one of its cousins is waited for when the wait is short, and becomes
`RateLimited` when it is not. What is left is said in the words of `connectors.sdk.errors`.

Nothing that a server or a user could have filled with a secret or a person's data reaches a message, a
traceback or a log line: no query string, no body, no header (R19). That is why the errors of
`requests`, which quote whole addresses, are not chained.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Generic, Self, TypeVar, cast
from urllib.parse import urlsplit

import msgspec
import requests
from pydantic import Field
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from connectors.sdk.base import Connection, Connector, Settings
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.resume import Bookmark, Only, QuestionDiffers, keys_of

log = logging.getLogger(__name__)

T = TypeVar("T")

#: statuses that mean "too many requests"; 421 is Virtuagym's own (docs/erps/virtuagym.md).
THROTTLED = {429, 421}

#: families of counters that some gateways send instead of Retry-After (docs/erps/resamania.md).
RESET_FAMILIES = ("RateLimit", "X-RateLimit", "X-Rate-Limit", "X-Quota", "X-Spike-Arrest")


class HttpLimits(Settings):
    """How long and how much: `http:` in a club's settings. Times are seconds.

    :param attempts: how often one request is made at most.
    :param backoff: the first pause between two attempts; it doubles, with jitter.
    :param longest_wait: the longest wait that a 429 may ask of us before it becomes `RateLimited`,
        and the longest pause between attempts.
    :param max_bytes: of one answer, unpacked.
    :param max_seconds: of one reading, all requests and waits together.
    :param max_pages: of one reading; more is taken for a walk in a circle.
    :param connections: requests at a time to one host, of all clubs that this process reads there; None: one
        for each club.
    :param per_second: requests a second to one host, of all clubs that this process reads there; None: as
        many as it answers.
    """

    connect_timeout: float = Field(default=5.0, gt=0)
    read_timeout: float = Field(default=30.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=10)
    backoff: float = Field(default=0.5, ge=0)
    longest_wait: float = Field(default=2.0, ge=0)
    max_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_seconds: float = Field(default=300.0, gt=0)
    max_pages: int = Field(default=10_000, ge=1)
    connections: int | None = Field(default=None, ge=1)
    per_second: float | None = Field(default=None, gt=0)


def base_address(connection: Connection) -> str:
    """The connection's base address, with scheme and port, without a slash at its end.

    A host without a scheme is taken for https. A log-in inside the address is refused: it would end
    up in logs.

    :raises SettingsWrong: no host, not http, or with a log-in, query or fragment in it.
    """
    host = connection.host.strip()
    if not host:
        raise SettingsWrong(f"The connection {connection.id} has no host.")
    if "://" not in host:
        host = f"https://{host}"
    try:
        parts = urlsplit(host)
        port = parts.port or connection.port
    except ValueError:
        raise SettingsWrong(f"The host of connection {connection.id} is not an address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsWrong(f"The host of connection {connection.id} is not an http address.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsWrong(
            f"The host of connection {connection.id} must be a plain address; "
            "log-in and keys have their own fields."
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


class Unauthorized(CredentialsRefused):
    """401: the credentials, or merely a session or token that ran out."""


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An answer.

    :param value: what was parsed; None only for a status that the caller named in `absent`.
    :param headers: by name, whatever its case.
    """

    value: T | None
    headers: Mapping[str, str] = field(repr=False)
    status: int = 200


#: Says of a parsed answer of status 200 what is wrong with it, by raising it.
Judge = Callable[[Any], None]


@dataclass(frozen=True)
class _Question:
    method: str
    path: str
    params: Any
    body: Any
    attempts: int
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()
    judge: Judge | None = None


class _Kept(msgspec.Struct):
    """An answer on a bookmark. :param headers: those of `_TOLD` and those that were asked for."""

    status: int
    headers: dict[str, str]
    value: msgspec.Raw


#: headers by which pages name the next one, or count the rows.
_TOLD = ("Link", "Content-Range")


class _Again(Exception):
    """This attempt failed in a way that may pass.

    :param final: what to raise when no attempt is left.
    :param wait: seconds the server asked for, where it said.
    """

    def __init__(self, final: ConnectorError, wait: float | None = None) -> None:
        super().__init__()
        self.final = final
        self.wait = wait


class _Authorization(AuthBase):
    """Sets the headers itself, so that `requests` never takes a log-in out of a .netrc file."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class _Gate:
    """The way of this process to one host: so many requests at a time, so many a second."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = 0
        self._next = 0.0

    @contextmanager
    def passing(
        self, limits: HttpLimits, left: float, sleep: Callable[[float], None]
    ) -> Iterator[None]:
        """Wait for one's turn, and hold it while the block runs.

        :param left: seconds that there are to wait.
        :raises TimeoutError: there was no turn by then.
        """
        with self._changed:
            allowed = limits.connections
            if allowed is not None and not self._changed.wait_for(
                lambda: self._busy < allowed, left
            ):
                raise TimeoutError
            self._busy += 1
            pause = 0.0
            if limits.per_second is not None:
                now = time.monotonic()
                begin = max(now, self._next)
                self._next, pause = begin + 1 / limits.per_second, begin - now
        try:
            if pause:
                sleep(pause)
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()


_GATES: dict[str, _Gate] = {}


class _Sockets(HTTPAdapter):
    """Knows the sockets of its connections, to cut them when a reading's time is up.

    Timeouts alone do not: each counts from the last byte, and a server that sends a byte every few seconds
    would hold a reading for days.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = False
        self._pools: dict[str, Any] = {}
        for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool)):
            made = pool.ConnectionCls
            watched = type("Watched", (made,), {"connect": self._connect(made)})
            self._pools[scheme] = type("WatchedPool", (pool,), {"ConnectionCls": watched})
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **how: Any) -> Any:
        """The way through a proxy of the environment's, watched too."""
        manager = super().proxy_manager_for(proxy, **how)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def _connect(self, cls: type[Any]) -> Callable[[Any], None]:
        def connect(connection: Any) -> None:
            cls.connect(connection)
            with self._lock:
                self._open = {s for s in self._open if s.fileno() != -1} | {connection.sock}
                if self._over:
                    _shut(connection.sock)

        return connect

    def cut(self) -> None:
        """End what is being read, and whatever is opened from now on."""
        with self._lock:
            self._over = True
            for one in self._open:
                _shut(one)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        # the plain socket's own, also of a TLS one, whose reader is busy in another thread
        socket.socket.shutdown(one, socket.SHUT_RDWR)


class Http:
    """One reading's conversation with one ERP.

    :param base: from `base_address`.
    :param erp: the ERP's name, for sentences.
    :param now: UTC clock; only used where a server dates a wait and sends no Date of its own.
    :param login: fetches the Authorization header's value, or several headers; called before the first
        request that needs it, and once more when a request is answered with 401 (a token that ran out in
        mid-walk).
    :param headers: sent with every request, the log-in too.
    :param bookmark: what was answered before, and where answers are kept, those to log-ins never; None: nowhere.
    :param needed: what of an answer may be kept (R19), where its type does not say so by itself.
    :param told: names of headers that are kept too, besides those that page by a standard.
    """

    def __init__(
        self,
        base: str,
        erp: str,
        limits: HttpLimits,
        *,
        now: Callable[[], datetime],
        login: Callable[[Http], str | Mapping[str, str]] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        headers: Mapping[str, str] | None = None,
        bookmark: Bookmark | None = None,
        needed: Only | None = None,
        told: Sequence[str] = (),
    ) -> None:
        self._base = base
        self._erp = erp
        self._limits = limits
        self._now = now
        self._login = login
        self._sleep = sleep
        self._authorization: Mapping[str, str] | None = None
        self._bookmark = bookmark
        self._needed = needed
        self._told = (*_TOLD, *told)
        gone = now() - bookmark.begun if bookmark and bookmark.begun else timedelta(0)
        self._deadline = time.monotonic() + limits.max_seconds - gone.total_seconds()
        # setdefault is one step also between threads
        self._gate = _GATES.setdefault(urlsplit(base).netloc, _Gate())
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "clubsync"})
        self._session.headers.update(headers or {})
        self._sockets = _Sockets()
        self._session.mount("http://", self._sockets)
        self._session.mount("https://", self._sockets)
        self._watchdog: threading.Timer | None = None

    @classmethod
    def of(
        cls,
        connector: Connector[Any],
        base: str,
        limits: HttpLimits,
        *,
        login: Callable[[Http], str | Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        needed: Only | None = None,
        told: Sequence[str] = (),
    ) -> Self:
        """A connector's: in its name, by its clock and with its bookmark."""
        return cls(
            base,
            connector.title,
            limits,
            now=connector.now,
            login=login,
            headers=headers,
            bookmark=connector.bookmark,
            needed=needed,
            told=told,
        )

    def __enter__(self) -> Self:
        left = max(0.0, self._deadline - time.monotonic())
        self._watchdog = threading.Timer(left, self._sockets.cut)
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
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        body: Any = None,
        login: bool = True,
        once: bool = False,
    ) -> T:
        """Ask, and parse the answer; fields that `into` does not name are dropped unread (R19).

        Every request that a connector makes is a question, so that it may be repeated, POST or not.

        :param path: below the base address.
        :param into: a type that msgspec can decode to.
        :param login: whether the request needs the log-in.
        :param once: do not try again, whatever happens.
        :raises ErpUnreachable: no connection, timeouts, 5xx, cut answers, until no attempt was left.
        :raises RateLimited: asked to wait longer than `longest_wait`, or again and again.
        :raises CredentialsRefused: 401 (again after a new log-in) or 403.
        :raises SettingsWrong: 404, a redirect, or no valid address.
        :raises ContractChanged: any other answer that is not the JSON we know.
        """
        reply = self.ask(method, path, into, params=params, body=body, login=login, once=once)
        return cast("T", reply.value)  # only the statuses of `absent` have none

    def ask(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        params: Mapping[str, Any] | list[tuple[str, Any]] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        login: bool = True,
        once: bool = False,
        absent: frozenset[int] = frozenset(),
        judge: Judge | None = None,
    ) -> Reply[T]:
        """`json`, for who needs more: the answer's headers too, a form, headers of one's own.

        :param form: sent in place of a JSON body.
        :param absent: statuses that say "there is nothing" here, such as 404 past the last page.
        :param judge: errors that an ERP puts into answers of status 200. What it raises is treated like the
            status that says the same: `Unauthorized` gets a new log-in, `RateLimited` and
            `ErpUnreachable` another attempt.
        """
        question = _Question(
            method,
            path,
            params,
            body,
            1 if once else self._limits.attempts,
            form,
            headers or {},
            absent,
            judge,
        )
        if not login:
            return self._retried(question, into, {})
        if self._bookmark is None:
            return self._logged_in_first(question, into, once=once)
        return self._marked(self._bookmark, question, into, once=once)

    def _marked(
        self, bookmark: Bookmark, question: _Question, into: type[T], *, once: bool
    ) -> Reply[T]:
        """The answer that was kept, or the ERP's, which is kept.

        :raises QuestionDiffers: what was kept is no answer to this.
        """
        # what was not needed then is not there now: a connector that takes more asks another question
        form = keys_of(into) | (self._needed.words if self._needed else frozenset())
        asked = (getattr(question, name) for name in _ASKED)
        written = msgspec.json.encode((self._base, *asked, sorted(form)), order="deterministic")
        kept = bookmark.recall(written)
        if kept is not None:
            return _recalled(kept, into, question.absent)
        try:
            reply = self._logged_in_first(question, into, once=once)
        except ConnectorError as error:
            bookmark.broken = error
            raise
        bookmark.broken = None
        told = {name: reply.headers[name] for name in self._told if name in reply.headers}
        needed = self._needed(reply.value) if self._needed else reply.value
        value = msgspec.Raw(msgspec.json.encode(needed))
        bookmark.keep(written, msgspec.json.encode(_Kept(reply.status, told, value)))
        return reply

    def _logged_in_first(self, question: _Question, into: type[T], *, once: bool) -> Reply[T]:
        if self._login is None:
            return self._retried(question, into, {})
        if self._authorization is None:
            self._authorization = self._logged_in(self._login)
        try:
            return self._retried(question, into, self._authorization)
        except Unauthorized:
            if once:
                raise
            log.info("%s: log-in has run out, logging in again", self._erp)
            self._authorization = self._logged_in(self._login)
            return self._retried(question, into, self._authorization)

    def _logged_in(self, login: Callable[[Http], str | Mapping[str, str]]) -> Mapping[str, str]:
        got = login(self)
        return {"Authorization": got} if isinstance(got, str) else got

    def _retried(
        self, question: _Question, into: type[T], authorization: Mapping[str, str]
    ) -> Reply[T]:
        limits = self._limits
        backoff = wait_exponential_jitter(
            multiplier=limits.backoff, max=limits.longest_wait, jitter=limits.backoff
        )

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _Again) else None
            return backoff(state) if asked is None else asked

        def tell(state: RetryCallState) -> None:
            log.info(
                "%s: %s %s failed, attempt %d of %d, trying again in %.1f s",
                self._erp,
                question.method,
                question.path,
                state.attempt_number,
                question.attempts,
                state.upcoming_sleep,
            )

        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(_Again),
                stop=stop_after_attempt(question.attempts),
                wait=pause,
                sleep=self._sleep,
                before_sleep=tell,
                reraise=True,
            ):
                with attempt:
                    return self._once(question, into, authorization)
        except _Again as error:
            raise error.final from None
        raise AssertionError("tenacity returns or raises")

    def _once(
        self, question: _Question, into: type[T], authorization: Mapping[str, str]
    ) -> Reply[T]:
        where = f"{self._erp} ({question.method} {question.path})"
        try:
            with self._gate.passing(self._limits, self._left(where), self._sleep):
                response, content = self._sent(question, authorization, where)
        except TimeoutError:
            raise self._too_long(where) from None
        if response.status_code in question.absent:
            return Reply(None, response.headers, response.status_code)
        self._judge(response, where)
        reply = Reply(_parsed(content, into, where), response.headers, response.status_code)
        if question.judge is not None:
            self._look(question.judge, reply.value)
        return reply

    def _look(self, judge: Judge, value: Any) -> None:
        """What the ERP's own way of saying "error" means."""
        try:
            judge(value)
        except RateLimited as error:
            wait = error.retry_after.total_seconds() if error.retry_after else None
            if wait is not None and wait > self._limits.longest_wait:
                raise
            raise _Again(error, wait or None) from None
        except ErpUnreachable as error:
            raise _Again(error) from None

    def _left(self, where: str) -> float:
        """Seconds of this reading's time that are left.

        :raises ErpUnreachable: none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_long(where)
        return left

    def _too_long(self, where: str) -> ErpUnreachable:
        return ErpUnreachable(
            f"{where}: reading took longer than {self._limits.max_seconds:.0f} s and was ended."
        )

    def _sent(
        self, question: _Question, authorization: Mapping[str, str], where: str
    ) -> tuple[requests.Response, bytes]:
        left = self._left(where)
        try:
            response = self._session.request(
                question.method,
                f"{self._base}{question.path}",
                params=question.params,
                json=question.body,
                data=question.form,
                headers=dict(question.headers),
                auth=_Authorization(authorization),
                timeout=(
                    min(self._limits.connect_timeout, left),
                    min(self._limits.read_timeout, left),
                ),
                stream=True,
                allow_redirects=False,
            )
            with response:
                content = self._content(response, where)
        except requests.Timeout:
            raise _Again(ErpUnreachable(f"{where} did not answer in time.")) from None
        except requests.exceptions.SSLError:
            raise ErpUnreachable(f"{where}: the server's TLS certificate is not valid.") from None
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ):
            raise _Again(ErpUnreachable(f"{where}: no connection, or it was cut.")) from None
        except (requests.RequestException, ValueError):
            raise SettingsWrong(
                f"{where}: the connection's host is not a usable address, or its key cannot be sent."
            ) from None
        return response, content

    def _content(self, response: requests.Response, where: str) -> bytes:
        """The whole body, unpacked, within the caps; the watchdog cuts a slow trickle."""
        content = bytearray()
        for chunk in response.iter_content(64 * 1024):
            content += chunk
            if len(content) > self._limits.max_bytes:
                raise ContractChanged(
                    f"{where} sent more than {self._limits.max_bytes / 1e6:.0f} MB in one answer."
                )
            if time.monotonic() > self._deadline:
                raise self._too_long(where)
        return bytes(content)

    def _judge(self, response: requests.Response, where: str) -> None:
        """Return when the answer is worth parsing, else raise what its status means."""
        status = response.status_code
        if status < 300:
            return
        if status in THROTTLED or status == HTTPStatus.SERVICE_UNAVAILABLE or status >= 500:
            self._put_off(response, where)
        if status == HTTPStatus.REQUEST_TIMEOUT:
            raise _Again(ErpUnreachable(f"{where} did not answer in time."))
        if status == HTTPStatus.UNAUTHORIZED:
            raise Unauthorized(f"{where} refused our log-in (401).")
        if status == HTTPStatus.FORBIDDEN:
            raise CredentialsRefused(f"{where} forbids what we ask (403).")
        if status < 400:
            raise SettingsWrong(f"{where} sends us to another address ({status}).")
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            raise SettingsWrong(f"{where} does not exist ({status}).")
        raise ContractChanged(f"{where} did not understand our question ({status}).")

    def _put_off(self, response: requests.Response, where: str) -> None:
        wait = asked_wait(response.headers, self._now())
        status = response.status_code
        final: ConnectorError
        if status in THROTTLED:
            final = RateLimited(
                f"{where} has had too many requests ({status})"
                + (f" and asks us to wait {_span(wait)}." if wait is not None else "."),
                retry_after=wait,
            )
        else:
            final = ErpUnreachable(
                f"{where} answers with a server error ({status})"
                + (f" and asks us to wait {_span(wait)}." if wait is not None else ".")
            )
        if wait is not None and wait.total_seconds() > self._limits.longest_wait:
            raise final
        # A wait of nothing would be a busy loop: then our own pauses count.
        raise _Again(final, wait.total_seconds() if wait else None)


def asked_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long an answer asks us to wait, or None where it does not say.

    Retry-After (seconds or an HTTP date) wins; else the latest reset of those counters that stand at
    nothing (or do not say where they stand). A reset is an epoch in milliseconds or seconds, or a
    number of seconds. Dates are compared with the server's own clock where it sends a Date: ours may
    differ, or be a replay's.
    """
    try:
        now = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError):
        pass
    if "Retry-After" in headers:
        value = headers["Retry-After"].strip()
        try:
            return max(timedelta(0), timedelta(seconds=float(value)))
        except (ValueError, OverflowError):
            pass
        try:
            at = parsedate_to_datetime(value)
            return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)
        except ValueError:
            pass
    waits = []
    for family in RESET_FAMILIES:
        try:
            reset = float(headers[f"{family}-Reset"])
            remaining = float(headers.get(f"{family}-Remaining", 0))
        except (KeyError, ValueError):
            continue
        if remaining <= 0:
            if reset > 1e11:
                reset = reset / 1000 - now.timestamp()
            elif reset > 1e9:
                reset -= now.timestamp()
            waits.append(timedelta(seconds=max(0.0, reset)))
    return max(waits, default=None)


#: what makes a question this one and no other, besides the address before its path.
_ASKED = ("method", "path", "params", "body", "form", "headers")


def _recalled(kept: bytes, into: type[T], absent: frozenset[int]) -> Reply[T]:
    """:raises QuestionDiffers: it is not what such an answer looks like any more."""
    try:
        found = msgspec.json.decode(kept, type=_Kept)
        none = found.status in absent
        value = None if none else msgspec.json.decode(found.value, type=into)
    except msgspec.MsgspecError:
        raise QuestionDiffers from None
    return Reply(value, CaseInsensitiveDict(found.headers), found.status)


def _parsed(content: bytes, into: type[T], where: str) -> T:
    head = content.lstrip()[:1]
    if not head:
        raise _Again(ErpUnreachable(f"{where} sent an empty answer."))
    if head == b"<":
        raise ContractChanged(
            f"{where} answered with a web page instead of JSON.",
            remedy="It is often a log-in or maintenance page: open the ERP's address in a browser, "
            "then compare it with the connection's host.",
        )
    try:
        return msgspec.json.decode(content, type=into)
    except msgspec.ValidationError as error:
        # msgspec names types and the place, never a value.
        raise ContractChanged(f"{where} answered in another form: {error}.") from None
    except RecursionError:
        raise ContractChanged(f"{where} answered with JSON nested too deep to be data.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if head in b"{[" and "truncated" in str(error):
            raise _Again(ErpUnreachable(f"{where}: the answer was cut off.")) from None
        raise ContractChanged(f"{where} answered with something that is not JSON.") from None


def _span(wait: timedelta) -> str:
    seconds = wait.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class _WithoutQuery(logging.Filter):
    """Takes the query string off urllib3's own debug lines: some ERPs put keys there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                a.partition("?")[0] if isinstance(a, str) and a.startswith("/") else a
                for a in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQuery())
