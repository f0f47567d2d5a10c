"""The one promise, against ERPs that are edited while they are read."""

from tests.support.rules import club, new_club, shared_base

__all__ = ["club", "new_club", "shared_base"]
