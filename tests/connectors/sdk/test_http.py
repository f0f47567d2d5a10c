"""`connectors.sdk.http` against a real server on 127.0.0.1 whose responses the tests write."""

from __future__ import annotations

import gzip
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.sdk.base import Connection
from connectors.sdk.errors import (
    ContractChanged,
    CredentialsRefused,
    ErpUnreachable,
    LimitExceeded,
    RateLimited,
    SettingsWrong,
)
from connectors.sdk.http import Http, HttpLimits, base_address, requested_wait
from connectors.sdk.unchanged import Received, Unchanged

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Maybe(msgspec.Struct):
    n: int | None


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b'{"n": 1}'
    headers: dict[str, str] = field(default_factory=dict)
    #: what Content-Length claims; None: the truth.
    length: int | None = None


@dataclass
class Server:
    """Answers in order; the last one again and again."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server([Answer()])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.command, self.path, dict(self.headers), body))
            answer = told.next()
            self.send_response(answer.status)
            length = len(answer.body) if answer.length is None else answer.length
            for name, value in {"Content-Length": str(length), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.length is not None

        do_GET = do_POST = answer  # noqa: N815  # names of the base class

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = httpd.server_address[1]
    thread = Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield told
    httpd.shutdown()
    httpd.server_close()
    thread.join(5)


@dataclass
class Sleeper:
    """A sleep that only counts."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def http(
    server: Server,
    sleep: Callable[[float], None] = lambda _: None,
    login: Callable[[Http], str] | None = None,
    headers: dict[str, str] | None = None,
    **limits: object,
) -> Http:
    return Http(
        f"http://127.0.0.1:{server.port}",
        "Testerp",
        HttpLimits(**limits),
        now=lambda: NOW,
        headers=headers,
        login=login,
        sleep=sleep,
    )


class Found(msgspec.Struct):
    n: int


def test_parses_and_drops_what_is_not_named(server: Server) -> None:
    """R19: fields that the type does not name never become objects."""
    server.answers = [Answer(body=b'{"n": 1, "iban": "FR76"}')]
    found = http(server).json("GET", "/x", Found, params={"q": "a+b@c"})
    assert found == Found(1)
    assert server.asked[0][1] == "/x?q=a%2Bb%40c"


def test_a_key_in_a_header_goes_with_every_request(server: Server) -> None:
    """Also with those that log in."""
    asking = http(
        server,
        login=lambda h: f"t{h.json('POST', '/t', Found, login=False).n}",
        headers={"x-api-key": "k"},
    )
    asking.json("GET", "/x", Found)
    assert [(a[1], a[2]["x-api-key"]) for a in server.asked] == [("/t", "k"), ("/x", "k")]


def test_a_key_that_no_header_can_hold_is_said_without_it(server: Server) -> None:
    """R19: neither in the sentence nor in what it came from."""
    for key in ("se\ncret", "secr€t"):
        with pytest.raises(SettingsWrong) as told:
            http(server, headers={"x-api-key": key}).json("GET", "/x", Found)
        assert key not in f"{told.value!r}"
        assert told.value.__suppress_context__


def test_gzip(server: Server) -> None:
    """Packed answers are unpacked."""
    server.answers = [Answer(body=gzip.compress(b'{"n": 2}'), headers={"Content-Encoding": "gzip"})]
    assert http(server).json("GET", "/x", Found).n == 2


