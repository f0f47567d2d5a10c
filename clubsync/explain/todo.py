"""What a club should do about findings of one kind, without naming a record."""

from __future__ import annotations

import re

from clubsync.i18n import _, translations
from clubsync.validate import suites

_BRACKETS = re.compile(r" \((…|-)\)")
#: What a sentence about a whole group says in the place of ids.
_SOME = {
    "others": _("another record"),
    "groups": "…",
    "owner": _("another customer"),
    "successor": _("another record"),
}


def general_advice(code: str, severity: str, language: str) -> str:
    """The sentence of a code and severity for any of its records."""
    some = {key: translations(language).gettext(text) for key, text in _SOME.items()}
    # in brackets are the ids of one record
    return _BRACKETS.sub("", suites.advice(code, severity, some, language))
