"""From a connection's host to a base address."""

from __future__ import annotations

from urllib.parse import urlsplit

from connectors.sdk.base import Connection
from connectors.sdk.errors import SettingsWrong
from connectors.sdk.http.peers import is_odd_address


def base_address(connection: Connection) -> str:
    """The connection's base address, with scheme and port, without a trailing slash.

    A host without a scheme means https. Credentials inside the address are rejected: they would end up in logs.

    :raises SettingsWrong: no host, not http, or with credentials, a query or a fragment in it.
    """
    host = connection.host.strip()
    if not host:
        raise SettingsWrong(f"The connection {connection.id} has no host.")
    if "://" not in host:
        host = f"https://{host}"
    try:
        parts = urlsplit(host)
        port = parts.port or connection.port
    except ValueError:
        raise SettingsWrong(
            f"The host of connection {connection.id} is not a valid address."
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsWrong(f"The host of connection {connection.id} is not an HTTP address.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsWrong(
            f"The host of connection {connection.id} must be a plain address: "
            "credentials and keys have their own fields."
        )
    if is_odd_address(parts.hostname):
        raise SettingsWrong(
            f"The host of connection {connection.id} is an address in an unusual form.",
            remedy="Write the name of the server, or its address as four numbers.",
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
