"""Pages from templates, in the reader's language and on the club's clock; and the result of the last action."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from clubsync import clock
from connectors.sdk.visible import visible
from plugins.web import i18n
from plugins.web.auth import User
from plugins.web.context import Club, OpenClub
from plugins.web.errors import PAGES, ProblemError
from plugins.web.pages import charts
from plugins.web.services import actions, runs

WEB = Path(__file__).parents[1]
STATIC = StaticFiles(directory=WEB / "static")
PATIENCE = 600
"""Seconds until a run that does not start is reported as such."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)


def render(
    request: Request,
    template: str,
    user: User | None,
    *,
    club: OpenClub | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page, or a part of one.

    :param club: the club of the page; its times are on that club's clock.
    """
    root = _root(request)
    html = (
        _templates()
        .get_template(template)
        .render(
            root=root,
            pages=root + PAGES,
            airflow=airflow_address(request),
            log_in=log_in_address(request),
            path=request.url.path,
            query=dict(request.query_params),
            with_query=_with_query(request),
            voice=i18n.Voice(i18n.language_of(request), club.config.zone if club else None),
            user=user,
            club=club,
            now=clock.now(),
            status=status,
            act=None if club is None else _last_action(request, club),
            **context,
        )
    )
    return HTMLResponse(
        html,
        status,
        headers={
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Cookie, Accept-Language, HX-Request",
        },
    )


def is_part(request: Request, target: str) -> bool:
    """Whether only one element of the page is wanted, by its id."""
    return request.headers.get("hx-target") == target


def error_page(request: Request, status: int, title: str, detail: str) -> HTMLResponse:
    return render(request, "error.html", None, status=status, title=title, detail=detail)


def back(request: Request, club: Club, act: actions.Act, to: str = "") -> RedirectResponse:
    """To a page of the club, which shows the result of the action."""
    joined = "&" if "?" in to else "?"
    return RedirectResponse(
        f"{_root(request)}{PAGES}/clubs/{club.id}{to}{joined}act={act.act}", status_code=303
    )


def person_path(erp_id: str, customer: str) -> str:
    """The page about a person, below their club's; "": neither id is given."""
    if erp_id:
        return f"/person?{urlencode({'erp_id': erp_id})}"
    return f"/person?{urlencode({'customer': customer})}" if customer.isdecimal() else ""


def to_the_clubs(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{_root(request)}{PAGES}/clubs", status_code=307)


def progress(club: OpenClub, act: actions.Act) -> dict[str, Any]:
    """An action, the run that it started, and whether that is awaited."""
    started = act.detail.get("airflow_run")
    run = runs.of_airflow(club, started) if started else None
    if run is not None:  # a first sync takes up to an hour
        waits = run.state == "running"
    else:
        waits = bool(started) and (clock.now() - act.at).total_seconds() < PATIENCE
    return {"act": act, "run": run, "waits": waits}


def _last_action(request: Request, club: OpenClub) -> dict[str, Any] | None:
    """The action that led to this page."""
    number = request.query_params.get("act", "")
    if not number.isdecimal() or len(number) > 18:
        return None
    try:
        return progress(club, actions.found(club, int(number)))
    except ProblemError:
        return None


def address(request: Request) -> str:
    """The path of the pages."""
    return _root(request) + PAGES


def airflow_address(request: Request) -> str:
    """The path of Airflow's own pages."""
    return _root(request).removesuffix("/clubsync")


def log_in_address(request: Request) -> str:
    """Where Airflow leads to the login of its auth manager, which leads back to this page."""
    address = f"{airflow_address(request)}/api/v2/auth/login"
    if request.method != "GET":
        return address
    query = request.url.query
    here = f"{request.url.path}?{query}" if query else request.url.path
    return f"{address}?{urlencode({'next': here})}"


def _root(request: Request) -> str:
    root: str = request.scope.get("root_path", "")
    return root


def _with_query(request: Request) -> Callable[..., str]:
    """Makes addresses of this page with other filters; None removes one."""

    def made(**other: Any) -> str:
        values = {**request.query_params, **other}
        values.pop("act", None)
        kept = {k: v for k, v in values.items() if v not in (None, "")}
        return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path

    return made


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the i18n extension adds it
        _gettext, _ngettext, newstyle=True
    )
    environment.globals["ngettext"] = _ngettext  # in place of one that leaves the number as it is
    environment.filters["exact"] = _Exact.escape
    environment.filters["capitalized"] = _capitalized
    environment.globals.update(texts=i18n, spark=charts.spark, static=_static)
    return environment


def _capitalized(text: str) -> str:
    """With a capital first letter; the others stay as they are."""
    return text[:1].upper() + text[1:]


def _seen(value: Any) -> Any:
    """What an ERP wrote, as text that can be seen and reverses no other (R19); `exact` leaves a value as it is."""
    if not isinstance(value, str) or isinstance(value, _Exact):
        return value
    if not isinstance(value, Markup):
        return visible(value)
    # of a macro or a sentence of the catalogue: its lines are the template's
    return (
        value
        if value.replace("\n", "").isprintable()
        else Markup("\n").join(map(_line, value.split("\n")))
    )


def _line(markup: str) -> Markup:
    # only characters that mean nothing in HTML become others
    return Markup(visible(markup))  # noqa: S704  # it was markup before


class _Exact(Markup):
    """A value as it is, escaped: for what a form sends back."""


@pass_context
def _gettext(context: Context, text: str) -> str:
    voice: i18n.Voice = context["voice"]
    return str(voice.gettext(text))


@pass_context
def _ngettext(context: Context, one: str, many: str, n: int, **values: Any) -> str:
    """Its number is written as the reader's language writes numbers."""
    voice: i18n.Voice = context["voice"]
    text = voice.ngettext(one, many, n)
    return Markup(text) % {"num": voice.number(n), **values}  # noqa: S704  # of the catalogue; values are escaped


@functools.cache
def _static(name: str) -> str:
    """The path of a file, with a hash of its content: browsers may cache it without limit."""
    content = (WEB / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
