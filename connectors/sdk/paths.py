"""Where in an answer a thing stands: dotted paths, and JMESPath where dots are not enough.

`contact.email` and `emails.0.value` are walked here, key by key, and tell a key that is not there (`MISSING`)
from one that is empty. Anything else is JMESPath (https://jmespath.org): `emails[?primary].value | [0]`,
`@` for the thing itself; there what is not found is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator

from connectors.sdk.errors import ContractChanged


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


#: No such key.
MISSING: Final = _Missing()

Getter = Callable[[Any], Any]

_PLAIN = re.compile(r"[\w$:@-]+(\.[\w$:@-]+)*")
#: What the name of a field looks like, unlike a key that is itself data (an id, an email, a name in full).
_NAME = re.compile(r"[@$_A-Za-z][A-Za-z0-9_$:-]{0,60}")
_SAMPLE = 200
_DEEPEST = 4


@lru_cache(maxsize=1024)
def getter(path: str) -> Getter:
    """The function that takes the thing at that path out of an answer.

    :raises ValueError: it is no path.
    """
    if path in ("", "@"):
        return lambda thing: thing
    if _PLAIN.fullmatch(path):
        return _walker(path.split("."))
    try:
        compiled = jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(f"{path!r} is no path: {str(error).splitlines()[0]}") from None

    def search(thing: Any) -> Any:
        try:
            return compiled.search(thing)
        except JMESPathError:
            # a function that was given another type than it takes
            raise ContractChanged(
                "A path of the settings does not fit the ERP's answer.",
                remedy=f"Correct the path {path}.",
            ) from None

    return search


def _walker(keys: Sequence[str]) -> Getter:
    def walk(thing: Any) -> Any:
        for key in keys:
            if isinstance(thing, dict):
                thing = thing.get(key, MISSING)
            elif isinstance(thing, list) and key.isdecimal():
                thing = thing[int(key)] if int(key) < len(thing) else MISSING
            else:
                return thing if thing is None else MISSING
            if thing is MISSING:
                return MISSING
        return thing

    return walk


def _is_path(value: str) -> str:
    getter(value.strip())
    return value.strip()


#: A path, checked when the settings are read.
Path = Annotated[str, AfterValidator(_is_path)]


def text(value: Any, setting: str) -> str | None:
    """A value as text: yes and no as `true` and `false`, whole numbers without a point, nothing as None.

    :param setting: whose path led here, for the sentence.
    :raises ContractChanged: a list or an object.
    """
    if value is None or value is MISSING:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    kind = "a list" if isinstance(value, list) else "an object"
    inside = value[0] if isinstance(value, list) and value else value
    raise ContractChanged(
        f"What settings: {setting} leads to is {kind}, not a text{_having(inside)}.",
        remedy="Name one thing in it, such as contact.email, or emails[0].value of a list.",
    )


def described(thing: Any) -> str:
    """What is there, by the names of its keys: for sentences, without a value (R19)."""
    if isinstance(thing, list):
        return f"a list of {len(thing)}"
    if isinstance(thing, dict):
        found = names(thing)
        return f"an object with {', '.join(found)}" if found else "an object"
    return "nothing" if thing is None else f"a {type(thing).__name__}"


def names(thing: Any, most: int = 20) -> list[str]:
    """The keys of an object that look like names of fields."""
    if not isinstance(thing, dict):
        return []
    found = [key for key in thing if _NAME.fullmatch(key)]
    return found[:most] + (["…"] if len(found) > most else [])


def _having(thing: Any) -> str:
    found = names(thing)
    return f" (it has {', '.join(found)})" if found else ""


def columns(records: Sequence[Any]) -> list[str]:
    """The dotted paths of all that some records hold, in the ERP's own order; `[]` marks a list."""
    found: dict[str, None] = {}
    for record in records[:_SAMPLE]:
        for path in _paths(record, "", 0):
            found.setdefault(path)
            if len(found) >= _SAMPLE:
                return list(found)
    return list(found)


def _paths(thing: Any, above: str, deep: int) -> Iterator[str]:
    if isinstance(thing, dict) and deep < _DEEPEST:
        for key, value in thing.items():
            if _NAME.fullmatch(key):
                yield from _paths(value, f"{above}.{key}" if above else key, deep + 1)
    elif isinstance(thing, list) and thing and isinstance(thing[0], dict) and deep < _DEEPEST:
        for one in thing[:5]:
            yield from _paths(one, f"{above}[]", deep + 1)
    elif above:
        yield above
