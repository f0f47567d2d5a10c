"""Stop everything, and look whether everything has stopped."""

from __future__ import annotations

from rich.console import Console

from clubsync import embedded
from stack import checks
from stack.environment import Place
from stack.supervision import StackError, Supervisor

PATIENCE = 60.0
"""Seconds. The scheduler alone may take 24: it lets its tasks come to an end."""


def down(place: Place, console: Console) -> None:
    """Stop the stack of this place; harmless when nothing runs.

    :raises StackError: something still runs, named by its process id.
    """
    supervisor = Supervisor(place)
    if supervisor.pid is not None:
        console.print("  Stopping, which may take half a minute …")
        try:
            supervisor.shut_down(PATIENCE)
        except StackError:
            console.print("  Not everything listened; ending the rest.")
    checks.end(checks.leftovers(place.var))
    embedded.stop(place.postgres)
    if rest := checks.leftovers(place.var):
        raise StackError("Still running: " + ", ".join(f"{p.name()} ({p.pid})" for p in rest))
    console.print("  Nothing runs any more. The data stays in", place.var)
