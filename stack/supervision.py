"""supervisord runs the processes: it starts them in order, restarts those that die, and stops them in order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from clubsync.store.embedded import LONGEST_SOCKET_PATH
from stack.environment import ROOT, Instance
from stack.processes import Process

RUNNING, STARTING, STOPPED = "RUNNING", "STARTING", "STOPPED"


class StackError(Exception):
    """The stack cannot start or stop; the message is for people."""


class Supervisor:
    """The supervisord of one stack, whether it runs or not."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.folder = instance.var / "stack"
        self.config = self.folder / "supervisord.conf"
        self.pid_file = self.folder / "supervisord.pid"

    @property
    def socket(self) -> Path:
        wanted = self.folder / "supervisor.sock"
        # supervisord appends its process id while it creates the socket
        if len(os.fsencode(wanted)) + 12 <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"clubsync-{os.geteuid()}-{digest}.sock"

    @property
    def pid(self) -> int | None:
        """Its process id; None if it does not run."""
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int(self.pid_file.read_text()))
            if str(self.config) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return int(process.pid)
        return None

    def launch(self, processes: Iterable[Process], environment: Mapping[str, str]) -> None:
        """Start supervisord with these processes, each of which waits for :meth:`start`.

        :raises StackError: it does not respond within 20 seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.instance.logs.mkdir(parents=True, exist_ok=True)
        self.config.write_text(self._configuration(processes))
        subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.config)],
            cwd=ROOT,
            env=dict(environment),
            check=True,
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError, xmlrpc.client.Error):
                self._rpc.getState()
                return
            if time.monotonic() > deadline:
                raise StackError(
                    f"supervisord did not start; see {self.instance.logs}/supervisord.log"
                )
            time.sleep(0.05)

    def start(self, name: str) -> None:
        """Start one process, unless it runs. Does not wait until it is ready."""
        with contextlib.suppress(xmlrpc.client.Fault):  # ALREADY_STARTED
            self._rpc.startProcess(name, False)

    def states(self) -> dict[str, str]:
        """Process name -> RUNNING, STARTING, BACKOFF, FATAL, EXITED or STOPPED."""
        return {one["name"]: one["statename"] for one in self._rpc.getAllProcessInfo()}

    def uptimes(self) -> dict[str, float]:
        """Process name -> seconds since its start, for those that run."""
        return {
            one["name"]: one["now"] - one["start"]
            for one in self._rpc.getAllProcessInfo()
            if one["statename"] == RUNNING
        }

    def pids(self) -> dict[str, int]:
        """Process name -> its id, for those that run."""
        return {
            one["name"]: one["pid"]
            for one in self._rpc.getAllProcessInfo()
            if one["statename"] == RUNNING
        }

    def fail_if_dead(self, *names: str) -> None:
        """:raises StackError: one of them (default: any) has exited; the message has the end of its log."""
        states = self.states()
        for name in names or states:
            if states[name] in ("FATAL", "EXITED", "BACKOFF"):
                raise StackError(
                    f"{name} keeps exiting. The end of {self.log(name)}:\n{self._tail(name)}"
                )

    def log(self, name: str) -> Path:
        return self.instance.logs / f"{name}.log"

    def shut_down(self, patience: float) -> None:
        """Stop everything in reverse order and wait for it.

        :raises StackError: supervisord still runs after ``patience`` seconds.
        """
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            self._rpc.shutdown()
        try:
            psutil.Process(pid).wait(timeout=patience)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            raise StackError(f"supervisord (process {pid}) is still stopping.") from None

    def _tail(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])
        return "(no log)"

    @property
    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _configuration(self, processes: Iterable[Process]) -> str:
        # % is doubled, because supervisord expands it in values.
        folder, logs = (
            str(self.folder).replace("%", "%%"),
            str(self.instance.logs).replace("%", "%%"),
        )
        user = "user=root\n" if os.geteuid() == 0 else ""
        parts = [
            f"""[supervisord]
logfile={logs}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={logs}
minfds=4096
umask=077
{user}
[unix_http_server]
file={str(self.socket).replace("%", "%%")}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
        ]
        for process in processes:
            sweep = [sys.executable, "-m", "stack.sweep", process.leaves] if process.leaves else []
            command = " ".join(_quote(part) for part in (*sweep, *process.command))
            group = "true" if process.group else "false"
            parts.append(
                f"""[program:{process.name}]
command={command}
directory={str(ROOT).replace("%", "%%")}
priority={process.order}
autostart=false
autorestart=true
startsecs=2
startretries=5
stopwaitsecs={process.patience}
stopasgroup={group}
killasgroup={group}
redirect_stderr=true
stdout_logfile={logs}/{process.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""
            )
        return "\n".join(parts)


def _quote(part: str) -> str:
    escaped = part.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if any(c.isspace() or c in ";'\"" for c in part) else escaped
