"""From a change in the ERP to the change in the base: `python -m benchmarks.freshness --clubs 200`.

Starts what `make up` starts, with clubs of a simulated ERP that sync every minute. People change at random moments;
for each the seconds are measured until the club base shows it. First the clubs are polled only, then each change is
told by a webhook. Departures stand apart: from a reading of several pages they await a second one (R14).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import requests
from rich.console import Console
from standardwebhooks.webhooks import Webhook

from benchmarks.fleet import venue_id
from benchmarks.whole import Watch, Whole, first_load, simulated, whole
from clubsync.store import embedded

SECRET = "whsec_" + base64.b64encode(b"freshness" * 3).decode()
POLLED, NUDGED = "polled every minute", "told by a webhook"
#: What a change is: `benchmarks.fleet.Fleet.change`.
KINDS = ("email", "email", "join", "join", "leave")

_SHOWN = "select email from base.customer where in_customers_group and email = any(%s)"


@dataclass
class Awaited:
    """Changes that the base does not show yet, and how long those took that it shows.

    :param pending: email -> whether the change is a departure, and when it was made.
    :param took: departure or not -> seconds.
    """

    pending: dict[str, tuple[bool, float]] = field(default_factory=dict)
    took: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, email: str, *, departure: bool) -> None:
        with self.lock:
            self.pending[email] = departure, time.monotonic()

    def look(self, driver: psycopg.Connection) -> None:
        with self.lock:
            wanted = dict(self.pending)
        shown = {row[0] for row in driver.execute(_SHOWN, [list(wanted)])}
        now = time.monotonic()
        with self.lock:
            for email, (departure, began) in wanted.items():
                if (email in shown) != departure:
                    self.took[departure].append(now - began)
                    del self.pending[email]


def measured(
    it: Whole, changes: int, pause: float, told: Callable[[int], None], seed: int, customers: int
) -> dict[str, list[float]]:
    """Make changes at random moments, and wait until the base shows each.

    :param told: is called with the venue of each change.
    :returns: seconds of arrivals and new emails (`changes`) and of `departures`.
    :raises TimeoutError: some were not shown within ten minutes.
    """
    awaited, rng, ended = Awaited(), random.Random(seed), threading.Event()
    url = embedded.locate(it.instance.postgres).conninfo("clubsync")

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as driver:
            while not ended.wait(0.1):
                awaited.look(driver)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    people = rng.sample([(v, n) for v in range(it.clubs) for n in range(customers)], 2 * changes)
    made = 0
    for venue, at in people:
        if made == changes:
            break
        kind = KINDS[made % len(KINDS)]
        email = it.fleet.edit(venue, at, kind, f"f{seed}-{made}")
        if email is None:
            continue
        awaited.add(email, departure=kind == "leave")
        told(venue)
        made += 1
        time.sleep(rng.expovariate(1 / pause))
    end = time.monotonic() + 600
    while awaited.pending:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(awaited.pending)} changes are not in the base.")
        time.sleep(0.5)
    ended.set()
    watcher.join()
    return {"changes": sorted(awaited.took[False]), "departures": sorted(awaited.took[True])}


def webhook(it: Whole) -> Callable[[int], None]:
    """Sends the webhook of a venue, as its ERP would."""
    signer, session = Webhook(SECRET), requests.Session()

    def send(venue: int) -> None:
        at, body = datetime.now(UTC), json.dumps({"type": "player.changed"})
        number = f"msg_{time.monotonic_ns()}"
        headers = {
            "webhook-id": number,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signer.sign(number, at, body),
        }
        address = f"{it.instance.url}/clubsync/webhooks/club-{venue_id(venue)}"
        session.post(address, data=body, headers=headers, timeout=30).raise_for_status()

    return send


def told(seconds: list[float]) -> dict[str, Any]:
    """p50, p95 and p99 of these seconds, and all of them."""
    points = {f"p{p}": round(float(np.percentile(seconds, p)), 1) for p in (50, 95, 99)}
    return {"n": len(seconds), **points, "seconds": [round(one, 1) for one in seconds]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clubs", type=int, default=200)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument(
        "--changes", type=int, default=400, help="polled; a fourth as many by webhook"
    )
    parser.add_argument("--folder", type=Path, required=True, help="for data; is removed")
    parser.add_argument("--result", type=Path, help="JSON file")
    given = parser.parse_args()
    console, watch = Console(), Watch()
    threading.Thread(target=watch.run, daemon=True).start()
    result: dict[str, Any] = {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "clubs": given.clubs,
        "customers": given.customers,
        "cores": os.cpu_count(),
    }
    with (
        simulated(given.clubs, given.customers, 0.02) as fleet,
        whole(given.folder.absolute(), fleet, given.clubs, "1m", console, SECRET) as it,
    ):
        first_load(it, watch, timedelta(minutes=20))
        size = given.customers
        for name, count, pause, tell in (
            (POLLED, given.changes, 1.0, lambda _: None),
            (NUDGED, given.changes // 4, 4.0, webhook(it)),
        ):
            took = measured(it, count, pause, tell, len(result), size)
            result[name] = {kind: told(seconds) for kind, seconds in took.items()}
            for kind, figures in result[name].items():
                console.log(name, kind, {k: v for k, v in figures.items() if k != "seconds"})
        result["wrong"] = len(it.wrong())
    watch.ended.set()
    text = json.dumps(result)
    if given.result:
        given.result.write_text(text + "\n")
    console.print({key: value for key, value in result.items() if not isinstance(value, dict)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
