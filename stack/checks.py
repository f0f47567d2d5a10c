"""What has to be so before the stack can start, said in plain sentences where it is not."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from clubsync.config import load_config
from clubsync.errors import ConfigError
from stack.supervision import StackError

DISK_GB = 2.0


def disk(folder: Path) -> None:
    """:raises StackError: too little room for the data."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK_GB:
        raise StackError(
            f"Only {free:.1f} GB are free below {folder}; {DISK_GB:.0f} GB are needed."
        )


def clubs(config: Path) -> None:
    """:raises StackError: clubs.yaml is wrong; says file, line and club."""
    try:
        load_config(config)
    except ConfigError as error:
        raise StackError(str(error)) from None


def ports(wanted: Mapping[str, int]) -> None:
    """Environment variable to the port that it chooses; all have to be free on 127.0.0.1.

    :raises StackError: one is taken; by whom, where that can be known, and what to do.
    """
    for variable, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise StackError(f"Port {port} cannot be used: {error.strerror}.") from None
                raise StackError(
                    f"Port {port} is taken{_holder(port)}. Stop that, or choose another port: "
                    f"{variable}={port + 1} make up"
                ) from None


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if not connection.laddr or connection.status != psutil.CONN_LISTEN:
                continue
            if connection.laddr.port == port:
                if connection.pid is None:
                    return " by another user's process"
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


def leftovers(var: Path) -> list[psutil.Process]:
    """Processes that were started by the stack of this folder and still run, but ourselves."""
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
    """TERM, and KILL for what does not listen."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(asked, timeout=patience)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)
