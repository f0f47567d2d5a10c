"""Outward connections of every connector that speaks HTTP: encrypted, to whom they are meant for, and nobody else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.sdk.base import Connector
from connectors.sdk.errors import ErpUnreachable, SettingsWrong
from tests.contract.case import ConnectorCase, Erp, crowd
from tests.support.tls import self_signed

NAME = "erp.example.com"


@pytest.fixture
def online(erp: Erp) -> Erp:
    """The ERP, with two customers, where it is one that is read over HTTP."""
    if erp.recorder is None:
        pytest.skip("a file is not read over HTTP")
    erp.put(crowd(2))
    erp.recorder.forget()
    return erp


def at(
    connector: Connector[Any], scheme: str, host: str, port: int | None = None
) -> Connector[Any]:
    """The connector, for another server."""
    connection = connector.connection
    parts = urlsplit(connection.host)
    place = f"{host}:{port or parts.port}"
    moved = replace(connection, host=parts._replace(scheme=scheme, netloc=place).geturl())
    return type(connector)(moved, connector.settings, connector.club, now=connector.now)


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DNS that says that `NAME` is this machine: what a rebinding does."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_plain_http_is_refused(online: Erp, resolved: None) -> None:
    """To another machine our key would be sent for everybody to read."""
    with pytest.raises(SettingsWrong, match="http:// address") as told:
        at(online.connector(), "http", NAME).read()
    assert "https://" in told.value.remedy
    assert online.recorder is not None
    assert online.recorder.paths == []


def test_a_name_that_means_this_machine_is_refused(online: Erp, resolved: None) -> None:
    """Before the first byte of a request, the login included."""
    with pytest.raises(SettingsWrong, match="no ERP can be"):
        at(online.connector(http={"allow_plain": True}), "http", NAME).read()
    assert online.recorder is not None
    assert online.recorder.paths == []


class _Counting(BaseHTTPRequestHandler):
    """Says yes to everything."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def imposter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, list[str]]]:
    """A TLS server with a certificate that nobody we know has signed: its port, and what it was asked."""
    file = self_signed(tmp_path_factory.mktemp("tls"))
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Counting,), {"asked": asked}))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()


def test_who_the_server_is_is_verified(online: Erp, imposter: tuple[int, list[str]]) -> None:
    port, asked = imposter
    with pytest.raises(ErpUnreachable, match="TLS certificate is not valid"):
        at(online.connector(), "https", "127.0.0.1", port).read()
    assert asked == []


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[int, list[str]]]:
    """A proxy that lets nothing through: its port, and what it was asked."""
    asked: list[str] = []

    class Proxy(_Counting):
        def do_CONNECT(self) -> None:
            self.asked.append(self.path)
            self.send_error(403)

        def do_GET(self) -> None:
            self.do_CONNECT()

    Proxy.asked = asked
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1], asked
    with suppress(OSError):
        server.shutdown()
        server.server_close()


def test_a_proxy_is_respected(
    online: Erp, proxy: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine's network has one, nothing goes past it; and it is asked for the ERP alone."""
    port, asked = proxy
    asked.clear()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ErpUnreachable):
        at(online.connector(), "https", NAME, 443).read()
    assert set(asked) == {f"{NAME}:443"}


def test_a_redirect_is_not_followed(case: ConnectorCase, online: Erp) -> None:
    """Not to another host, and not to an address of this network: our key would go with it."""
    online.fault("redirect")
    with pytest.raises(SettingsWrong, match="redirects to another address") as told:
        online.connector().read()
    assert "elsewhere" not in str(told.value)


def test_a_flood_of_values_is_refused(online: Erp) -> None:
    with pytest.raises(Exception, match=r"http\.max_values"):
        online.connector(http={"max_values": 1}).read()


def test_all_responses_count_together(online: Erp) -> None:
    with pytest.raises(Exception, match=r"http\.max_total_bytes"):
        online.connector(http={"max_total_bytes": 1}).read()