@pytest.mark.parametrize(
    "passing",
    [
        Answer(500),
        Answer(502),
        Answer(408),
        Answer(429),
        Answer(429, headers={"Retry-After": "1"}),
        Answer(420),
        Answer(421),
        Answer(403, headers={"Retry-After": "1"}),
        Answer(403, headers={"X-RateLimit-Remaining": "0"}),
        Answer(403, headers={"RateLimit": '"default";r=0'}),
        Answer(503, headers={"Retry-After": "1"}),
        Answer(503, headers={"RateLimit": "limit=1, remaining=0, reset=1"}),
        Answer(body=b'{"n": '),
        Answer(body=b""),
        Answer(body=b'{"n"', length=100),
    ],
)
def test_what_passes_is_tried_again(server: Server, passing: Answer) -> None:
    """One bad moment leaves no trace; a stated wait is obeyed."""
    server.answers = [passing, Answer()]
    sleep = Sleeper()
    assert http(server, sleep).json("GET", "/x", Found).n == 1
    assert len(server.asked) == 2
    assert len(sleep.slept) == 1
    if "Retry-After" in passing.headers:
        assert sleep.slept == [1.0]


@pytest.mark.parametrize(
    ("lasting", "error"),
    [
        (Answer(500), ErpUnreachable),
        (Answer(408), ErpUnreachable),
        (Answer(429), RateLimited),
        (Answer(421), RateLimited),
        (Answer(body=b'{"n": '), ErpUnreachable),
        (Answer(body=b""), ErpUnreachable),
        (Answer(body=b'{"n"', length=100), ErpUnreachable),
        (Answer(headers={"Content-Encoding": "gzip"}), ErpUnreachable),
    ],
)
def test_what_lasts_fails(server: Server, lasting: Answer, error: type[Exception]) -> None:
    """Every attempt is used, then it is said."""
    server.answers = [lasting]
    with pytest.raises(error):
        http(server, attempts=3).json("GET", "/x", Found)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401), CredentialsRefused),
        (Answer(403), CredentialsRefused),
        (Answer(403, headers={"X-RateLimit-Remaining": "9"}), CredentialsRefused),
        (Answer(403, headers={"RateLimit": '"default";r=9;t=1'}), CredentialsRefused),
        (Answer(403, headers={"Retry-After": "3600"}), RateLimited),
        (Answer(420, headers={"X-RateLimit-Reset-After": "3600"}), RateLimited),
        (Answer(503, headers={"Retry-After": str(int(time.time()) + 3600)}), ErpUnreachable),
        (Answer(404), SettingsWrong),
        (Answer(302, headers={"Location": "http://elsewhere.example.com/"}), SettingsWrong),
        (Answer(400), ContractChanged),
        (Answer(422), ContractChanged),
        (Answer(body=b"[" * 10 + b" " * 2000), LimitExceeded),
        (Answer(503, headers={"Retry-After": "3600"}), ErpUnreachable),
    ],
)
def test_what_will_not_pass_is_said_at_once(
    server: Server, answer: Answer, error: type[Exception]
) -> None:
    """One request, and a sentence without what the answer held (R19)."""
    server.answers = [answer]
    with pytest.raises(error) as told:
        http(server, max_bytes=1000).json("GET", "/x", Found, params={"key": "s3cret"})
    assert len(server.asked) == 1
    assert "s3cret" not in str(told.value)
    assert "secret@example.com" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None


@pytest.mark.parametrize(
    "odd",
    [
        b"<!doctype html><p>Log in",
        b"n=1",
        b'{"m": 1}',
        b'{"n": "secret@example.com"}',
    ],
)
def test_an_odd_answer_is_asked_for_again_once(server: Server, odd: bytes) -> None:
    """R25: a gateway's page is gone a second later; what comes twice is said, without what it held (R19)."""
    server.answers = [Answer(body=odd), Answer()]
    assert http(server).json("GET", "/x", Found).n == 1
    server.answers = [Answer(body=odd)]
    server.asked.clear()
    with pytest.raises(ContractChanged) as told:
        http(server, attempts=5).json("GET", "/x", Found)
    assert len(server.asked) == 2
    assert "secret@example.com" not in str(told.value)
    assert told.value.__suppress_context__


