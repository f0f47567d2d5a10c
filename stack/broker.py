"""Redis, from the packages of the system: what the scheduler hands tasks to the Celery workers through.

It keeps nothing on the disk: what it loses, the scheduler sends again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import redis

from stack.environment import Instance, redis_password
from stack.processes import Process
from stack.supervision import StackError

MISSING = (
    "`make cluster` needs the program redis-server, and it is not installed. On Debian and Ubuntu: "
    "`apt-get install redis-server`; on Fedora: `dnf install redis`; on macOS: `brew install redis`. The server that "
    "the package may start is not used."
)


def program() -> str:
    """The path of the server.

    :raises StackError: it is not installed; the message says how to.
    """
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise StackError(MISSING)
    return found


def configuration(instance: Instance) -> Path:
    """Write its configuration, which has its password, for its owner only."""
    instance.redis.mkdir(parents=True, exist_ok=True)
    path = instance.redis / "redis.conf"
    lines = (
        "bind 127.0.0.1",
        f"port {instance.redis_port}",
        f"requirepass {redis_password(instance)}",
        f'dir "{instance.redis}"',
        'save ""',
        "appendonly no",
        "maxmemory-policy noeviction",
        "daemonize no",
        "set-proc-title no",  # it would be written over what says whose the process is
    )
    descriptor, draft = tempfile.mkstemp(dir=instance.redis)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join((*lines, "")))
    Path(draft).replace(path)
    return path


def processes(instance: Instance) -> list[Process]:
    """The process of Redis, if the stack has Celery workers.

    :raises StackError: it is not installed.
    """
    if not instance.cluster:
        return []
    return [Process("redis", [program(), str(configuration(instance))], 15)]


def client(instance: Instance) -> redis.Redis:
    return redis.Redis(
        port=instance.redis_port, password=redis_password(instance), socket_timeout=5
    )


def ready(instance: Instance) -> bool:
    try:
        with client(instance) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False
