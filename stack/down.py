"""Stop everything, and check that everything has stopped."""

from __future__ import annotations

from rich.console import Console

from clubsync.store import embedded
from stack import checks
from stack.environment import Instance
from stack.supervision import StackError, Supervisor

PATIENCE = 60.0
"""Seconds. The scheduler alone may take 24, because it waits for its tasks."""


def down(instance: Instance, console: Console) -> None:
    """Stop the stack; does nothing if it does not run.

    :raises StackError: a process still runs; the message has its id.
    """
    supervisor = Supervisor(instance)
    if supervisor.pid is not None:
        console.print("  Stopping, this may take half a minute …")
        try:
            supervisor.shut_down(PATIENCE)
        except StackError:
            console.print("  Some processes did not stop in time; killing them.")
    checks.end(checks.leftovers(instance.var))
    embedded.stop(instance.postgres)
    if rest := checks.leftovers(instance.var):
        raise StackError("Still running: " + ", ".join(f"{p.name()} ({p.pid})" for p in rest))
    console.print("  Stopped. The data is kept in", instance.var)
