"""Whom a request may go to: TLS unless it stays on this machine, and no address where no ERP can be.

What a server's name means is decided by whoever runs its DNS, again at every request. A name that is public today and
means the machine's own metadata service tomorrow would be sent the club's key. So the address that was connected to is
looked at before the first byte is sent.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from connectors.sdk.errors import SettingsWrong

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Ways to write an address that only some programs understand: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
_ODD_ADDRESS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
#: IPv6 prefixes with an IPv4 address in their last 32 bits: NAT64, and the compatible form.
_WITH_IPV4 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
#: Not private by Python's list, and not public either: the addresses of providers' own networks (RFC 6598).
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")


class PeerRefused(Exception):
    """The address that a name means is none of an ERP. :param private: a setting allows it."""

    def __init__(self, *, private: bool) -> None:
        super().__init__()
        self.private = private


def literal(host: str) -> Address | None:
    """The address that a host is, where it is one and no name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_odd_address(host: str) -> bool:
    """Whether a host is an address in a form in which it does not look like the one that it is."""
    return literal(host) is None and _ODD_ADDRESS.fullmatch(host) is not None


def is_this_machine(host: str) -> bool:
    """Whether a host says of itself that it is this machine."""
    found = literal(host)
    return host.lower().rstrip(".") == "localhost" if found is None else _plain(found).is_loopback


def check_transport(base: str, *, plain: bool) -> None:
    """Check that what is sent to an address cannot be read on the way.

    :param plain: the club's settings allow HTTP without TLS.
    :raises SettingsWrong: it could.
    """
    parts = urlsplit(base)
    if parts.scheme == "https" or plain or is_this_machine(parts.hostname or ""):
        return
    raise SettingsWrong(
        "The connection's host is an http:// address: our key and the customers could be read on the way.",
        remedy="Write it with https://. In a network of your own, where nobody else can listen, allow it by "
        "`http: {allow_plain: true}` in the club's settings.",
    )


def check_peer(host: str, address: str, *, private: bool) -> None:
    """Check the address that was connected to.

    :param host: as the connection or the settings name it.
    :param address: of the peer, as the socket has it.
    :param private: the club's settings allow addresses of private networks.
    :raises PeerRefused: nothing may be sent there.
    """
    found = literal(address)
    if found is None:
        return  # a Unix socket
    peer = _plain(found)
    if peer.is_loopback:
        if not is_this_machine(host):
            raise PeerRefused(private=False)
        return
    if peer.is_link_local or peer.is_multicast or peer.is_unspecified or peer.is_reserved:
        raise PeerRefused(private=False)
    of_a_network = peer.is_private or (peer.version == 4 and peer in _SHARED)
    # whoever writes the address itself means it
    if of_a_network and not private and literal(host) is None:
        raise PeerRefused(private=True)


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as one of IPv6, as itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inside is None and address not in (
        ipaddress.IPv6Address("::1"),
        ipaddress.IPv6Address("::"),
    ):
        in_it = any(address in network for network in _WITH_IPV4)
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if in_it else None
    return inside or address
