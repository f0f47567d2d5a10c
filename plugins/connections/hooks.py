"""Hooks of our connection types, one per ERP: they run *Test* in Airflow's list of connections.

Airflow runs a test in the api-server, while the browser waits, under a generated id; the real id is in
`resolver.tested_id`. `airflow connections test ID`, and tests that are queued for a worker, use the real id.

A connection contains the address of an ERP and the credentials; the venue, file or database of a club is in the
club's settings. So a test of a connection tests every club that uses it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from connectors.registry import CONNECTORS
from connectors.sdk.forms import form_of
from plugins.connections import resolver
from plugins.connections.provider import PREFIX, hook_class_name

if TYPE_CHECKING:
    from clubsync.config import ClubConfig
    from clubsync.operate.connection_check import Checked
    from connectors.sdk.base import Connection

log = logging.getLogger(__name__)

PATIENCE = 45.0
"""Seconds for all clubs together: a person is waiting, and proxies time out after a minute."""

LISTED = 5
"""Clubs whose result is in the message; `clubsync clubs check` lists all."""


class ErpHook(BaseHook):
    """A club's ERP, by connection id."""

    conn_name_attr = "conn_id"
    conn_type: str
    hook_name: str
    erp: str

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Connection:
        """The connection as connectors expect it."""
        return resolver.resolve(self.conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the login works and the ERP has what the clubs' settings name, with a message without secrets."""
        from clubsync.errors import SyncError, place_of
        from connectors.sdk.errors import ConnectorError

        try:
            connection = self.get_conn()
        except SyncError as error:
            return False, str(error)
        try:
            ok, said = self._look(connection)
        except (SyncError, ConnectorError) as error:
            ok, said = False, str(error)
        except Exception as error:
            # its message may contain an address with credentials
            log.critical(
                "Internal error while testing a connection to %s: %s", self.erp, place_of(error)
            )
            ok, said = (
                False,
                (
                    f"Internal error ({type(error).__name__}) while testing. An engineer can find it in "
                    "the log of Airflow's api-server."
                ),
            )
        return ok, _without_secrets(said, connection, self.erp)

    def _look(self, connection: Connection) -> tuple[bool, str]:
        from clubsync import clock
        from clubsync.config import load_config
        from clubsync.operate import connection_check
        from connectors.registry import connector_class

        known = resolver.tested_id.get()
        connection = replace(connection, id=known or self.conn_id)
        clubs = self._clubs(connection, load_config().clubs, only_by_id=known is not None)
        if not clubs:
            cls = connector_class(self.erp)
            found = connection_check.within(
                PATIENCE, lambda: cls.test_connection(connection, now=clock.now)
            )
            return True, (
                f"{found} No club in clubs.yaml uses this connection yet. Test again once one does, to test the "
                "club's settings too."
            )
        return _summary(
            connection_check.check_all(clubs, lambda _: connection, timeout=PATIENCE), self.erp
        )

    def _clubs(
        self, connection: Connection, clubs: Sequence[ClubConfig], *, only_by_id: bool
    ) -> list[ClubConfig]:
        """The clubs that use this connection: by its id or, if that is generated, by address and login."""
        found = [club for club in clubs if club.connection == connection.id]
        if found or only_by_id:
            return found
        ours = [club for club in clubs if club.erp == self.erp]
        same = {
            conn_id
            for conn_id in {club.connection for club in ours}
            if _leads_as(connection, conn_id)
        }
        return [club for club in ours if club.connection in same]


def _leads_as(connection: Connection, conn_id: str) -> bool:
    """Whether the stored connection of that id has the same address and login."""
    from clubsync.errors import ConnectionMissing

    try:
        other = resolver.resolve(conn_id)
    except ConnectionMissing:
        return False
    return (other.host, other.port, other.login) == (
        connection.host,
        connection.port,
        connection.login,
    )


def _summary(checked: Sequence[Checked], erp: str) -> tuple[bool, str]:
    """The results of all clubs, failed ones first."""
    bad = [one for one in checked if not one.ok]
    said = [
        f"{one.club.name} ({one.club.id}): {one.found}" + (f" {one.remedy}" if one.remedy else "")
        for one in sorted(checked, key=lambda one: one.ok)[:LISTED]
    ]
    if len(checked) > 1:
        said.insert(
            0,
            f"{len(bad)} of {len(checked)} clubs cannot be synced."
            if bad
            else f"All {len(checked)} clubs of this connection can be synced.",
        )
    if len(checked) > LISTED:
        said.append("`clubsync clubs check` lists them all.")
    if others := sorted({one.club.erp for one in checked} - {erp}):
        said.append(
            f"clubs.yaml uses this connection for {' and '.join(others)}: "
            f"its type should be {' or '.join(PREFIX + other for other in others)}."
        )
    return not bad, " ".join(said)


def _without_secrets(said: str, connection: Connection, erp: str) -> str:
    """Connectors do not put secrets into messages; this is the second line of defence."""
    secrets = [connection.password]
    secrets += [connection.extra.get(field.name) for field in form_of(erp).fields if field.secret]
    for secret in secrets:
        if secret and len(str(secret)) > 3:
            said = said.replace(str(secret), "***")
    return said


def _hook_class(erp: str) -> type[ErpHook]:
    attributes: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": f"{form_of(erp).title}.",
        "conn_type": PREFIX + erp,
        "hook_name": f"clubsync: {form_of(erp).title}",
        "erp": erp,
    }
    return type(hook_class_name(erp), (ErpHook,), attributes)


globals().update({hook_class_name(erp): _hook_class(erp) for erp in CONNECTORS})
