"""What others wrote, as a terminal or a log may show it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.errors import FileBroken
from connectors.sdk.visible import visible


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("Zoë O'Neil-Łukasz", "[link=https://x.example]", "Ελένη", "李小龍", "דנה", "👍"):
        assert visible(text) == text


def test_what_a_terminal_obeys_or_nobody_sees_is_escaped() -> None:
    assert visible("a\x1b]8;;http://x\x07b") == "a\\x1b]8;;http://x\\x07b"
    assert visible("\x9b2J") == "\\x9b2J"
    assert visible("a\u202eb\u2066c\u200bd\ufeff") == "a\\u202eb\\u2066c\\u200bd\\ufeff"
    assert visible("a\u3164b\u2800") == "a\\u3164b\\u2800"
    assert visible("a\nb\r\nc\u2028d") == "a ⏎ b ⏎ c ⏎ d"
    assert visible("a\u00a0b\tc") == "a b c"


@given(st.text(st.characters(codec=None)))
def test_the_result_is_one_line_without_control_or_format_characters(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown


def test_errors_quote_names_of_files_visibly() -> None:
    """A file's name stands in logs and on pages too."""
    error = FileBroken("\x1b[2J.csv is empty.")
    assert error.what == "\\x1b[2J.csv is empty."
    assert "\x1b" not in str(error)
    assert "\x1b" not in "".join(error.args)
