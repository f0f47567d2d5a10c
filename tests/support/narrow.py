"""What the type checker cannot know."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """A value that may be None by its type and must not be here."""
    assert value is not None
    return value