def test_compressed_in_another_way_than_it_says(server: Server) -> None:
    """gzip without its header, and the header without gzip: each is told as what it is."""
    server.answers = [Answer(body=gzip.compress(b'{"n": 1}'))]
    with pytest.raises(ContractChanged, match="a gzip file that it does not mark as one"):
        http(server).json("GET", "/x", Found)
    server.answers = [Answer(headers={"Content-Encoding": "gzip"})]
    with pytest.raises(ErpUnreachable, match="not compressed as its header Content-Encoding says"):
        http(server, attempts=2).json("GET", "/x", Found)


def test_a_long_wait_is_handed_on(server: Server) -> None:
    """R25: a 429 that says an hour becomes the club's next time, and is not waited for."""
    server.answers = [Answer(429, headers={"Retry-After": "3600"})]
    sleep = Sleeper()
    with pytest.raises(RateLimited) as told:
        http(server, sleep).json("GET", "/x", Found)
    assert told.value.retry_after == timedelta(hours=1)
    assert sleep.slept == []


def test_a_wait_of_nothing_is_no_busy_loop(server: Server) -> None:
    """Retry-After: 0 falls back on our own pauses."""
    server.answers = [Answer(429, headers={"Retry-After": "0"}), Answer()]
    sleep = Sleeper()
    http(server, sleep, backoff=0.5).json("GET", "/x", Found)
    assert sleep.slept[0] >= 0.5


def test_pauses_grow_and_are_bounded(server: Server) -> None:
    """Between attempts, up to the longest wait."""
    server.answers = [Answer(500)]
    sleep = Sleeper()
    with pytest.raises(ErpUnreachable):
        http(server, sleep, attempts=6, backoff=0.5, longest_wait=2).json("GET", "/x", Found)
    assert len(sleep.slept) == 5
    assert sleep.slept[0] < sleep.slept[2]
    assert max(sleep.slept) <= 2


def test_nobody_listens(unused_port: int) -> None:
    """No connection."""
    with pytest.raises(ErpUnreachable) as told:
        http(Server(port=unused_port), attempts=2).json("GET", "/x", Found, params={"k": "s3cret"})
    assert "s3cret" not in str(told.value)


def test_time_is_up(server: Server) -> None:
    """The cap on a whole reading counts across requests."""
    conversation = http(server, max_seconds=0.000001)
    with pytest.raises(ErpUnreachable, match="took longer"):
        conversation.json("GET", "/x", Found)
    assert server.asked == []


def test_log_in_once_and_again_when_it_ran_out(server: Server) -> None:
    """A log-in serves many requests; a 401 gets one new one."""
    given = iter(["Bearer one", "Bearer two", "Bearer three"])
    server.answers = [Answer(), Answer(), Answer(401), Answer(), Answer(401), Answer(401)]
    conversation = http(server, login=lambda _: next(given))
    for _ in range(3):
        conversation.json("GET", "/x", Found)
    tokens = [headers["Authorization"] for _, _, headers, _ in server.asked]
    assert tokens == ["Bearer one", "Bearer one", "Bearer one", "Bearer two"]
    with pytest.raises(CredentialsRefused):
        conversation.json("GET", "/x", Found)
    assert len(server.asked) == 6


