"""Collect every text that is translated, and bring `clubsync/locale/fr.po` up to date with the code.

`python -m stack.translations` adds new texts (a test fails until they are translated) and removes those that are no
longer used. How texts are marked, and what a message is: `clubsync.i18n`.

Messages need no mark where they are made: they are what errors are raised with, default remedies, what is appended
to `doubts`, and what a test of a connection answers. Those that are made elsewhere are marked by `message(…)`. An
f-string becomes a template with numbered placeholders; a choice within it (`x if y else z`) becomes two messages.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from clubsync.i18n import CATALOGUES, LANGUAGES, MESSAGE

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("clubsync", "connectors", "plugins")
ERRORS = frozenset({"SyncError", "ConnectorError", "ProblemError"})
"""Whoever derives from these says messages."""
MARK = "message"
RESULTS = frozenset({"check", "test_connection", "describe_folder"})
"""Functions that answer with a message: tests of a connection."""
NOT_SAID = frozenset({"retry_after", "status"})


@dataclass
class Text:
    """A text to translate.

    :param id: the English; of a plural, both forms.
    :param comments: what the placeholders of a message stand for.
    """

    id: str | tuple[str, ...]
    context: str | None = None
    places: list[tuple[str, int]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


def collect(root: Path = ROOT) -> list[Text]:
    """Every text of the program, in order of files."""
    found: dict[tuple[str | None, str | tuple[str, ...]], Text] = {}
    for text in (*_marked(root), *_advice(root), *_messages(root)):
        known = found.setdefault((text.context, text.id), text)
        if known is not text:
            known.places += [place for place in text.places if place not in known.places]
    return list(found.values())


def _marked(root: Path) -> Iterator[Text]:
    """What `_()` and `plural()` mark in code, and Jinja's i18n in templates."""
    for package in PACKAGES:
        for file, line, message, comments, context in extract_from_dir(
            str(root / package),
            method_map=[
                ("**/templates/**.html", "jinja2.ext:babel_extract"),
                ("**/templates/**.txt", "jinja2.ext:babel_extract"),
                ("**.py", "python"),
            ],
            keywords={"_": None, "gettext": None, "ngettext": (1, 2), "plural": (1, 2)},
        ):
            place = (f"{package}/{file}", line)
            yield Text(message, context, [place], list(comments))


def _advice(root: Path) -> Iterator[Text]:
    """What the suites advise, and why records look alike."""
    for path in sorted((root / "expectations").glob("*.json")):
        for text in _prose(json.loads(path.read_text(encoding="utf-8"))):
            yield Text(text, None, [(path.relative_to(root).as_posix(), 1)])


