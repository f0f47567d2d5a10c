"""Markdown of the documentation as HTML, with our own buttons and links where its steps name them.

Raw HTML in a document is shown as text. Links lead to pages of ours, to other sites, or are left out.
"""

from __future__ import annotations

import functools
import itertools
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from plugins.web.services.runbooks import CITED, Document

_MARK = "\x00"
_RUNBOOK = re.compile(r"docs/runbooks/(?:\w\w/)?([a-z-]+)\.md")


@dataclass(frozen=True)
class Step:
    """What a step of a runbook names, as *Sync now*.

    :param action: a button of the club's, which stands below the step.
    :param href: a page that the name leads to; outside: it is one of Airflow's.
    """

    action: str | None = None
    href: str | None = None
    outside: bool = False


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def parts(
    document: Document, *, pages: str, club: str | None = None, steps: Mapping[str, Step]
) -> list[Markup | str]:
    """The document in parts: its HTML as Markup, and between them the actions of its steps.

    :param pages: the address of the pages.
    :param club: the id of the club that it is read for: it stands where a command says `<club>`.
    :param steps: what may be named in italics in a step.
    """
    text = document.text
    if club is not None:
        text = text.replace("<club>", club)
    below = f"{pages}/clubs/{club}" if club else pages
    found: list[Token] = []
    waiting: list[str] = []
    depth = 0
    for token in _markdown().parse(text):
        depth += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type == "list_item_close" and not depth:
            found += [_action(name) for name in dict.fromkeys(waiting)]
            waiting = []
        if token.type == "inline":
            token.children = _inline(token.children or [], document.path, pages, below)
            waiting += _named(token, steps) if depth else []
        found.append(token)
    _anchors(found)
    html = _markdown().renderer.render(found, _markdown().options, {})
    return [
        piece if place % 2 else Markup(piece)  # noqa: S704  # rendered with raw HTML escaped
        for place, piece in enumerate(html.split(_MARK))
    ]


def _action(name: str) -> Token:
    return Token("html_block", "", 0, content=f"{_MARK}{name}{_MARK}")


def _inline(children: list[Token], path: str, pages: str, below: str) -> list[Token]:
    """Its links lead to our pages; a picture is its description."""
    found: list[Token] = []
    for token in children:
        if token.type == "image":
            found.append(Token("text", "", 0, content=token.content))
            continue
        if token.type == "link_open":
            token.attrs = _link(str(token.attrs["href"]), path, pages, below)
            if not token.attrs:
                token.tag = "span"
        elif token.type == "link_close" and found:
            opened = next(one for one in reversed(found) if one.type == "link_open")
            token.tag = opened.tag
        found.append(token)
    return found


def _link(href: str, path: str, pages: str, below: str) -> dict[str, str | int | float]:
    """The attributes of a link; none: it leads to nothing that we show."""
    if href.startswith("https://"):
        return {"href": href, "data-airflow-link": ""}
    where, _, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), where)) if where else path
    hash_ = f"#{anchor}" if anchor else ""
    if match := _RUNBOOK.fullmatch(target):
        return {"href": f"{below}/runbooks/{match[1]}{hash_}"}
    if target in CITED:
        return {"href": f"{pages}/docs/{target.removesuffix('.md')}{hash_}"}
    return {}


def _named(token: Token, steps: Mapping[str, Step]) -> list[str]:
    """The actions that a step names; what it names of pages becomes a link."""
    children = token.children or []
    actions = []
    for place, child in enumerate(children[:-2]):
        if child.type != "em_open" or children[place + 2].type != "em_close":
            continue
        step = steps.get(children[place + 1].content)
        if step is None:
            continue
        if step.action:
            actions.append(step.action)
        if step.href:
            child.tag = children[place + 2].tag = "a"
            child.attrs = {"href": step.href, **({"data-airflow-link": ""} if step.outside else {})}
    return actions


def _anchors(tokens: list[Token]) -> None:
    """Headings get the anchors that GitHub gives them."""
    for opened, inline in itertools.pairwise(tokens):
        if opened.type == "heading_open":
            plain = "".join(child.content for child in inline.children or [])
            opened.attrs["id"] = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