def test_log_in_never_comes_from_netrc(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A club is read with its own log-in or with none (R21)."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    http(server).json("GET", "/x", Found)
    assert "Authorization" not in server.asked[0][2]


def test_no_query_in_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs whole addresses at DEBUG; ours lose their queries (R19)."""
    caplog.set_level(logging.DEBUG)
    http(server).json("GET", "/members", Found, params={"api_key": "s3cret"})
    assert "/members" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "Sat, 21 Nov 2026 10:01:00 GMT"}, 60),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 0),
        # the server's own clock counts, not ours
        (
            {"Retry-After": "Sat, 21 Nov 2026 10:01:00 GMT"}
            | {"Date": "Sat, 21 Nov 2026 10:00:30 GMT"},
            30,
        ),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "soon", "RateLimit-Reset": "9"}, 9),
        ({"X-Rate-Limit-Reset": str(int(NOW.timestamp() * 1000) + 5000)}, 5),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 5)}, 5),
        # an epoch in Retry-After, in seconds and in milliseconds
        ({"Retry-After": str(int(NOW.timestamp()) + 8)}, 8),
        ({"Retry-After": str(int(NOW.timestamp() * 1000) + 8000)}, 8),
        # the drafts of the IETF's RateLimit, and resets that say that they are a wait
        ({"RateLimit": "limit=100, remaining=0, reset=30"}, 30),
        ({"RateLimit": "limit=100, remaining=4, reset=30"}, None),
        ({"RateLimit": '"default";r=0;t=31'}, 31),
        ({"RateLimit": '"burst";r=3;t=5, "day";r=0;t=600'}, 600),
        ({"RateLimit": '"default";r=7;t=31'}, None),
        ({"RateLimit": '"default"'}, None),
        ({"X-RateLimit-Reset-After": "1.5", "X-RateLimit-Remaining": "0"}, 1.5),
        ({"RateLimit-Reset-After": "12"}, 12),
        # a counter that is not at nothing is not why
        (
            {"X-Quota-Reset": str(int(NOW.timestamp() * 1000) + 86_400_000)}
            | {"X-Quota-Remaining": "812"}
            | {"X-Rate-Limit-Reset": str(int(NOW.timestamp() * 1000) + 5000)}
            | {"X-Rate-Limit-Remaining": "0"},
            5,
        ),
    ],
)
def test_requested_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Every way of saying "not now" that docs/erps/ knows of."""
    wait = requested_wait(headers, NOW)
    assert (None if wait is None else wait.total_seconds()) == seconds


@pytest.mark.parametrize(
    ("host", "port", "base"),
    [
        ("https://erp.example.com/", None, "https://erp.example.com"),
        ("erp.example.com/api", None, "https://erp.example.com/api"),
        ("http://127.0.0.1", 8000, "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8001/club/", 8000, "http://127.0.0.1:8001/club"),
        ("http://[::1]:8001", None, "http://[::1]:8001"),
    ],
)
def test_base_address(host: str, port: int | None, base: str) -> None:
    """A host as people and Airflow write it."""
    assert base_address(Connection("c", host, port=port)) == base


@pytest.mark.parametrize(
    "host",
    [
        "",
        "ftp://x",
        "http://",
        "http://x:y",
        "http://me:s3cret@x",
        "http://x/?key=s3cret",
        "http://x#s3cret",
    ],
)
def test_base_address_refused(host: str) -> None:
    """And how they should not; without repeating the secret in it."""
    with pytest.raises(SettingsWrong) as told:
        base_address(Connection("c", host))
    assert "s3cret" not in str(told.value)


def test_connections_at_a_time(server: Server) -> None:
    """As many to one host as the ERP allows, of all clubs that this process reads there."""
    busy, most, lock, go_on = 0, 0, Lock(), Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server asks for
            nonlocal busy, most
            with lock:
                busy += 1
                most = max(most, busy)
                if busy == 2:
                    go_on.set()
            go_on.wait(10)
            with lock:
                busy -= 1
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b'{"n": 1}')

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    told = Server(port=httpd.server_address[1])
    try:
        with ThreadPoolExecutor(8) as pool:
            clubs = [http(told, connections=2, attempts=1) for _ in range(8)]
            found = list(pool.map(lambda club: club.json("GET", "/x", Found).n, clubs))
    finally:
        httpd.shutdown()
        httpd.server_close()
    assert found == [1] * 8
    assert most == 2


def test_no_slot_in_time(server: Server) -> None:
    """Waiting for a slot takes no longer than a reading may take."""
    first = http(server, connections=1, max_seconds=0.2)
    with (
        first._throttle.slot(HttpLimits(connections=1), 1, lambda _: None),
        pytest.raises(ErpUnreachable, match="took longer"),
    ):
        first.json("GET", "/x", Found)
    assert server.asked == []


