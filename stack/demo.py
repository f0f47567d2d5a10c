"""The demo: simulated ERPs beside the stack, and the connections that lead to them."""

from __future__ import annotations

from stack.environment import Place
from stack.processes import Process


def processes(place: Place) -> list[Process]:
    return []


def environment(place: Place) -> dict[str, str]:
    return {}


def ports(place: Place) -> dict[str, int]:
    return {}


def addresses(place: Place) -> list[str]:
    return []
