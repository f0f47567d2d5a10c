"""Everything that is said is in the French catalogue, and stored messages are found in it."""

from __future__ import annotations

import ast
import re

import pytest

from clubsync.i18n import MESSAGE
from stack import translations


def texts(*, messages: bool) -> dict[str | tuple[str, ...], translations.Text]:
    found = {
        text.id: text for text in translations.collect() if (text.context == MESSAGE) == messages
    }
    assert len(found) > 150
    return found


def places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text))


@pytest.mark.parametrize("context", [None, MESSAGE])
def test_every_text_is_translated(context: str | None) -> None:
    """What is said is translated, with the same places to fill; and nothing that is not said any more."""
    catalogue = translations.read("fr")
    said = texts(messages=context == MESSAGE)
    for text in said:
        entry = catalogue.get(text, context)
        assert entry is not None, text
        assert not entry.fuzzy, text
        told = [entry.string] if isinstance(entry.string, str) else list(entry.string or [""])
        assert all(told), text
        wanted = places(text if isinstance(text, str) else text[1])
        assert places(told[-1]) == wanted, text
        assert places(told[0]) <= wanted, text  # of one, the number need not be said
    ids = {e.id for e in catalogue if e.id and e.context == context}
    assert ids == set(said)


@pytest.mark.parametrize(
    ("code", "templates"),
    [
        ('Stopped("Plain.")', ["Plain."]),
        ('Stopped(f"{club} has {n} files.", remedy="Wait.")', ["{0} has {1} files.", "Wait."]),
        ('doubts.append(f\'{n} row{"s" if n > 1 else ""}.\')', ["{0} rows.", "{0} row."]),
        ('message("group {group} inactive")', ["group {0} inactive"]),
        ('NONE = "No rows"\nmessage(f"{NONE} of {n}")', ["No rows of {0}"]),
        ('Stopped("a " + f"{b}", status=404)', ["a {0}"]),
        ("class Other(Stopped):\n    default_remedy = 'Ask.'", ["Ask."]),
        ('print("not a message")', []),
    ],
)
def test_messages_are_found_in_code(code: str, templates: list[str]) -> None:
    tree = ast.parse(f"class Stopped(SyncError): pass\n{code}")
    errors = translations.error_classes([tree])
    found = [
        text.id
        for node in translations.said(tree, errors)
        for text in translations.texts_of(node, "x.py", translations.constants(tree))
    ]
    assert found == templates
