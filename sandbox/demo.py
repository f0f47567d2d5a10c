"""The demo: its clubs, the addresses of their simulated ERPs, and the configuration of clubsync for both.

`connections` returns the `AIRFLOW_CONN_*` environment, `clubs_yaml` the text of `config/clubs.yaml` (a test
keeps the file in step). `python -m sandbox` serves it all.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from sandbox import exports, sftp
from sandbox import tryton as tryton_server
from sandbox.tryton import CHILD_OF, FORMER, PAUSED
from sandbox.world import ClubSpec

PREFIX = "CLUBSYNC_SANDBOX_"

#: The password of every simulated ERP; it protects nothing.
PASSWORD = "sandbox-demo"
#: The signing secret of simulated webhooks (Standard Webhooks); it protects nothing either.
WEBHOOK_SECRET = "whsec_c2FuZGJveC1kZW1vLXdlYmhvb2tzLTIwMjY="
SFTP_USER = "clubsync"


@dataclass(frozen=True)
class Sandbox:
    """Settings of the sandbox: its folder, and its ports on 127.0.0.1.

    :param port: Playtomic, the proxy in front of Tryton, faults and health.
    :param tick: seconds between updates of the exports and of Tryton.
    :param events_per_hour: events per club: new memberships, people leaving, new emails, …
    :param seed: of the world; a different seed generates different people.
    :param tryton: whether to run Tryton; creating its database takes about ten seconds, once.
    """

    folder: Path = Path("var/sandbox")
    port: int = 8700
    sftp_port: int = 8722
    tryton_port: int = 8769
    tick: float = 15.0
    events_per_hour: float = 24.0
    seed: int = 11
    tryton: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Sandbox:
        """`CLUBSYNC_SANDBOX_DIR`, `_PORT`, `_SFTP_PORT`, `_TRYTON_PORT`, `_TICK`, `_EVENTS_PER_HOUR`,
        `_SEED`, `_TRYTON` (0: do not run it).
        """

        def get(name: str, default: object) -> str:
            return environ.get(PREFIX + name) or str(default)

        return cls(
            folder=Path(get("DIR", cls.folder)).absolute(),
            port=int(get("PORT", cls.port)),
            sftp_port=int(get("SFTP_PORT", cls.sftp_port)),
            tryton_port=int(get("TRYTON_PORT", cls.tryton_port)),
            tick=float(get("TICK", cls.tick)),
            events_per_hour=float(get("EVENTS_PER_HOUR", cls.events_per_hour)),
            seed=int(get("SEED", cls.seed)),
            tryton=get("TRYTON", "1") not in ("0", "false", "no"),
        )

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        values = {
            "DIR": self.folder.absolute(),
            "PORT": self.port,
            "SFTP_PORT": self.sftp_port,
            "TRYTON_PORT": self.tryton_port,
            "TICK": self.tick,
            "EVENTS_PER_HOUR": self.events_per_hour,
            "SEED": self.seed,
            "TRYTON": int(self.tryton),
        }
        return {PREFIX + name: str(value) for name, value in values.items()}

    @property
    def url(self) -> str:
        """The base URL of the HTTP server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def drop(self) -> Path:
        """The folder served over SFTP, with one subfolder per club."""
        return self.folder / "drop"

    @property
    def tryton_folder(self) -> Path:
        """The folder of Tryton's database, configuration and log."""
        return self.folder / "tryton"


@dataclass(frozen=True)
class DemoClub:
    """One club of the demo.

    :param options: further keys of the club in clubs.yaml, beside id, name, erp and connection.
    :param zone: IANA name of the club's time zone.
    """

    spec: ClubSpec
    erp: Literal["playtomic", "eversports", "planity", "tryton", "csv"]
    options: Mapping[str, Any] = field(default_factory=dict)
    zone: str = "Europe/Paris"

    @property
    def id(self) -> str:
        """The club id; also its venue id, its export folder and its name in `/_faults`."""
        return self.spec.id

    @property
    def connection(self) -> str:
        """The id of its Airflow connection."""
        return self.id.replace("-", "_")


