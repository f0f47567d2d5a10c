"""docs/connectors.md: which check every connector passes, which mean nothing to it and why, what is inferred.

`make connectors` runs the suite and writes the page if all of it is green; test_table.py says when that is due.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from connectors.registry import CONNECTORS, connector_class
from tests.contract.case import ConnectorCase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "connectors.md"

_SECTION = re.compile(r"^# (\S.*?) -{5,}$", re.MULTILINE)
_INFERRED = re.compile(r"\[inf\] (.*)")

HEAD = """\
# Connectors and the contract

Written by `make connectors` after a green run of the contract suite (`tests/contract`), which every connector
gets by declaring itself; not edited by hand.

✓ the connector passes the check; ✓* it does, and what its ERP does there is our inference, written nowhere
(see below); – the check means nothing to it, for the reason below.
"""


def sections(module: ModuleType) -> list[tuple[str, list[str]]]:
    """The suite's checks, in order, under the headings of its source."""
    source = inspect.getsource(module)
    heads = [(m.start(), m[1]) for m in _SECTION.finditer(source)]
    ends = [at for at, _ in heads[1:]] + [len(source)]
    out = []
    for (at, title), end in zip(heads, ends, strict=True):
        names = re.findall(r"^def test_(\w+)\(", source[at:end], re.MULTILINE)
        names = [n for n in names if is_check(_check(module, n))]
        if names:
            out.append((title, names))
    return out


def is_check(function: Callable[..., Any]) -> bool:
    """Whether it is held against every connector."""
    return "case" in inspect.signature(function).parameters


def _check(module: ModuleType, name: str) -> Callable[..., Any]:
    check: Callable[..., Any] = getattr(module, f"test_{name}")
    return check


def page(cases: Sequence[ConnectorCase], module: ModuleType) -> str:
    """The page as it should be."""
    cases = sorted(cases, key=lambda case: case.label)
    parts = [HEAD]
    for title, names in sections(module):
        rows = [
            [
                f"*{_plain(name)}*: {_sentence(_check(module, name))}",
                *(_cell(case, name) for case in cases),
            ]
            for name in names
        ]
        parts.append(_table([title, *(f"`{case.label}`" for case in cases)], rows))
    parts += [_about(case) for case in cases]
    return "\n".join(parts)


def _sentence(check: Callable[..., Any]) -> str:
    doc = inspect.getdoc(check) or ""
    return " ".join(doc.split()).replace("|", "\\|")


def _cell(case: ConnectorCase, name: str) -> str:
    if name in case.reasons():
        return "–"
    return "✓*" if name in case.inferred else "✓"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *(":-:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _about(case: ConnectorCase) -> str:
    cls = connector_class(case.name)
    lines = [f"## {cls.title} (`{case.label}`)\n", f"Checked against {case.against}.\n"]
    if case.inferred:
        lines.append("Of the checks, inferred:\n")
        lines += [f"- *{_plain(name)}*: {why}" for name, why in case.inferred.items()]
        lines.append("")
    if found := inferred(case.name):
        lines.append("Inferred, as its module says:\n")
        lines += [f"- {one}" for one in found]
        lines.append("")
    if reasons := case.reasons():
        lines.append("Not applicable:\n")
        by_reason: dict[str, list[str]] = {}
        for name, why in reasons.items():
            by_reason.setdefault(why, []).append(_plain(name))
        lines += [f"- *{', '.join(names)}*: {why}" for why, names in by_reason.items()]
        lines.append("")
    return "\n".join(lines)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def inferred(name: str) -> list[str]:
    """What the connector's module marks as inferred, a sentence or more each."""
    module = import_module(CONNECTORS[name].partition(":")[0])
    found: list[str] = []
    inside = False
    for line in (inspect.getdoc(module) or "").splitlines():
        mark = _INFERRED.match(line.strip().removeprefix("- "))
        if mark:
            found.append(mark[1])
        elif inside and line.strip() and not line.startswith("- "):
            found[-1] += f" {line.strip()}"
        inside = bool(mark) or (inside and bool(line.strip()) and not line.startswith("- "))
    return [one.rstrip(";") for one in found]
