"""Checks before the stack starts; each failure has a message for people."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil
from rich.console import Console

from clubsync import permissions
from clubsync.config import load_config
from clubsync.errors import ConfigError
from stack.supervision import StackError

DISK_GB = 2.0


def disk(folder: Path) -> None:
    """:raises StackError: not enough disk space for the data."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK_GB:
        raise StackError(
            f"Not enough disk space: {free:.1f} GB free in {folder}, {DISK_GB:.0f} GB needed."
        )


def private(var: Path, console: Console) -> None:
    """Close the data to other users, and say what cannot be."""
    os.environ.setdefault("CLUBSYNC_VAR", str(var))
    for sentence in permissions.check(everything=True):
        console.print(f"  {sentence}", markup=False, highlight=False, soft_wrap=True)


def clubs(config: Path) -> None:
    """:raises StackError: clubs.yaml is invalid; the message names file, line and club."""
    try:
        load_config(config)
    except ConfigError as error:
        raise StackError(str(error)) from None


def ports(wanted: Mapping[str, int]) -> None:
    """Check that the ports are free on 127.0.0.1.

    :param wanted: environment variable -> the port that it sets.
    :raises StackError: a port is in use; the message names the process, if known, and what to do.
    """
    for variable, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise StackError(f"Cannot use port {port}: {error.strerror}.") from None
                raise StackError(
                    f"Port {port} is in use{_holder(port)}. Stop that process, or choose another port: "
                    f"{variable}={port + 1} make up"
                ) from None


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if not connection.laddr or connection.status != psutil.CONN_LISTEN:
                continue
            if connection.laddr.port == port:
                if connection.pid is None:
                    return " by a process of another user"
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def leftovers(var: Path) -> list[psutil.Process]:
    """Processes that the stack of this folder started and that still run, except this one."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in ours or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get("CLUBSYNC_STACK") == str(var):
                found.append(process)
    return found


def end(processes: Iterable[psutil.Process], patience: float = 10.0) -> None:
    """Send SIGTERM, and SIGKILL to those that still run after `patience` seconds."""
    ending = list(processes)
    for process in ending:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(ending, timeout=patience)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)
