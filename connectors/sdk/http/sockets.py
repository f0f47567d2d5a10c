"""The deadline of a reading, enforced on its sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from connectors.sdk.http.peers import PeerRefused, check_peer


class Session(requests.Session):
    """A session that asks the environment about proxies and certificates once per host, and not at every request.

    `requests` looks through all of the environment twice a request, which costs a third of a request's CPU time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._settings: dict[tuple[str, str], dict[str, Any]] = {}

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """What the environment says of an address; the arguments are the same at every request of ours."""
        to = urlsplit(str(url))
        host = to.scheme, to.netloc
        if host not in self._settings:
            found = super().merge_environment_settings(url, proxies, stream, verify, cert)
            self._settings[host] = dict(found)
        return dict(self._settings[host])


class InterruptibleAdapter(HTTPAdapter):
    """Knows the sockets of its connections, so that it can close them when a reading's time is up.

    Timeouts alone do not achieve that: each counts from the last byte, and a server that sends a byte every few
    seconds would hold a reading for days. It also looks at the address that a name meant, before anything is sent
    there (`peers`); behind a proxy that is the proxy's task.

    :param private: the club's settings allow addresses of private networks.
    """

    def __init__(self, *, private: bool = False) -> None:
        super().__init__()
        self._private = private
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = False
        self.poolmanager.pool_classes_by_scheme = self._watched(direct=True)

    def _watched(self, *, direct: bool) -> dict[str, Any]:
        """Pools whose connections are known here.

        :param direct: they lead to the ERP itself, and not to a proxy.
        """
        pools: dict[str, Any] = {}
        for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool)):
            plain = pool.ConnectionCls
            own = {"connect": self._connect(plain)}
            if direct:
                own["_new_conn"] = self._new_conn(plain)
            watched = type("Watched", (plain,), own)
            pools[scheme] = type("WatchedPool", (pool,), {"ConnectionCls": watched})
        return pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The manager of a proxy from the environment, watched as well."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._watched(direct=False)
        return manager

    def _new_conn(self, cls: type[Any]) -> Callable[[Any], Any]:
        def new_conn(connection: Any) -> Any:
            sock = cls._new_conn(connection)
            try:
                check_peer(connection.host, str(sock.getpeername()[0]), private=self._private)
            except (PeerRefused, OSError):
                sock.close()
                raise
            return sock

        return new_conn

    def _connect(self, cls: type[Any]) -> Callable[[Any], None]:
        def connect(connection: Any) -> None:
            cls.connect(connection)
            with self._lock:
                self._open = {s for s in self._open if s.fileno() != -1} | {connection.sock}
                if self._over:
                    _shut(connection.sock)

        return connect

    def interrupt(self) -> None:
        """End every transfer, and whatever is opened from now on."""
        with self._lock:
            self._over = True
            for sock in self._open:
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        # the plain socket's own method, also for a TLS socket, whose reader is busy in another thread
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
