"""Sender and receiver of webhooks as processes of their own, which the tests kill.

python -m tests.faults.webhook_processes send
python -m tests.faults.webhook_processes receive FILE PORT
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from clubsync import connections
from clubsync.config import load_config
from clubsync.errors import SyncError
from clubsync.feed import webhooks
from clubsync.store.database import Base


def send() -> None:
    """Deliver again and again; a failure is tried again soon."""
    webhooks.FIRST_PAUSE, webhooks.LONGEST_PAUSE = timedelta(seconds=0.02), timedelta(seconds=0.1)
    config = load_config()
    base = Base(pool_size=2)
    while True:
        try:
            webhooks.deliver(base, config, connections.resolve, budget=5)
        except SyncError:
            time.sleep(0.05)  # the database is away
        time.sleep(0.01)


def receive(path: str, port: int) -> None:
    """Write every message down, safely, before it is answered; one in ten is answered by an error."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            line = {
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": base64.b64encode(body).decode(),
            }
            os.write(file, json.dumps(line).encode() + b"\n")
            os.fsync(file)
            time.sleep(random.choice((0, 0, 0.01)))
            self.send_response(random.choice([204] * 9 + [500]))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send()
    else:
        receive(sys.argv[2], int(sys.argv[3]))
