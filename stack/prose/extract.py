"""The prose of a file: what a person reads of it, and where it stands.

Code is left out or blanked: fences and inline code of Markdown, tags of HTML, expressions of Jinja.
A blank is never a word, so no phrase is found across it.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment

BLANK = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for whatever is not prose within a sentence."""


@dataclass(frozen=True)
class Passage:
    """Prose that belongs together.

    :param line: where it begins, from 1.
    :param text: a paragraph, a cell or a label, without quotes and markers; broken where the file breaks it.
    """

    line: int
    text: str


@dataclass(frozen=True)
class Name:
    """What a Python file defines: itself, a class, a function, a constant."""

    line: int
    name: str


def passages(path: Path) -> list[Passage]:
    """What a person reads of a file, in order of lines.

    :raises SyntaxError, ValueError: the file is not what its name says.
    """
    text = path.read_text(encoding="utf-8")
    found = (part for passage in _reader(path)(text) for part in _paragraphs(passage))
    return sorted((p for p in found if p.text.strip(BLANK + " \n")), key=lambda p: p.line)


def _paragraphs(passage: Passage) -> Iterator[Passage]:
    line = passage.line
    for text in re.split(r"(\n[ \t]*\n)", passage.text):
        yield Passage(line, text)
        line += text.count("\n")


def names(path: Path) -> list[Name]:
    """The names that a Python file defines; of its module-level values only those in capitals."""
    if path.suffix != ".py":
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    found = [Name(1, path.stem)]
    found += [Name(n.lineno, n.name) for n in ast.walk(tree) if isinstance(n, defined)]
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        found += [
            Name(t.lineno, t.id) for t in targets if isinstance(t, ast.Name) and t.id.isupper()
        ]
    return found


def _reader(path: Path) -> Callable[[str], Iterator[Passage]]:
    by_ending: dict[str, Callable[[str], Iterator[Passage]]] = {
        ".md": _markdown,
        ".py": _python,
        ".jinja": _python_template,
        ".html": _html,
        ".json": _json,
        ".po": _translations,
        ".sql": lambda text: _marked(text, "--"),
    }
    if path.suffixes[-2:] == [".md", ".jinja"]:
        return _markdown
    return by_ending.get(path.suffix, lambda text: _marked(text, "#"))


def _markdown(text: str) -> Iterator[Passage]:
    yield Passage(1, _without_code(text))


def _without_code(text: str) -> str:
    """Fenced and inline code, comments and the targets of links, blanked."""
    for code in (
        re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL),
        re.compile(r"<!--.*?-->", re.DOTALL),
        re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL),
        re.compile(r"(?<=\])\([^()\s]*\)"),
    ):
        text = code.sub(lambda match: BLANK + "\n" * match[0].count("\n"), text)
    return text


def _python(text: str) -> Iterator[Passage]:
    yield from _literals(ast.parse(text))
    yield from _comments(text)


def _python_template(text: str) -> Iterator[Passage]:
    """Copier's template of a Python file: with a name for each of its expressions it is one."""
    text = re.sub(r"\{%.*?%\}\n?", "", text, flags=re.DOTALL)
    yield from _python(re.sub(r"\{\{.*?\}\}", "name", text))


def _literals(tree: ast.Module) -> Iterator[Passage]:
    """String literals, docstrings among them; an f-string is one, with its expressions blanked."""
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else BLANK for part in node.values
            )
            yield Passage(node.lineno, _without_code(text))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield Passage(node.lineno, _without_code(node.value))


def _comments(text: str) -> Iterator[Passage]:
    """Comments; those on lines of their own that follow one another are one passage."""
    block: list[str] = []
    begins = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = token.string.lstrip("#!: ")
        alone = token.line.lstrip().startswith("#")
        if block and alone and token.start[0] == last + 1:
            block.append(words)
        else:
            if block:
                yield Passage(begins, _without_code("\n".join(block)))
            block, begins = [words], token.start[0]
        last = token.start[0]
    if block:
        yield Passage(begins, _without_code("\n".join(block)))


def _marked(text: str, mark: str) -> Iterator[Passage]:
    """Comments of a language whose comments run to the end of the line."""
    comment = re.compile(rf"(?:^|(?<=\s)){re.escape(mark)}+ ?(.*)")
    for line, content in enumerate(text.splitlines(), start=1):
        if match := comment.search(content):
            yield Passage(line, _without_code(match[1]))


def _html(text: str) -> Iterator[Passage]:
    """A Jinja template: text, attributes that are read out or shown, and the strings it passes on."""
    page: list[str] = []
    for line, kind, value in Environment(autoescape=True).lex(text):
        if kind == "data":
            page.append(value)
            continue
        page.append("\n" * value.count("\n"))
        if kind == "string":
            page.append(BLANK)
            yield Passage(line, value[1:-1].replace("\\'", "'").replace('\\"', '"'))
    reader = _HtmlReader()
    reader.feed("".join(page))
    reader.close()
    yield from reader.found


class _HtmlReader(HTMLParser):
    READ = frozenset({"alt", "aria-label", "content", "placeholder", "title"})
    NOT_READ = frozenset({"code", "pre", "script", "style", "svg"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Passage] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line, _ = self.getpos()
        self.found += [Passage(line, value) for name, value in attrs if name in self.READ and value]
        if tag in self.NOT_READ:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.found.append(Passage(self.getpos()[0], data))


def _json(text: str) -> Iterator[Passage]:
    """The values of a JSON document, not its keys."""
    json.loads(text)
    for match in re.finditer(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?', text):
        if not match["key"]:
            line = text.count("\n", 0, match.start()) + 1
            yield Passage(line, json.loads(match["string"]))


def _translations(text: str) -> Iterator[Passage]:
    """Messages and their translations."""
    for message in read_po(io.BytesIO(text.encode()), ignore_obsolete=True):
        for words in (message.id, message.string or ()):
            for form in [words] if isinstance(words, str) else words:
                yield Passage(message.lineno or 1, form or "")
