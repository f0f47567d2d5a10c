"""A word of an ERP, a status or a group, as a message repeats it to whoever may read that message (R19).

A column that the settings name by mistake holds people in place of words: an email, a phone, a birth date. Those are
masked wherever they are repeated.
"""

from __future__ import annotations

import re

#: Nothing but a phone, or a date. A long number is more often the id of a group, 2025/2026 a season.
_PHONE = re.compile(r"(?:\+|00?)[\d().\s/-]{7,}|\d{2,3}(?:[ .-]\d{2,3}){2,4}")
_DATE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?:[ T].*)?")


def is_personal(word: str) -> bool:
    """Whether a word looks like an email, a phone or a date of somebody's."""
    text = word.strip()
    return "@" in text or any(form.fullmatch(text) for form in (_PHONE, _DATE))


def masked(value: str) -> str:
    """A personal value of which only the form is left: `a…@e….com`, `+33…`, `A… R…`."""
    local, at, domain = value.rpartition("@")
    if at:
        name, dot, end = domain.rpartition(".")
        return f"{local[:1]}…@{name[:1]}…{dot}{end}"
    if value.startswith("+"):
        return f"{value[:3]}…"
    return " ".join(f"{word[:1]}…" for word in value.split())


def quoted(word: str) -> str:
    """The word, masked where it looks personal."""
    return masked(word) if is_personal(word) else word
