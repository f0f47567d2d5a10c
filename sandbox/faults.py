"""Faults of a simulated API, injected per club over `/_faults` or directly in tests.

`POST /_faults/{club}` with `{"kind": "server-error", "from_page": 2, "times": 1}` sets a fault, `GET /_faults`
lists them, `DELETE /_faults/{club}` and `DELETE /_faults` clear them.

Faults affect requests for pages of customers only. An `AnswerFault` or `HostileFault` replaces the response of
the ERP and is implemented here; a `ListFault` changes the rows that the ERP lists, which each simulated ERP
implements by itself (`Faults.take` returns the fault to apply).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

#: Implemented here: the response is replaced, or cut.
AnswerFault = Literal[
    "unauthorized",
    "forbidden",
    "throttled-seconds",
    "throttled-date",
    "throttled-epoch",
    "throttled-silent",
    "throttled-421",
    "server-error",
    "timeout",
    "html",
    "truncated",
    "error-in-200",
]
#: Also implemented here: responses that no ERP should send, but that some server in between does.
HostileFault = Literal[
    "redirect", "nested", "not-a-number", "surrogate", "not-text", "null", "picture", "blank"
]
#: Implemented by each simulated ERP; `total-wrong` by those that state a total that can be falsified.
ListFault = Literal["empty", "page-repeated", "cursor-invalid", "row-moved", "half", "total-wrong"]

#: Applied to exported files, as are `html`, `truncated`, `half` and `empty`.
FileFault = Literal["missing", "wrong-columns"]

FaultKind = AnswerFault | HostileFault | ListFault | FileFault


class Fault(BaseModel):
    """One fault.

    - `empty`: the list is empty.
    - `page-repeated`: a page is repeated in place of the next one.
    - `cursor-invalid`: the ERP rejects the cursor.
    - `row-moved`: the last row of a page is also the first row of the next one.
    - `half`: half of the rows are missing.
    - `total-wrong`: all rows are listed, but the total is one too high.

    :param from_page: the first page that it affects, from 1.
    :param times: how many requests it affects; None: all until it is cleared.
    :param wait: seconds, of a 429's Retry-After or of a timeout.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    from_page: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=1)
    wait: float = Field(default=3600.0, ge=0)


@dataclass
class _Active:
    fault: Fault
    left: int | None


class Faults:
    """The active faults of all clubs; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._active: dict[str, _Active] = {}

    def set(self, club: str, fault: Fault) -> None:
        """Activate a fault, replacing any other fault of the club."""
        with self._lock:
            self._active[club] = _Active(fault, fault.times)

    def clear(self, club: str | None = None) -> None:
        """Clear the fault of a club; None: all faults."""
        with self._lock:
            if club is None:
                self._active.clear()
            else:
                self._active.pop(club, None)

    def all(self) -> dict[str, Fault]:
        """The active faults by club."""
        with self._lock:
            return {club: active.fault for club, active in self._active.items()}

    def take(self, club: str, page: int) -> Fault | None:
        """The fault that affects this request for a page; it counts as one of its `times`."""
        with self._lock:
            active = self._active.get(club)
            if active is None or page < active.fault.from_page:
                return None
            if active.left is not None:
                if active.left == 0:
                    return None
                active.left -= 1
            return replace(active).fault


async def answer(fault: Fault) -> Response | None:
    """The response that replaces that of the ERP; None if the fault changes the ERP's own response."""
    wait = timedelta(seconds=fault.wait)
    match fault.kind:
        case "unauthorized":
            return JSONResponse({"error": "UNAUTHORIZED"}, 401)
        case "forbidden":
            return JSONResponse({"error": "FORBIDDEN"}, 403)
        case "throttled-seconds":
            return _throttled({"Retry-After": f"{fault.wait:g}"})
        case "throttled-date":
            return _throttled({"Retry-After": format_datetime(_now() + wait, usegmt=True)})
        case "throttled-epoch":
            reset = int((_now() + wait).timestamp() * 1000)
            return _throttled(
                {"X-Rate-Limit-Limit": "2750", "X-Rate-Limit-Remaining": "0"}
                | {"X-Rate-Limit-Reset": str(reset)}
            )
        case "throttled-silent":
            return _throttled({})
        case "throttled-421":
            return JSONResponse({"status": {"statuscode": 421}}, 421)
        case "server-error":
            return JSONResponse({"error": "INTERNAL_ERROR"}, 500)
        case "timeout":
            await asyncio.sleep(fault.wait)
            return JSONResponse({"error": "TIMEOUT"}, 504)
        case "html":
            return HTMLResponse("<!doctype html><html><title>Maintenance</title></html>")
        case "error-in-200":
            return JSONResponse({"id": 0, "error": ["UserError", ["No.", "", None]]})
    return _hostile(fault.kind)


#: Bodies of responses with status 200 that are not valid JSON, or not the expected document.
_BAD_BODIES = {
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "not-a-number": b'{"data": NaN, "result": NaN}',
    "surrogate": b'{"data": "\\ud83d", "result": "\\ud83d"}',
    "not-text": b'{"data": "\xff\xfe", "result": "\xff\xfe"}',
    "null": b"null",
    "blank": b"",
}


def _hostile(kind: str) -> Response | None:
    if kind == "redirect":
        return Response(status_code=302, headers={"Location": "http://127.0.0.2:9/elsewhere"})
    if kind == "picture":
        return Response(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", media_type="image/png")
    body = _BAD_BODIES.get(kind)
    return None if body is None else Response(body, media_type="application/json")


def truncated(body: bytes) -> Response:
    """A response without its second half, whose Content-Length fits what is left."""
    return Response(body[: len(body) // 2], media_type="application/json")


def _throttled(headers: dict[str, str]) -> Response:
    return JSONResponse({"error": "TOO_MANY_REQUESTS"}, 429, headers=headers)


def _now() -> datetime:
    return datetime.now(UTC)
