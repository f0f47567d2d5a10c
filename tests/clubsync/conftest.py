"""Fixtures of tests that run the whole engine."""

from tests.support.rules import club, new_club, shared_base

__all__ = ["club", "new_club", "shared_base"]
