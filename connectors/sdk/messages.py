"""Messages that people read in their own language, although they are made in English: `clubsync.i18n`."""

from __future__ import annotations


def message(text: str) -> str:
    """Mark a message that is not made where an error is raised or a doubt is noted; it is the text itself."""
    return text
