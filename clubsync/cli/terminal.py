"""The only way to the terminal: what an ERP wrote is printed as text, never as markup or control characters (R19).

Commands use `out` and `err` and no other console; a test checks it. A sentence is one line, whatever it quotes.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.sdk.visible import visible

#: What `json` leaves as it is, although a terminal obeys it or nobody sees it.
_NOT_PRINTED = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def text(value: str, style: str = "") -> Text:
    """A value for a cell or a sentence: visible, without markup."""
    return Text(visible(value), style=style)


class Terminal:
    """A stream to print on: stdout or stderr.

    :param width: of tables; None: the terminal's.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        self._console = Console(
            stderr=stderr, width=width, markup=False, emoji=False, highlight=False
        )

    @property
    def is_terminal(self) -> bool:
        return self._console.is_terminal

    def say(self, *parts: str | tuple[str, str]) -> None:
        """Print one line, which is never wrapped.

        :param parts: texts, or texts with a style of Rich: `("failed", "red")`.
        """
        line = Text()
        for part in parts:
            line.append_text(text(part) if isinstance(part, str) else text(*part))
        self._console.print(line, soft_wrap=True)

    def show(
        self, title: str, headings: Iterable[str], rows: Iterable[Sequence[str | None]]
    ) -> None:
        """Print a table; a row whose first cell is None continues the row above it."""
        shown = Table(title=text(title), title_justify="left")
        for heading in headings:
            shown.add_column(text(heading))
        for row in rows:
            continued = row[0] is None
            shown.add_row(*(text(cell or "") for cell in row), end_section=continued)
        self._console.print(shown)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str], None]]:
        """A line that says how far a long work is; the function changes it."""
        with self._console.status(text(title)) as status:
            yield lambda said: status.update(text(said))


def print_json(document: Any, default: Callable[[Any], Any]) -> None:
    """Print one JSON document on stdout, exactly; characters that are not to be seen as JSON's own escapes.

    :param default: makes JSON of values that have no form of their own there.
    """
    written = json.dumps(document, default=default, ensure_ascii=False)
    sys.stdout.write(_NOT_PRINTED.sub(_escaped, written) + "\n")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def prepare() -> None:
    """A character that the encoding of a stream lacks ends nothing in a traceback: it is printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # it was read from already
            sys.stdin.reconfigure(errors="surrogateescape")


out = Terminal(width=None if sys.stdout.isatty() else 160)
err = Terminal(stderr=True)
