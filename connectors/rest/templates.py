"""Placeholders in the parameters and the body of a request: `{offset}`, `{page}`, `{size}`, `{cursor}`, `{since}`.

A text that is one placeholder becomes its value, a number if it is one (`{"first": "{size}"}` sends 100, not "100");
inside a longer text the value is written as text. What has no value, as the cursor of the first page, or the moment
when everything is read, is omitted with its key, and so is an object or a list that has nothing else: that is what
APIs mean by a variable that is not set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from connectors.sdk.paths import MISSING

_PLACE: Final = re.compile(r"\{(offset|page|size|cursor|since)\}")
#: A value of the connection in a setting: `{login}`, `{password}`, `{extra.tenant}`.
PART: Final = re.compile(r"\{(login|password|extra\.[\w.-]+)\}")
_EITHER: Final = re.compile(f"{_PLACE.pattern}|{PART.pattern}")

Values = Mapping[str, Hashable]


def places(template: Any) -> frozenset[str]:
    """The names of the placeholders in a template, at any depth."""
    if isinstance(template, str):
        return frozenset(_PLACE.findall(template))
    return frozenset().union(*(places(inner) for _, inner in _filled_parts(template)))


def filled(template: Any, values: Values, part: Callable[[str], str]) -> Any:
    """A template with values in it; `paths.MISSING`: nothing is left of it.

    :param values: placeholder -> value; one that is missing or None has none.
    :param part: name of a value of the connection -> the value.
    """
    if isinstance(template, str):
        return _text(template, values, part)
    parts = {key: filled(inner, values, part) for key, inner in _filled_parts(template)}
    if not parts:
        return template
    kept: Any
    if isinstance(template, list):
        kept = [
            value
            for at, inner in enumerate(template)
            if (value := parts.get(at, inner)) is not MISSING
        ]
    else:
        kept = {
            key: value
            for key, inner in template.items()
            if (value := parts.get(key, inner)) is not MISSING
        }
    return kept or MISSING


def _filled_parts(template: Any) -> list[tuple[Any, Any]]:
    """Key and value of the parts that may have placeholders: all but a GraphQL document, whose braces are its own."""
    if isinstance(template, list | tuple):
        return list(enumerate(template))
    if isinstance(template, dict):
        document = "query" if "variables" in template else None
        return [(key, value) for key, value in template.items() if key != document]
    return []


def _text(template: str, values: Values, part: Callable[[str], str]) -> Any:
    found = _PLACE.findall(template)
    if any(values.get(name) is None for name in found):
        return MISSING
    if _PLACE.fullmatch(template):
        return values[found[0]]
    # at once: a value is never read as a template, whoever wrote it
    return _EITHER.sub(lambda at: str(values[at[1]]) if at[1] else part(at[2]), template)
