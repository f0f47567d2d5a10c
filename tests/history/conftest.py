"""Long histories on the real engine."""

from tests.support.rules import new_club, shared_base

__all__ = ["new_club", "shared_base"]
