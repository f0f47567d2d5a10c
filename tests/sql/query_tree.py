"""The query tree that PostgreSQL makes of a statement, read from its text form.

In it the server has resolved every name, and since PostgreSQL 16 every variable says which outer joins may null
it. The form is written by src/backend/nodes/outfuncs.c; the nodes and their fields are those of
src/include/nodes/primnodes.h and parsenodes.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_TOKENS = re.compile(r'[(){}]|"(?:\\.|[^"\\])*"|(?:\\.|[^\s(){}\\])+', re.DOTALL)


@dataclass
class Node:
    """A node of the tree: its type, and its fields by the server's own names."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def number(self, name: str) -> int:
        return int(self.fields[name])

    def flag(self, name: str) -> bool:
        return bool(self.fields[name] == "true")

    def nodes(self, name: str) -> list[Node]:
        """A list of nodes; empty where the tree has none."""
        return self.fields[name] or []

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for value in self.fields.values():
            for below in value if isinstance(value, list) else [value]:
                if isinstance(below, Node):
                    yield from below.walk()


def parse(text: str) -> Any:
    """The text of a `pg_node_tree` -> nodes, lists and strings; None where it says nothing (`<>`)."""
    value, _ = _value(_TOKENS.findall(text), 0)
    return value


def _value(tokens: list[str], at: int) -> tuple[Any, int]:
    token = tokens[at]
    if token == "{":
        return _node(tokens, at + 1)
    if token == "(":
        return _list(tokens, at + 1)
    if token == "<>":
        return None, at + 1
    return re.sub(r"\\(.)", r"\1", token.strip('"')), at + 1


def _list(tokens: list[str], at: int) -> tuple[list[Any], int]:
    values = []
    while tokens[at] != ")":
        value, at = _value(tokens, at)
        values.append(value)
    return values, at + 1


def _node(tokens: list[str], at: int) -> tuple[Node, int]:
    node, at = Node(tokens[at]), at + 1
    while tokens[at] != "}":
        name, at = tokens[at][1:], at + 1
        node.fields[name], at = _value(tokens, at)
        # the bytes of a constant are several words, of which the first is enough
        while tokens[at] != "}" and not tokens[at].startswith(":"):
            _, at = _value(tokens, at)
    return node, at + 1
