"""Drills: the real engine against a simulated ERP that breaks and comes back."""

from tests.support.rules import shared_base

__all__ = ["shared_base"]
