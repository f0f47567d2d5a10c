"""The rules of the sync, each as examples on the real engine."""

from tests.support.rules import club, new_club, shared_base

__all__ = ["club", "new_club", "shared_base"]