def test_requests_a_second(server: Server) -> None:
    """Asked more often than the ERP likes, the pauses are made before, not after a 429."""
    sleep = Sleeper()
    conversation = http(server, sleep, per_second=0.01)
    for _ in range(3):
        conversation.json("GET", "/x", Found)
    assert len(sleep.slept) == 2
    assert sleep.slept[0] == pytest.approx(100, abs=5)
    assert sleep.slept[1] == pytest.approx(200, abs=5)


def test_a_form_headers_and_an_empty_status(server: Server) -> None:
    """What `request` can do beyond `json`."""
    server.answers = [Answer(404, headers={"X-Total": "0"})]
    reply = http(server).request(
        "POST",
        "/x",
        Found,
        form={"a": "b c"},
        headers={"X-Y": "z"},
        empty_statuses=frozenset({404}),
    )
    assert (reply.value, reply.status, reply.headers["x-total"]) == (None, 404, "0")
    _, _, headers, body = server.asked[0]
    assert (headers["X-Y"], body) == ("z", b"a=b+c")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b'{"error": "none"}', b"\xef\xbb\xbfnull"])
def test_an_empty_status_of_the_erp_s_own(server: Server, body: bytes) -> None:
    server.answers = [Answer(404, body)]
    empty = frozenset({404})
    assert http(server).request("GET", "/x", Found, empty_statuses=empty).value is None


@pytest.mark.parametrize(
    "body",
    [b"<html>Not found", b"404 page not found", b"default backend - 404", b"\xff", b'{"error"'],
)
def test_an_empty_status_of_a_gateway_says_nothing(server: Server, body: bytes) -> None:
    """R14: an ERP that is being restarted is not a list that has ended; it is asked again."""
    server.answers = [Answer(404, body), Answer()]
    empty = frozenset({404, 416})
    assert http(server).request("GET", "/x", Found, empty_statuses=empty).value == Found(1)
    server.answers = [Answer(404, body)]
    with pytest.raises(ErpUnreachable, match="404"):
        http(server).request("GET", "/x", Found, empty_statuses=empty)
    server.answers = [Answer(416, body)]
    assert http(server).request("GET", "/x", Found, empty_statuses=empty).value is None


def test_a_number_of_too_many_digits_is_that_record_s(server: Server) -> None:
    """R3: what is odd of one record stops no club."""
    rows = ", ".join([f'{{"n": 1{"0" * 5000}}}'] + ['{"n": 1}'] * 11)
    server.answers = [Answer(body=f"[{rows}]".encode())]
    found = http(server).json("GET", "/x", list[Maybe])
    assert found == [Maybe(None)] + [Maybe(1)] * 11


def test_an_error_in_a_200_is_treated_like_a_status(server: Server) -> None:
    """A temporary error is tried again; a long wait is passed on."""
    server.answers = [Answer(body=b'{"n": 0}'), Answer()]

    def check(found: Found) -> None:
        if found.n == 0:
            raise ErpUnreachable("Not now.")
        if found.n == 2:
            raise RateLimited("Later.", retry_after=timedelta(hours=1))

    assert http(server).request("GET", "/x", Found, error_check=check).value == Found(1)
    server.answers = [Answer(body=b'{"n": 2}')]
    with pytest.raises(RateLimited):
        http(server).request("GET", "/x", Found, error_check=check)
    assert len(server.asked) == 3


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[int, Path, Event]]:
    """A server with a self-signed certificate: its port, the certificate, and when it may stop.

    `/drip` sends a byte now and then, endlessly.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "tls.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while self.path == "/drip" and not over.is_set():
                    self.wfile.write(b" ")
                    over.wait(0.02)
                self.wfile.write(b'{"n": 1}')

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    yield httpd.server_address[1], file, over
    over.set()
    httpd.shutdown()
    httpd.server_close()


def test_over_tls(tls: tuple[int, Path, Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who the server is, is checked; and a drip is cut there too."""
    port, file, _ = tls

    def reader(**limits: object) -> Http:
        return Http(f"https://127.0.0.1:{port}", "Testerp", HttpLimits(**limits), now=lambda: NOW)

    with reader() as conversation, pytest.raises(ErpUnreachable, match="certificate"):
        conversation.json("GET", "/x", Found)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with reader() as conversation:
        assert conversation.json("GET", "/x", Found).n == 1
    with (
        reader(max_seconds=0.5) as conversation,
        pytest.raises(ErpUnreachable, match="took longer"),
    ):
        conversation.json("GET", "/drip", Found)


