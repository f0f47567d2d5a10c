"""What a response means: its status, its body, and how it is stored on a bookmark.

No message holds a query string, a body or a header (R19).
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import msgspec
import requests
from requests.structures import CaseInsensitiveDict

from connectors.sdk import odd
from connectors.sdk.errors import (
    ConnectorError,
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.http.auth import Unauthorized
from connectors.sdk.http.throttling import THROTTLED, is_used_up, requested_wait
from connectors.sdk.resume import RequestDiffers

T = TypeVar("T")

#: Raises the error that a parsed response of status 200 stands for, if it does.
ErrorCheck = Callable[[Any], None]


class RequestRejected(ContractChanged):
    """The ERP rejected a request (HTTP 4xx) for another reason than credentials, address or rate.

    :param status: the HTTP status.
    """

    def __init__(self, what: str, *, status: int, remedy: str | None = None) -> None:
        super().__init__(what, remedy=remedy)
        self.status = status


@dataclass(frozen=True)
class Reply(Generic[T]):
    """A response.

    :param value: the parsed body; None only for a status that the caller named in `empty_statuses`.
    :param headers: by name, case-insensitive.
    """

    value: T | None
    headers: Mapping[str, str] = field(repr=False)
    status: int = 200


class TryAgain(Exception):
    """This attempt failed in a way that may be temporary.

    :param final: what to raise when no attempt is left.
    :param wait: seconds that the server asked for, if it did.
    :param once: one more attempt is enough: what the server says twice, it means.
    """

    def __init__(
        self, final: ConnectorError, wait: float | None = None, *, once: bool = False
    ) -> None:
        super().__init__()
        self.final = final
        self.wait = wait
        self.once = once


def check_status(
    response: requests.Response, where: str, *, longest_wait: float, now: datetime
) -> None:
    """Return if the response is worth parsing, else raise what its status means.

    :param where: ERP, method and path, for the message.
    :param longest_wait: seconds; a server that asks for more is not waited for.
    """
    status = response.status_code
    if status < 300:
        return
    limited = status in THROTTLED or (
        status == HTTPStatus.FORBIDDEN and is_used_up(response.headers)
    )
    if limited or status >= 500:
        _check_wait(response, where, longest_wait, now)
    if status == HTTPStatus.REQUEST_TIMEOUT:
        raise TryAgain(ErpUnreachable(f"{where} did not respond in time."))
    if status == HTTPStatus.UNAUTHORIZED:
        raise Unauthorized(f"{where} rejected our credentials (HTTP 401).")
    if status == HTTPStatus.FORBIDDEN:
        raise CredentialsRefused(f"{where} denied us access (HTTP 403).")
    if status < 400:
        raise SettingsWrong(f"{where} redirects to another address (HTTP {status}).")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise SettingsWrong(f"{where} does not exist (HTTP {status}).")
    raise RequestRejected(f"{where} rejected the request (HTTP {status}).", status=status)


def check_empty(status: int, content: bytes, where: str) -> None:
    """Check that a status that means "nothing here" is the ERP's own answer: JSON, or without a body.

    A gateway in front of an ERP that is being restarted answers 404 by a page or a line of text: the list has not
    ended there (R14). 416 answers our own header Range, whatever its body.

    :raises TryAgain: it is not.
    """
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not content.strip():
        return
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TryAgain(
            ErpUnreachable(
                f"{where} answered HTTP {status} by something that is not JSON, such as the page of a gateway: "
                "that does not say that there is nothing."
            )
        ) from None


def _check_wait(
    response: requests.Response, where: str, longest_wait: float, now: datetime
) -> None:
    wait = requested_wait(response.headers, now)
    status = response.status_code
    final: ConnectorError
    if status < 500:
        final = RateLimited(
            f"{where} is rate-limiting us (HTTP {status})."
            if wait is None
            else f"{where} is rate-limiting us (HTTP {status}) and asks us to wait {_duration(wait)}.",
            retry_after=wait,
        )
    else:
        final = ErpUnreachable(
            f"{where} failed with a server error (HTTP {status})."
            if wait is None
            else f"{where} failed with a server error (HTTP {status}) and asks us to wait {_duration(wait)}."
        )
    if wait is not None and wait.total_seconds() > longest_wait:
        raise final
    # A wait of zero would be a busy loop: our own pauses apply then.
    raise TryAgain(final, wait.total_seconds() if wait else None)


def _duration(wait: timedelta) -> str:
    seconds = wait.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


#: A surrogate without its other half, as JSON escapes it (the second group) or as some writers encode it: half of
#: an emoji, which no database takes. The first group is what only looks like one.
_HALVES = re.compile(
    rb"(\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\xed[\xa0-\xbf][\x80-\xbf])"
)

#: Digits of the longest whole number that is read: Python refuses those of more than 4,300.
_MOST_DIGITS = 4_000


def _decoded(content: bytes, into: type[T]) -> T:
    """JSON as a type; what is odd of single records is put right (`connectors.sdk.odd`), and NaN is null.

    :raises msgspec.DecodeError, UnicodeDecodeError: it is not JSON.
    :raises msgspec.ValidationError: it is not that type.
    """
    try:
        return msgspec.json.decode(content, type=into)
    except msgspec.ValidationError:
        return odd.converted(_plain(content), into)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = _HALVES.sub(lambda match: match[1] or b"\xef\xbf\xbd", content)
        if whole != content:
            return _decoded(whole, into)
        return odd.converted(_plain(content), into)


def _plain(content: bytes) -> Any:
    """JSON as plain values; NaN and infinite numbers, which some writers leave in it, are null, and a whole number of
    more digits than Python reads is infinite: it is that record's, and stops no club.

    :raises msgspec.DecodeError, UnicodeDecodeError: it is not JSON.
    """
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        halves = _HALVES.sub(lambda match: match[1] or b"\xef\xbf\xbd", content)
        try:
            return json.loads(halves, parse_constant=lambda _: None, parse_int=_integer)
        except ValueError:
            pass
        raise


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


#: The encodings whose text starts with a mark of its own; that of UTF-32 starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def as_utf8(content: bytes, content_type: str | None) -> bytes:
    """A body as UTF-8 without a byte order mark: from the encoding that its mark says, or else its header, unless it is
    UTF-8 whatever the header says."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _recoded(content.removeprefix(codecs.BOM_UTF8), encoding)
    header = Message()
    header["Content-Type"] = content_type or ""
    charset = header.get_content_charset("utf-8")
    if charset in ("utf-8", "us-ascii"):
        return content
    if b"\0" in content[:4]:  # JSON starts with two ASCII characters: this is UTF-16 or UTF-32
        return _recoded(content, charset)
    try:
        content.decode()
    except UnicodeDecodeError:
        return _recoded(content, charset)
    return content


