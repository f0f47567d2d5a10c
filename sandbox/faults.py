"""What can be made to go wrong with a simulated API, club by club, over `/_faults` or directly in tests.

`POST /_faults/{club}` with `{"kind": "server-error", "from_page": 2, "times": 1}` switches one on, `GET
/_faults` lists them, `DELETE /_faults/{club}` and `DELETE /_faults` switch off.

Faults hit requests for pages of customers, nothing else. Those of the first kind stand in for the ERP's
answer and are made here; those of the second change what the ERP lists, and each simulated ERP does that in
its own way (`Faults.take` tells it which).
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

#: made here, before the simulated ERP is asked, or of its answer.
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
#: made here too: what no ERP should answer, and some server between us and it does.
HostileFault = Literal[
    "redirect", "nested", "not-a-number", "surrogate", "not-text", "null", "picture", "blank"
]
#: made by each simulated ERP; `total-wrong` by those that state a total and can be made to lie.
ListFault = Literal["empty", "page-repeated", "cursor-invalid", "row-moved", "half", "total-wrong"]

#: made of an export, together with `html`, `truncated`, `half` and `empty`.
FileFault = Literal["missing", "wrong-columns"]

FaultKind = AnswerFault | HostileFault | ListFault | FileFault


class Fault(BaseModel):
    """One fault.

    - `empty`: the list is there and has nothing in it.
    - `page-repeated`: a page comes again in place of the next one.
    - `cursor-invalid`: the ERP no longer knows how far we were.
    - `row-moved`: the last row of a page stands first on the next one, too.
    - `half`: half of the rows are missing.
    - `total-wrong`: all rows are there, and the total says one more.

    :param from_page: the first page that it hits, from 1.
    :param times: how many requests it hits; None until it is switched off.
    :param wait: seconds: what a 429 asks for, or how long a timeout lasts.
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
    """The faults of all clubs; safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._active: dict[str, _Active] = {}

    def set(self, club: str, fault: Fault) -> None:
        """Switch a fault on, in place of any other of that club."""
        with self._lock:
            self._active[club] = _Active(fault, fault.times)

    def clear(self, club: str | None = None) -> None:
        """Switch off one club's, or all."""
        with self._lock:
            if club is None:
                self._active.clear()
            else:
                self._active.pop(club, None)

    def all(self) -> dict[str, Fault]:
        """Those that are on, by club."""
        with self._lock:
            return {club: active.fault for club, active in self._active.items()}

    def take(self, club: str, page: int) -> Fault | None:
        """The fault that hits this request for a page, counted as a hit."""
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
    """What is answered in place of the ERP; None where the fault changes the ERP's own answer."""
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


#: JSON of HTTP status 200 that is none, or is not what it says.
_NO_JSON = {
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
    body = _NO_JSON.get(kind)
    return None if body is None else Response(body, media_type="application/json")


def truncated(body: bytes) -> Response:
    """An answer of which the second half is missing, though it says that it is whole."""
    return Response(body[: len(body) // 2], media_type="application/json")


def _throttled(headers: dict[str, str]) -> Response:
    return JSONResponse({"error": "TOO_MANY_REQUESTS"}, 429, headers=headers)


def _now() -> datetime:
    return datetime.now(UTC)