CLUBS = (
    DemoClub(
        ClubSpec("padel-bordeaux", "Padel Bordeaux Lac", 900),
        "playtomic",
        {"every": "1m", "settings": {"venue_id": "padel-bordeaux"}},
    ),
    DemoClub(
        ClubSpec("padel-chamartin", "Pádel Chamartín", 700, "ES"),
        "playtomic",
        {
            "timezone": "Europe/Madrid",
            "country": "ES",
            "settings": {"venue_id": "padel-chamartin"},
        },
        "Europe/Madrid",
    ),
    DemoClub(
        ClubSpec("boulder-paris", "Boulder Paris 11", 1400),
        "eversports",
        {
            "former_groups": ["Former members"],
            "settings": {"memberships": "memberships*"},
        },
    ),
    DemoClub(
        ClubSpec("yoga-kreuzberg", "Yogastudio Kreuzberg", 450, "DE"),
        "eversports",
        {
            "timezone": "Europe/Berlin",
            "country": "DE",
            "former_groups": ["Former members"],
            "settings": {"customers": "customers*.xlsx", "memberships": "memberships*.xlsx"},
        },
        "Europe/Berlin",
    ),
    DemoClub(ClubSpec("salon-graslin", "Salon Graslin Nantes", 600), "planity"),
    DemoClub(
        ClubSpec("dojo-lille", "Dojo de Lille", 350),
        "tryton",
        {
            "every": "1m",
            "former_groups": [FORMER, PAUSED],
            "settings": {"guardian_relation": CHILD_OF},
        },
    ),
    DemoClub(
        ClubSpec("aviron-annecy", "Aviron d'Annecy", 500),
        "csv",
        {"every": "1m", "settings": exports.CSV_SETTINGS},
    ),
)


def club(club_id: str) -> DemoClub:
    """The club of the demo with this id.

    :raises KeyError: there is none.
    """
    return {c.id: c for c in CLUBS}[club_id]


def zone(club_id: str) -> ZoneInfo:
    """The time zone of a club."""
    return ZoneInfo(club(club_id).zone)


def connections(sandbox: Sandbox) -> dict[str, str]:
    """`AIRFLOW_CONN_<ID>` -> connection as JSON, for every club.

    The SFTP host key is generated here if it does not exist, because the connections pin it.
    """
    key = sftp.host_key(sandbox.folder).export_public_key().decode().split()
    known_hosts = f"[127.0.0.1]:{sandbox.sftp_port} {key[0]} {key[1]}\n"
    out = {}
    for c in CLUBS:
        value: dict[str, Any] = {"conn_type": f"clubsync_{c.erp}", "password": PASSWORD}
        match c.erp:
            case "playtomic":
                value |= {"host": f"{sandbox.url}/playtomic", "login": c.id}
            case "tryton":
                value |= {"host": f"{sandbox.url}/tryton/{c.id}", "login": tryton_server.LOGIN}
            case "csv":
                value = {
                    "conn_type": value["conn_type"],
                    "host": (sandbox.drop / c.id).absolute().as_uri(),
                }
            case _:
                value |= {
                    "host": f"sftp://127.0.0.1:{sandbox.sftp_port}/{c.id}",
                    "login": SFTP_USER,
                    "extra": {"known_hosts": known_hosts},
                }
        value["extra"] = {**value.get("extra", {}), "webhook_secret": WEBHOOK_SECRET}
        out[f"AIRFLOW_CONN_{c.connection.upper()}"] = json.dumps(value)
    return out


HEAD = """\
# yaml-language-server: $schema=clubs.schema.json
# The clubs to sync: here, those of the demo (`python -m sandbox` simulates their ERPs).
# Settings are documented in clubsync/config/model.py; those of one ERP, in docs/settings/.
"""


def clubs_yaml() -> str:
    """The text of `config/clubs.yaml`."""
    document = {
        "defaults": {
            "every": "5m",
            "full_read": "1h",
            "timezone": "Europe/Paris",
            "country": "FR",
            "guard": {"share": "10%", "at_least": 5, "at_most": 200},
        },
        "clubs": [
            {
                "id": c.id,
                "name": c.spec.name,
                "erp": c.erp,
                "connection": c.connection,
                **c.options,
            }
            for c in CLUBS
        ],
    }
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    out = io.StringIO()
    yaml.dump(document, out)
    return HEAD + out.getvalue()