def _recoded(content: bytes, encoding: str) -> bytes:
    """In UTF-8; unchanged where that is not its encoding."""
    try:
        return content.decode(encoding).encode()
    except (LookupError, UnicodeError):
        return content


#: How a gzip file starts (RFC 1952).
_GZIP = b"\x1f\x8b"


def parsed(content: bytes, into: type[T], where: str) -> T:
    """A body as the given type.

    :raises TryAgain: it is empty or truncated.
    :raises ContractChanged: it is not the JSON that the connector knows.
    """
    head = content.lstrip()[:1]
    if not head:
        raise TryAgain(ErpUnreachable(f"{where} sent an empty response."))
    if head == b"<":
        raise ContractChanged(
            f"{where} responded with a web page instead of JSON.",
            remedy="This is often a login or maintenance page: open the ERP's address in a browser, "
            "then compare it with the connection's host.",
        )
    if content.startswith(_GZIP):
        raise ContractChanged(
            f"{where} responded with a gzip file that it does not mark as one (Content-Encoding: gzip).",
            remedy="Whoever runs the ERP, or a proxy in front of it, has to correct the header; until then nothing "
            "can be read.",
        )
    try:
        return _decoded(content, into)
    except msgspec.ValidationError as error:
        # msgspec names types and the place, never a value.
        raise ContractChanged(f"{where} responded in an unexpected format: {error}.") from None
    except RecursionError:
        raise ContractChanged(f"{where} responded with JSON that is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if head in b"{[" and "truncated" in str(error):
            raise TryAgain(ErpUnreachable(f"{where} sent a truncated response.")) from None
        raise ContractChanged(f"{where} responded with something that is not JSON.") from None


class _Stored(msgspec.Struct):
    """A response on a bookmark. :param headers: those that the client keeps."""

    status: int
    headers: dict[str, str]
    value: msgspec.Raw


def stored(reply: Reply[Any], value: Any, header_names: tuple[str, ...]) -> bytes:
    """A response as it is kept on a bookmark.

    :param value: its body, filtered (R19).
    :param header_names: the headers to keep.
    """
    headers = {name: reply.headers[name] for name in header_names if name in reply.headers}
    raw = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(_Stored(reply.status, headers, raw))


def restored(kept: bytes, into: type[T], empty_statuses: frozenset[int]) -> Reply[T]:
    """A response as it was kept on a bookmark.

    :raises RequestDiffers: it no longer has the form of such a response.
    """
    try:
        found = msgspec.json.decode(kept, type=_Stored)
        empty = found.status in empty_statuses
        value = None if empty else msgspec.json.decode(found.value, type=into)
    except msgspec.MsgspecError:
        raise RequestDiffers from None
    return Reply(value, CaseInsensitiveDict(found.headers), found.status)
