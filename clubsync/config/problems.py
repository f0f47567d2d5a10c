"""What is wrong with settings, as sentences that name the setting, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from connectors.sdk.messages import message

#: What a setting has to be, by the type that pydantic names.
_WANTED = {
    "string": message("has to be a text"),
    "int": message("has to be a whole number"),
    "float": message("has to be a number"),
    "bool": message("has to be true or false"),
    "list": message("has to be a list"),
    "tuple": message("has to be a list"),
    "set": message("has to be a list"),
    "frozen_set": message("has to be a list"),
    "dict": message("has to be a mapping"),
    "model": message("has to be a mapping"),
}


def problems_of(
    path: Path, error: ValidationError, node: Any, where: str, model: type[BaseModel]
) -> list[str]:
    """One sentence per problem, with its line."""
    found = []
    for detail in error.errors():
        setting, said = wrong_setting(detail, model)
        line = line_of(node, detail["loc"])
        found.append(
            message(f"{path}, line {line}, {where}: {setting}: {said}")
            if setting
            else in_club(path, line, where, said)
        )
    return found


def in_club(path: Path, line: int, where: str, said: str) -> str:
    return message(f"{path}, line {line}, {where}: {said}")


def at_line(path: Path, line: int, said: str) -> str:
    return message(f"{path}, line {line}: {said}")


def sentence(problems: Sequence[str]) -> str:
    """What is wrong, as one sentence; it may end with a suggestion."""
    return "; ".join(problems) + ("" if problems[-1].endswith("?") else ".")


def wrong_setting(detail: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """Which setting is wrong, "" where the sentence names it itself; and what is wrong with it.

    :param detail: one of pydantic's errors.
    :param model: what was validated.
    """
    at = tuple(detail["loc"])
    places = list(_below(model, at))
    # the kind of what has several kinds is in pydantic's path, and not in the file
    name = ".".join(str(part) for part, is_setting, _ in places if is_setting)
    if detail["type"] == "missing":
        return "", message(f"{name} is required")
    if detail["type"] == "extra_forbidden":
        above = ".".join(str(part) for part, is_setting, _ in places[:-1] if is_setting)
        keys = _keys_of(places[-2][2]) if len(places) > 1 else _keys_of([model])
        return above, unknown_setting(str(at[-1]), keys)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key = str(detail["ctx"]["discriminator"]).strip("'")
        if detail["type"] == "union_tag_not_found":
            return "", message(f"{name}.{key} is required")
        allowed = str(detail["ctx"]["expected_tags"])
        return f"{name}.{key}", _one_of(allowed, str(detail["ctx"]["tag"]))
    return name, _reason(detail)


def _reason(detail: Mapping[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    for ending in ("_type", "_parsing"):
        if kind.endswith(ending) and (wanted := _WANTED.get(kind.removesuffix(ending))):
            return wanted
    match kind:
        case "literal_error" | "enum":
            return _one_of(str(context["expected"]).replace(" or ", ", "), str(detail["input"]))
        case "greater_than_equal":
            return message(f"has to be at least {context['ge']}")
        case "less_than_equal":
            return message(f"has to be at most {context['le']}")
        case "string_pattern_mismatch":
            return message(f"has to match the pattern {context['pattern']}")
        case _:
            return str(detail["msg"]).removeprefix("Value error, ")


def _one_of(allowed: str, written: str) -> str:
    """:param allowed: the words, as pydantic lists them: in quotes."""
    similar = get_close_matches(written, re.findall(r"'([^']*)'", allowed), n=1)
    return message(f"has to be one of {allowed}") + _instead(similar)


def _below(
    model: type[BaseModel], path: tuple[Any, ...]
) -> Iterator[tuple[Any, bool, list[type[BaseModel]]]]:
    """Each part of pydantic's path: the part, whether the file has it (the kind of what has several kinds it has not),
    and the models that there may be below it."""
    models = [model]
    for part in path:
        kinds = {kind: one for one in models for kind in _kinds(one)}
        if part in kinds and len(models) > 1:
            models = [kinds[part]]
            yield part, False, models
            continue
        if not isinstance(part, int):  # of a list the item is what the list has
            known = [
                field
                for one in models
                for name, field in one.model_fields.items()
                if part in (name, field.alias)
            ]
            models = list(dict.fromkeys(m for field in known for m in _models(field.annotation)))
        yield part, True, models


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    """The words by which a model is told from others, if it is one of several."""
    known = model.model_fields.get("kind")
    return get_args(known.annotation) if known is not None else ()


def _keys_of(models: Iterable[type[BaseModel]]) -> list[str]:
    """The keys that there may be in one of these models."""
    found = [known.alias or name for one in models for name, known in one.model_fields.items()]
    return list(dict.fromkeys(found))


def _instead(similar: Sequence[str]) -> str:
    return "; " + message(f"did you mean `{similar[0]}`?") if similar else ""


def unknown_setting(key: str, known: Iterable[str]) -> str:
    return message(f"unknown setting `{key}`") + _instead(get_close_matches(key, known, n=1))


def line_of(root: Any, loc: tuple[Any, ...]) -> int:
    """The line, counted from 1, of the innermost key of `loc` that the file has."""
    node: Any = root
    line = (getattr(getattr(node, "lc", None), "line", 0) or 0) + 1
    for part in loc:
        marks = getattr(node, "lc", None)
        if marks is None:
            break
        try:
            at = marks.key if isinstance(node, dict) else marks.item
            line = at(part)[0] + 1
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return int(line)
