"""Masked personal data: enough to tell people apart on the phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOTS = "…"


def address(text: str) -> str:
    """a…@g….com"""
    local, at, domain = text.rpartition("@")
    if not at:
        return f"{text[:1]}{DOTS}"
    host, dot, ending = domain.rpartition(".")
    return f"{local[:1]}{DOTS}@{host[:1]}{DOTS}{dot}{ending if dot else ''}"


def email(text: str | None) -> str | None:
    """`address`, of a field that may be empty."""
    return address(text) if text else text


def name(text: str | None) -> str | None:
    """A…"""
    return f"{text[:1]}{DOTS}" if text else text


def phone(text: str | None) -> str | None:
    """… 78"""
    return f"{DOTS} {text[-2:]}" if text else text


def date(value: Any) -> str | None:
    """Nothing of a birth date."""
    return DOTS if value else None


_HOW = {
    "email": email,
    "email_raw": email,
    "email_norm": email,
    "first_name": name,
    "last_name": name,
    "phone": phone,
    "birth_date": date,
}


def row(values: Mapping[str, Any], shown: bool, prefix: str = "") -> dict[str, Any]:
    """A row with its personal data masked.

    :param shown: leave them as they are.
    """
    if shown:
        return dict(values)
    return {
        key: _HOW[bare](value) if (bare := key.removeprefix(prefix)) in _HOW else value
        for key, value in values.items()
    }
