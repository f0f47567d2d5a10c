"""Two clubs with the people of the canary: one on a simulated ERP that may say anything, one read from a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox import courtside
from tests.support.canary import MARKED, PERSON, SECRETS, WORDS

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "rest-courtside.yaml"
API, DROP = "canary-api", "canary-drop"
HEADER = ["id", "email", "first", "last", "phone", "born", "status", "groups", "from"]
TOLD = json.dumps([dict(PERSON), SECRETS["password"], dict(MARKED)], ensure_ascii=False)
MOUTHY: dict[str, Callable[[], Response]] = {
    "status 400": lambda: Response(TOLD, 400),
    "status 401": lambda: Response(
        TOLD, 401, {"WWW-Authenticate": f'Basic realm="{SECRETS["password"]}"'}
    ),
    "status 403": lambda: Response(TOLD, 403),
    "status 404": lambda: Response(TOLD, 404),
    "status 500": lambda: Response(TOLD, 500),
    "not JSON": lambda: Response(f"{PERSON['email']} is not JSON"),
    "a page": lambda: Response(
        f"<html><title>{PERSON['email']}</title></html>", media_type="text/html"
    ),
    "keys": lambda: JSONResponse(
        {PERSON["email"]: {PERSON["first name"]: 1}, PERSON["last name"]: []}
    ),
    "a list in place of an object": lambda: JSONResponse([PERSON["email"]]),
    "an error in 200": lambda: JSONResponse(
        {"ok": False, "error": {"code": PERSON["email"], "text": TOLD}}
    ),
    "an object in place of rows": lambda: JSONResponse(
        {"ok": True, "people": {PERSON["email"]: TOLD}}
    ),
    "rows with other keys": lambda: JSONResponse(
        {"ok": True, "of": 1, "people": [{PERSON["email"]: 1, PERSON["last name"]: 2}]}
    ),
    "a redirect": lambda: Response(
        status_code=302, headers={"Location": f"https://evil.example/?who={PERSON['email']}"}
    ),
    "a wait": lambda: Response(TOLD, 429, {"Retry-After": PERSON["email"]}),
    "an odd type": lambda: Response(TOLD, 200, media_type=f"text/{PERSON['email']}"),
    "an odd compression": lambda: Response(TOLD, 200, {"Content-Encoding": PERSON["email"]}),
    "an odd total": lambda: JSONResponse({"ok": True, "of": PERSON["email"], "people": []}),
}
"""What an ERP may answer that quotes what it knows, or what it was sent."""


@dataclass
class Talkative:
    """An ERP that answers its pages of people with something else, if it is told to."""

    app: ASGIApp
    instead: Callable[[], Response] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.instead is not None and scope["path"].endswith("/people"):
            await self.instead()(scope, receive, send)
            return
        await self.app(scope, receive, send)


def people(place: courtside.Place) -> None:
    """Put the person, the one of markup, and others into the ERP."""
    other = [
        (n, f"p{n}@example.com", f"First{n}", f"Last{n}", "0612345678", "member")
        for n in range(3, 9)
    ]
    marked = [MARKED[f"marked {name}"] for name in ("email", "first name", "last name", "phone")]
    place.people = [
        {
            "no": no,
            "names": {"given": first, "family": last},
            "mail": mail,
            "mobile": phone,
            "state": state,
            "head_of_family": None,
            "merged_into": None,
            "joined": 1_790_000_000,
            "touched": 1_790_000_000,
            PERSON["email"]: PERSON["last name"],
        }
        for no, mail, first, last, phone, state in [
            (
                1,
                PERSON["email"],
                PERSON["first name"],
                PERSON["last name"],
                f"+33{PERSON['phone']}",
                "member",
            ),
            (2, *marked, WORDS["status"]),
            *other,
        ]
    ]
    place.passes = [
        {"id": n, "person": n, "plan": "G", "first_day": "2026-01-01", "last_day": None}
        for n in range(1, 9)
    ]
    place.plans = [{"code": "G", "title": WORDS["group"], "sold": True}]


def rows(*, status: str = "active") -> list[list[str]]:
    """The same people, and more like them, as an export has them."""
    marked = [
        MARKED[f"marked {n}"]
        for n in ("ERP id", "email", "first name", "last name", "phone", "birth date")
    ]
    one = [PERSON[n] for n in ("email", "first name", "last name", "phone", "birth date")]
    return [
        [WORDS["ERP id"], *one[:3], f"+33{one[3]}", one[4], status, WORDS["group"], "2026-01-01"],
        [*marked, WORDS["status"], WORDS["group"], MARKED["marked birth date"]],
        [
            "3",
            PERSON["email"],
            "Twin",
            PERSON["last name"],
            "",
            PERSON["birth date"],
            "active",
            "",
            "",
        ],
        ["", PERSON["email"], *one[1:3], "", "", "active", "", ""],
        *[
            [
                str(n),
                f"d{n}@example.com",
                f"First{n}",
                f"Last{n}",
                "",
                "",
                status,
                WORDS["group"],
                "",
            ]
            for n in range(4, 9)
        ],
    ]


def write(path: Path, table: list[list[str]], header: list[str] | None = HEADER) -> None:
    """Write an export.

    :param header: None: it has none, so that its first line is a person's.
    """
    path.parent.mkdir(exist_ok=True)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([*([header] if header else []), *table])
    path.write_text(text.getvalue(), newline="")


def clubs() -> list[dict[str, Any]]:
    """Their entries in clubs.yaml: one is read over HTTP, one from a file."""
    yaml = YAML(typ="safe")
    rest = yaml.load(EXAMPLE.read_text())["settings"]
    rest["http"] = {"attempts": 2, "backoff": 0.01, "longest_wait": 0.1, "max_seconds": 20}
    guard = {"share": 0.1, "at_least": 0, "at_most": 0}
    fields = (
        "id",
        "email",
        "first_name",
        "last_name",
        "phone",
        "birth_date",
        "status",
        "groups",
        "valid_from",
    )
    drop = {
        "customers": "customers.csv",
        "active_status": ["active"],
        "inactive_status": ["left"],
        "fields": dict(zip(fields, HEADER, strict=True)),
    }
    return [
        {
            "id": API,
            "name": "Api Club",
            "erp": "rest",
            "connection": "canary_api",
            "guard": guard,
            "settings": rest,
        },
        {
            "id": DROP,
            "name": "Drop Club",
            "erp": "csv",
            "connection": "canary_drop",
            "guard": guard,
            "settings": drop,
        },
    ]
