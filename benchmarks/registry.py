"""Many clubs of the simulated Playtomic, for a stack to sync: `python -m benchmarks.registry 1000 DIR`.

Writes `DIR/clubs.yaml` and `DIR/clubs.env`, and answers for the clubs' ERP until it is ended. In another shell:
`. DIR/clubs.env; make cluster`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cycle import simulated
from benchmarks.erp import SECRET

CUSTOMERS = 500


def connections(clubs: int, address: str) -> dict[str, str]:
    """Environment variable -> connection of a club."""
    return {
        f"AIRFLOW_CONN_CLUB_{n}": json.dumps(
            {
                "conn_type": "clubsync_playtomic",
                "host": address,
                "login": f"club-{n}",
                "password": SECRET,
            }
        )
        for n in range(clubs)
    }


def write(clubs: int, every: str, path: Path) -> None:
    """:param every: the cadence of each club."""
    entries = [
        {
            "id": f"club-{n}",
            "name": f"Club {n}",
            "erp": "playtomic",
            "connection": f"club_{n}",
            "settings": {"venue_id": f"club-{n}"},
        }
        for n in range(clubs)
    ]
    # JSON is YAML
    path.write_text(json.dumps({"defaults": {"every": every}, "clubs": entries}, indent=1))


@contextmanager
def serving(clubs: int, customers: int, every: str, folder: Path) -> Iterator[dict[str, str]]:
    """The environment that a stack needs to sync these clubs, while their ERP answers."""
    with simulated(clubs, customers) as address:
        write(clubs, every, folder / "clubs.yaml")
        yield {"CLUBSYNC_CONFIG": str(folder / "clubs.yaml"), **connections(clubs, address)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("clubs", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="of each club")
    parser.add_argument("--every", default="1m", help="the cadence of each club (default: 1m)")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the ERP ends, too
    with serving(given.clubs, given.customers, given.every, folder) as environment:
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
        (folder / "clubs.env").write_text("".join(lines))
        print(
            f"Their ERP answers. In another shell: . {folder / 'clubs.env'}; make cluster",
            flush=True,
        )
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
