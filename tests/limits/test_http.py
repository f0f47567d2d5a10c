"""Small responses, large costs; and addresses in disguise."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk import odd
from connectors.sdk.base import Connection
from connectors.sdk.errors import ContractChanged, LimitExceeded, SettingsWrong
from connectors.sdk.http import HttpLimits, base_address, requested_wait
from connectors.sdk.http.peers import PeerRefused, check_peer, check_transport
from connectors.sdk.http.sizes import check_json
from connectors.sdk.http.throttling import LONGEST_WAIT
from tests.support.measured import MEGABYTE, measured

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HERE = "The ERP (GET /x)"


# Values -------------------------------------------------------------------------------------------

PARSE = """
from connectors.sdk.errors import ConnectorError
from connectors.sdk.http import HttpLimits
from connectors.sdk.http.responses import parsed
from connectors.sdk.http.sizes import check_json
def read(content):
    check_json(content, HttpLimits(), "here")
    parsed(content, object, "here")
read(b'[{"a": 1}]')
"""


@pytest.mark.parametrize(
    "content",
    [
        "b'[' + b'{},' * 20_000_000 + b'{}]'",
        "b'[' + b'[],' * 20_000_000 + b'[]]'",
        "b'[' * 40_000_000",
    ],
    ids=["objects", "lists", "a well"],
)
def test_sixty_megabytes_of_nothing(content: str) -> None:
    """Took 4.3 GB; now what the text itself takes, and its copy."""
    found = measured("read(content)", f"{PARSE}\ncontent = {content}")
    assert found.kind in ("LimitExceeded", "ContractChanged"), found.said
    assert found.grown < 200 * MEGABYTE


def test_brackets_and_commas_in_texts_do_not_count() -> None:
    few = HttpLimits(max_values=20, max_depth=5)
    check_json(json.dumps([{"note": '[{,\\"' * 1000}]).encode(), few, HERE)
    with pytest.raises(LimitExceeded, match="more than 20 values"):
        check_json(json.dumps(list(range(30))).encode(), few, HERE)
    with pytest.raises(ContractChanged, match="nested too deeply"):
        check_json(b"[[[[[[1]]]]]]", few, HERE)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_count_is_never_less_than_there_are(value: object) -> None:
    def count(one: object) -> int:
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return 1 + sum(map(count, inside))

    many = count(value)
    if many > 1:
        with pytest.raises(LimitExceeded):
            check_json(json.dumps(value).encode(), HttpLimits(max_values=many // 3 or 1), HERE)
    check_json(json.dumps(value).encode(), HttpLimits(max_values=2 * many, max_depth=200), HERE)


def test_odd_records_do_not_take_their_square() -> None:
    """Each odd record converts the whole list once more: of a long list only few of them."""
    records = [{"id": n} for n in range(40_000)] + [{"id": None}] * 3_900
    with pytest.raises(ContractChanged, match="unexpected format"):
        odd.typed_all(records, _Row)


import msgspec  # noqa: E402  # beside the type that needs it


class _Row(msgspec.Struct):
    id: int | str


# Waits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1e300", "inf", "nan", "-1", "99999999999999999999", "x" * 9999])
def test_no_wait_is_longer_than_two_days(value: str) -> None:
    for header in ("Retry-After", "X-RateLimit-Reset", "X-Quota-Reset"):
        wait = requested_wait({header: value}, NOW)
        assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@given(st.text(), st.text(), st.text())
def test_headers_may_say_anything(date: str, after: str, reset: str) -> None:
    headers = {"Date": date, "Retry-After": after, "RateLimit-Reset": reset}
    wait = requested_wait(headers, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    "date",
    [
        "Sat, 21 Nov 0000 10:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Sat, 21 Nov 2026 10:00:00 -0000",
    ],
)
def test_dates_of_headers_may_be_any(date: str) -> None:
    requested_wait({"Date": date, "Retry-After": date}, NOW)


# Addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "1.1."]
)
def test_an_address_in_disguise_is_refused(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(SettingsWrong, match="unusual form"):
            base_address(Connection("c", f"{scheme}://{host}"))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_may_be_asked_without_tls(host: str) -> None:
    check_transport(f"http://{host}:8080", plain=False)


@pytest.mark.parametrize(
    "host",
    [
        "erp.example.com",
        "10.0.0.1",
        "localhost.example.com",
        "0.0.0.0",
        "[fe80::1]",
        "127.0.0.1.nip.io",
    ],
)
def test_another_one_may_not(host: str) -> None:
    with pytest.raises(SettingsWrong, match="http:// address"):
        check_transport(f"http://{host}:8080", plain=False)
    check_transport(f"http://{host}:8080", plain=True)
    check_transport(f"https://{host}:8080", plain=False)


PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
]
NEVER = [
    *(
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
    ),
    *(
        "240.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
    ),
    *("::7f00:1", "2002:7f00:1::", "::ffff:0:0"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_means_a_private_address(address: str) -> None:
    with pytest.raises(PeerRefused) as told:
        check_peer("erp.example.com", address, private=False)
    assert told.value.private
    check_peer("erp.example.com", address, private=True)


@pytest.mark.parametrize("address", NEVER)
def test_a_name_that_means_no_server(address: str) -> None:
    for private in (False, True):
        with pytest.raises(PeerRefused):
            check_peer("erp.example.com", address, private=private)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_a_public_address_is_as_it_was(address: str) -> None:
    check_peer("erp.example.com", address, private=False)


def test_an_address_that_is_written_out_is_meant() -> None:
    check_peer("10.1.2.3", "10.1.2.3", private=False)
    check_peer("127.0.0.1", "127.0.0.1", private=False)
    check_peer("localhost", "::1", private=False)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def test_not_a_byte_is_sent_to_a_refused_address(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a request nor the greeting of TLS."""
    from connectors.sdk.http import Http

    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *args, **how: real("127.0.0.1", *args, **how)
    )
    port = listening.getsockname()[1]
    with (
        Http(f"https://erp.example.com:{port}", "Testerp", HttpLimits(), now=lambda: NOW) as http,
        pytest.raises(SettingsWrong, match="no ERP can be"),
    ):
        http.json("GET", "/x", object)
    peer, _ = listening.accept()
    with peer:
        assert peer.recv(1) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip, gzip", "compress", "deflate, br"])
def test_only_what_was_asked_for_is_unpacked(coding: str) -> None:
    import requests

    from connectors.sdk.http.client import _check_encoding

    response = requests.Response()
    response.headers["Content-Encoding"] = coding
    with pytest.raises(ContractChanged, match="not asked for"):
        _check_encoding(response, HERE)