def _prose(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _prose(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "advice":
                yield value
            elif key in ("about", "reasons") and isinstance(value, dict):
                yield from value.values()
            else:
                yield from _prose(value)


# --- messages ---------------------------------------------------------------------------------


def _messages(root: Path) -> Iterator[Text]:
    trees = {
        path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    errors = error_classes(trees.values())
    for file, tree in trees.items():
        known = constants(tree)
        for node in said(tree, errors):
            yield from texts_of(node, file, known)


def error_classes(trees: Iterable[ast.Module]) -> frozenset[str]:
    """Names of the classes whose arguments are messages."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = set(ERRORS)
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found)


def said(tree: ast.Module, errors: frozenset[str]) -> Iterator[ast.expr]:
    """The expressions of a module that are messages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in errors | {MARK} or name.split(".")[-2:] == [
                "doubts",
                "append",
            ]:
                yield from node.args
                yield from (k.value for k in node.keywords if k.arg not in NOT_SAID)
        elif isinstance(node, ast.FunctionDef) and node.name in RESULTS:
            yield from (n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value and any(
                isinstance(t, ast.Name) and t.id == "default_remedy" for t in targets
            ):
                yield node.value


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module has names for."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def texts_of(node: ast.expr, file: str, known: Mapping[str, str]) -> Iterator[Text]:
    """The messages that an expression may be; none where it is somebody else's message.

    :param known: texts that have names.
    """
    for parts in variants(node, known):
        if not any(c.isalpha() for part in parts if isinstance(part, str) for c in part):
            continue
        id_, comments = "", list[str]()
        for part in parts:
            if isinstance(part, str):
                id_ += part
            else:
                id_ += f"{{{len(comments)}}}"
                comments.append(f"{{{len(comments)}}}: {part.what}")
        yield Text(id_, MESSAGE, [(file, node.lineno)], comments)


@dataclass(frozen=True)
class Value:
    """A part of a message that varies: the expression that it is made by."""

    what: str


Parts = tuple[str | Value, ...]


def variants(node: ast.expr, known: Mapping[str, str]) -> list[Parts]:
    """What a string expression may say: literal parts, and those that vary."""
    match node:
        case ast.Constant(value=str(text)):
            return [_fields(text)]
        case ast.Name(id=name) if name in known:
            return [(known[name],)]
        case ast.IfExp():
            return [*variants(node.body, known), *variants(node.orelse, known)]
        case ast.BinOp(op=ast.Add()):
            both = product(variants(node.left, known), variants(node.right, known))
            return [(*left, *right) for left, right in both]
        case ast.JoinedStr():
            every = [
                [(str(part.value),)] if isinstance(part, ast.Constant) else variants(part, known)
                for part in node.values
            ]
            return [tuple(p for parts in chosen for p in parts) for chosen in product(*every)]
        case ast.FormattedValue(value=value) if _is_wording(value, known):
            return variants(value, known)
        case ast.FormattedValue(value=value):
            return [(Value(ast.unparse(value)),)]
        case _:
            return [(Value(ast.unparse(node)),)]


def _fields(text: str) -> Parts:
    """A text, or a template of `str.format`: `{name}` varies."""
    parts = re.split(r"\{(\w*(?::\w+)?)\}", text)
    return tuple(
        part if place % 2 == 0 else Value(part) for place, part in enumerate(parts) if part
    )


def _is_wording(node: ast.expr, known: Mapping[str, str]) -> bool:
    """Whether an expression in a message is text of the message itself, rather than a value."""
    if isinstance(node, ast.IfExp):
        return _is_wording(node.body, known) and _is_wording(node.orelse, known)
    return isinstance(node, ast.Constant | ast.JoinedStr) or (
        isinstance(node, ast.Name) and node.id in known
    )


# --- the catalogue ----------------------------------------------------------------------------


def path_of(language: str) -> Path:
    return CATALOGUES / f"{language}.po"


def read(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language, domain="clubsync")


def update(language: str, texts: Iterable[Text]) -> Catalog:
    """Write the catalogue with exactly these texts; translations are kept."""
    template = Catalog(domain="clubsync", fuzzy=False)
    for text in texts:
        flags = ["python-brace-format"] if text.context == MESSAGE else []
        # where a text stands changes with every edit above it: the file says enough
        files = sorted({(file, None) for file, _ in text.places})
        template.add(
            text.id,
            context=text.context,
            locations=files,  # type: ignore[arg-type]  # Babel takes a location without a line, its type does not
            auto_comments=text.comments,
            flags=flags,
        )
    catalogue = read(language)
    created = catalogue.creation_date
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.creation_date = created  # or every update would change the file
    catalogue.obsolete.clear()
    with path_of(language).open("wb") as file:
        write_po(file, catalogue, width=100, ignore_obsolete=True, sort_by_file=False)
    return catalogue


def main() -> int:
    """The exit code: 1 where something has no translation."""
    texts, missing = collect(), 0
    for language in LANGUAGES[1:]:
        catalogue = update(language, texts)
        for entry in catalogue:
            forms = [entry.string] if isinstance(entry.string, str) else entry.string or [""]
            if entry.id and not all(forms):
                missing += 1
                print(f"{language}: {entry.id}")
    print(f"{len(texts)} texts, {missing} to translate.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
