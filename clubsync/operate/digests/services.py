"""Send a digest to the services of an Apprise connection: chat, SMS, mail, …"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from clubsync.errors import SyncError
from clubsync.operate.digests.delivery import Outcome, address_hash
from clubsync.operate.digests.letter import Letter
from connectors.sdk.base import Connection
from connectors.sdk.messages import message


class ServicesNotSet(SyncError):
    """The connection names no service."""


def is_apprise(connection: Connection) -> bool:
    """Whether the connection is of Apprise: its extra says `config` then, as Airflow's form writes it."""
    return "config" in connection.extra


def notify(connection: Connection, letter: Letter, has_it: Collection[str]) -> Outcome:
    """Tell each service of the connection that does not have it.

    The text is sent, not the HTML: what an ERP wrote is text, also where a service shows Markdown (R19).

    :param has_it: hashes of the services' addresses.
    :raises ServicesNotSet: the connection is not valid.
    """
    from apprise import Apprise, NotifyFormat

    delivered, failed = set[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        attached = None
        if letter.attachment is not None:
            path = Path(folder) / letter.attachment.name
            path.write_bytes(letter.attachment.content)
            attached = str(path)
        services = _services(connection)
        for service in services:
            key = address_hash(service.url())
            if key in has_it:
                continue
            one = Apprise()
            one.add(service)
            told = one.notify(
                title=letter.subject,
                body=letter.text,
                body_format=NotifyFormat.TEXT,
                attach=attached,
            )
            if told:
                delivered.add(key)
            else:
                failed += 1
    if not failed:
        return Outcome(delivered=frozenset(delivered))
    return Outcome(
        delivered=frozenset(delivered),
        problem=message(f"{failed} of {len(services)} services could not be notified."),
        remedy=message(f"Check the connection {connection.id} in Airflow (Admin, Connections)."),
    )


def _services(connection: Connection) -> list[Any]:
    """The services that its `config` names: addresses, or mappings with `path`."""
    from apprise import Apprise

    config = connection.extra["config"]
    found = Apprise()
    for entry in config if isinstance(config, list) else [config]:
        path = entry.get("path") if isinstance(entry, Mapping) else entry
        if not isinstance(path, str) or not found.add(path):
            raise _not_set(connection)
    if not len(found):
        raise _not_set(connection)
    return list(found)


def _not_set(connection: Connection) -> ServicesNotSet:
    return ServicesNotSet(
        f"The connection {connection.id} names no valid Apprise address.",
        remedy="Correct its config in Airflow (Admin, Connections).",
    )
