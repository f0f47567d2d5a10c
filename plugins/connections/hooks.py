"""The hooks of our connection types, one per ERP: what stands behind Test in Airflow's list of connections.

Airflow runs a test in the api-server, while the browser waits, under an id made up for it; the id that
was asked for comes by `airflow_connections.tested_id`. `airflow connections test ID` and a test that is
queued for a worker use the real one.

A connection says where an ERP is and how to log in; which venue, file or database is whose stands in the
clubs' settings. So a test is the test of every club that names the connection.
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
"""Seconds for everything together: a person waits, and proxies give up after a minute."""

TOLD = 5
"""Of how many clubs a sentence names the outcome; the shell has the whole table."""


class ErpHook(BaseHook):
    """A club's ERP, by the id of its connection."""

    conn_name_attr = "conn_id"
    conn_type: str
    hook_name: str
    erp: str

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Connection:
        """The connection in the form that connectors take."""
        return resolver.resolve(self.conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Whether the ERP lets us in and has what the clubs' settings name, in sentences without secrets."""
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
            # Its message may quote an address with credentials in it.
            log.critical(
                "Internal error while testing a connection to %s: %s", self.erp, place_of(error)
            )
            ok, said = (
                False,
                (
                    f"The test itself failed ({type(error).__name__}): the log of Airflow's api-server says at what. "
                    "An engineer has to look."
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
                f"{found} No club in clubs.yaml names this connection yet; once one does, test again: "
                "the club's own settings are tested then."
            )
        return _told(
            connection_check.check_all(clubs, lambda _: connection, timeout=PATIENCE), self.erp
        )

    def _clubs(
        self, connection: Connection, clubs: Sequence[ClubConfig], *, only_by_id: bool
    ) -> list[ClubConfig]:
        """The clubs that are read through this connection.

        By its id; where that may be made up, else by where it leads and who logs in there.
        """
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
    """Whether the stored connection of that id leads to the same place with the same log-in."""
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


def _told(checked: Sequence[Checked], erp: str) -> tuple[bool, str]:
    """The outcome of all, those first who need something done."""
    bad = [one for one in checked if not one.ok]
    said = [
        f"{one.club.name} ({one.club.id}): {one.found}" + (f" {one.remedy}" if one.remedy else "")
        for one in sorted(checked, key=lambda one: one.ok)[:TOLD]
    ]
    if len(checked) > 1:
        said.insert(
            0,
            f"{len(bad)} of {len(checked)} clubs cannot be read."
            if bad
            else f"All {len(checked)} clubs of this connection can be read.",
        )
    if len(checked) > TOLD:
        said.append("`clubsync clubs check` lists them all.")
    if others := sorted({one.club.erp for one in checked} - {erp}):
        said.append(
            f"In clubs.yaml it is used for {' and '.join(others)}: "
            f"the connection's type should be {' or '.join(PREFIX + other for other in others)}."
        )
    return not bad, " ".join(said)


def _without_secrets(said: str, connection: Connection, erp: str) -> str:
    """Connectors tell no secrets; should one come to, it goes no further."""
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