def test_a_proxy_of_the_environment_is_used_for_every_request(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says of a host is looked up once: also that a host is reached without the proxy."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    asking = Http("http://localhost:9", "Testerp", HttpLimits(), now=lambda: NOW)
    asking.json("GET", "/x", Found)
    asking.json("GET", "/y", Found)
    assert [path for _, path, _, _ in server.asked] == [
        "http://localhost:9/x",
        "http://localhost:9/y",
    ]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http(server).json("GET", "/z", Found)
    assert server.asked[-1][1] == "/z"


def test_what_a_scout_has_heard_is_not_asked_for_again(server: Server) -> None:
    """R14: a reading whose pages are not those of the last one is made of the pages that were found to be others."""
    received = Received(b"key", before=b"another reading")
    asking = Http(
        f"http://127.0.0.1:{server.port}",
        "Testerp",
        HttpLimits(attempts=1),
        now=lambda: NOW,
        received=received,
    )
    server.answers = [Answer(body=b'{"n": 1}'), Answer(body=b'{"n": 2}'), Answer(status=500)]

    def walk() -> list[int]:
        return [asking.json("GET", f"/{page}", Found).n for page in "abc"]

    asking.scout(NOW, walk)
    assert len(server.asked) == 3
    server.answers = [Answer(body=b'{"n": 9}')]
    assert asking.json("GET", "/a", Found).n == 1
    assert asking.json("GET", "/b", Found).n == 2
    assert received.hash is not None
    with pytest.raises(ErpUnreachable):
        asking.json("GET", "/c", Found)
    assert len(server.asked) == 3
    assert received.hash is None  # nothing is compared with what failed
    assert asking.json("GET", "/d", Found).n == 9


def test_another_request_than_the_scouts_is_sent(server: Server) -> None:
    """R14: what a scout has heard answers its own requests, in their order, and no others."""
    asking = Http(
        f"http://127.0.0.1:{server.port}",
        "Testerp",
        HttpLimits(),
        now=lambda: NOW,
        received=Received(b"key", before=b"another reading"),
    )
    asking.scout(NOW, lambda: [asking.json("GET", f"/{page}", Found) for page in "ab"])
    server.answers = [Answer(body=b'{"n": 9}')]
    assert asking.json("GET", "/b", Found).n == 9
    assert asking.json("GET", "/a", Found).n == 9


def test_the_same_responses_are_unchanged(server: Server) -> None:
    """R17: the same bytes to the same requests; another header of paging is another response."""

    def read(before: bytes | None) -> bytes | None:
        received = Received(b"key", before)
        with Http(
            f"http://127.0.0.1:{server.port}",
            "Testerp",
            HttpLimits(),
            now=lambda: NOW,
            received=received,
        ) as asking:
            asking.scout(NOW, lambda: asking.json("GET", "/a", Found))
            asking.json("GET", "/a", Found)
        return received.hash

    first = read(None)
    with pytest.raises(Unchanged) as found:
        read(first)
    assert found.value.as_of == NOW
    server.answers = [Answer(headers={"Link": '</a?2>; rel="next"'})]
    assert read(first) not in (None, first)
