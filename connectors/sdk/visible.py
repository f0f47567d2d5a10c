"""Text that others wrote, as a terminal, a log or a page may show it (R19).

A name may hold what a terminal obeys (ESC, OSC, C0 and C1), what reverses the text after it (bidirectional
overrides), what nobody sees (zero-width characters), or a line break that makes a line of its own.
"""

from __future__ import annotations

import re
import unicodedata

#: Printable by their category, and yet not to be seen: Unicode's Default_Ignorable_Code_Point, without the
#: variation selectors, which belong to emoji.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"
_IGNORABLE = re.compile(f"[{_UNSEEN}]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
LINE_BREAK = " ⏎ "


def visible(text: str) -> str:
    r"""The text on one line, with a visible escape (`\x1b`, `\u202e`) for each character that cannot be seen.

    Line breaks become `⏎`, tabs and all kinds of blanks a blank. What is left can be seen, and only seen.
    """
    if text.isprintable() and not _IGNORABLE.search(text):
        return text
    return "".join(map(_visible, _LINE_BREAK.sub(LINE_BREAK, text)))


def _visible(character: str) -> str:
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    if character.isprintable() and not _IGNORABLE.match(character):
        return character
    return character.encode("unicode_escape").decode("ascii")
