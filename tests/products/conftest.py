"""Real servers against the real engine."""

from tests.support.rules import shared_base

__all__ = ["shared_base"]
