"""A webhook is the ERP's, whole and fresh, or it is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from connectors.sdk import webhooks
from connectors.sdk.webhooks import BadSecret, NotVerified, verify

SECRET = "whsec_c2VjcmV0LW9mLWEtdGVzdC1vZi13ZWJob29rcw=="
BODY = b'{"type": "customer.changed"}'


def _signed(body: bytes = BODY, age: timedelta = timedelta(0)) -> dict[str, str]:
    at = datetime.now(UTC) - age
    return {
        "webhook-id": "m1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m1", at, body.decode()),
    }


def test_a_message_of_the_erp_gives_its_id() -> None:
    assert verify("playtomic", SECRET, _signed(), BODY) == "m1"


def test_several_signatures_while_a_secret_is_replaced() -> None:
    headers = _signed()
    headers["webhook-signature"] = "v1,b2xk v2,bmV3 " + headers["webhook-signature"]
    assert verify("playtomic", SECRET, headers, BODY) == "m1"


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,***"},
        {"webhook-id": "m2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "1"},
    ],
)
def test_anything_that_was_changed_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify("playtomic", SECRET, {**_signed(), **changed}, BODY)


@pytest.mark.parametrize("body", [b"", BODY + b" ", b"\xff\xfe"])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(NotVerified):
        verify("playtomic", SECRET, _signed(), body)


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_replay_and_a_clock_that_is_wrong_are_refused(age: timedelta) -> None:
    with pytest.raises(NotVerified):
        verify("playtomic", SECRET, _signed(age=age), BODY)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_x"])
def test_a_secret_that_is_none_takes_nothing(secret: str) -> None:
    with pytest.raises((BadSecret, NotVerified)):
        verify("playtomic", secret, _signed(), BODY)


def test_an_erp_may_sign_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(secret: str, headers: Mapping[str, str], body: bytes) -> str:
        if headers.get("x-key") != secret:
            raise NotVerified("Wrong key.")
        return headers["x-message"]

    monkeypatch.setitem(webhooks.SCHEMES, "own", theirs)
    assert verify("own", "k", {"x-key": "k", "x-message": "7"}, b"") == "7"
    with pytest.raises(NotVerified, match="Wrong key"):
        verify("own", "k", {"x-key": "other", "x-message": "7"}, b"")


# Magicline ---------------------------------------------------------------------------------------

EVENT = b'{"entityId": 7, "uuid": "095be615", "payload": [{"timestamp": 1, "type": "CUSTOMER_CREATED"}]}'


def test_magicline_sends_its_key_and_the_event_s_id() -> None:
    """As docs/erps/magicline.md describes it."""
    assert verify("magicline", "k\u00e9y", {"x-api-key": "k\u00e9y"}, EVENT) == "095be615"


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "other"}, _signed(EVENT)])
def test_magicline_with_another_key(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify("magicline", "key", headers, EVENT)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"\xff", b'{"uuid": 7}', b'{"uuid": ""}', b'{"uuid"', b"[" * 100_000]
)
def test_magicline_with_a_body_that_is_none_of_its(body: bytes) -> None:
    with pytest.raises(NotVerified):
        verify("magicline", "key", {"x-api-key": "key"}, body)


def test_a_key_that_is_empty_takes_nothing() -> None:
    """Not even an empty one."""
    with pytest.raises(BadSecret):
        verify("magicline", "", {"x-api-key": ""}, EVENT)


# Mindbody ----------------------------------------------------------------------------------------

MESSAGE = b'{"messageId": "ASwFMoA2Q5UKw69g3RDbvU", "eventId": "client.updated"}'


def _signature(secret: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"x-mindbody-signature": "sha256=" + base64.b64encode(digest).decode()}


def test_mindbody_signs_the_body() -> None:
    """As docs/erps/mindbody.md describes it."""
    headers = _signature("subscription-key", MESSAGE)
    assert verify("mindbody", "subscription-key", headers, MESSAGE) == "ASwFMoA2Q5UKw69g3RDbvU"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _signature("other-key", MESSAGE),
        _signature("subscription-key", MESSAGE + b" "),
        {"x-mindbody-signature": "sha256="},
        {"x-mindbody-signature": _signature("k", MESSAGE)["x-mindbody-signature"][7:]},
    ],
)
def test_mindbody_with_another_signature(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify("mindbody", "subscription-key", headers, MESSAGE)


def test_mindbody_without_a_key_here() -> None:
    with pytest.raises(BadSecret):
        verify("mindbody", "", _signature("", MESSAGE), MESSAGE)


# Resamania ---------------------------------------------------------------------------------------

CONTACT = b'{"event": "contact.updated", "data": {"object": {"contactId": "/s/contacts/2"}}}'


def _basic(login: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def test_resamania_bears_the_secret_in_its_address() -> None:
    """As docs/erps/resamania.md describes it; two messages that say the same are two events."""
    one = verify("resamania", "s:cr€t", _basic("resamania:s:cr€t"), CONTACT)
    assert one != verify("resamania", "s:cr€t", _basic("anybody:s:cr€t"), CONTACT)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _basic("resamania:other"),
        _basic("resamania"),
        _basic(":"),
        {"authorization": "Basic secret"},
        {"authorization": "Basic ****"},
        {"authorization": "Bearer c2VjcmV0OnNlY3JldA=="},
        {"authorization": "Basic /////w=="},
    ],
)
def test_resamania_with_another_log_in(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify("resamania", "secret", headers, CONTACT)


def test_resamania_with_a_body_that_is_none_of_its() -> None:
    with pytest.raises(NotVerified):
        verify("resamania", "secret", _basic("r:secret"), b'{"data": {}}')
    with pytest.raises(BadSecret):
        verify("resamania", "", _basic("r:"), CONTACT)


# Square ------------------------------------------------------------------------------------------

ADDRESS = "https://clubs.example.com/clubsync/webhooks/shop"
CREATED = b'{"event_id": "9a8f5b", "type": "customer.created"}'


def _square(key: str, address: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(key.encode(), address.encode() + body, hashlib.sha256).digest()
    return {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}


def test_square_signs_our_address_and_the_body() -> None:
    """So the secret that is kept holds both."""
    headers = _square("key", ADDRESS, CREATED)
    assert verify("square", f"key {ADDRESS}", headers, CREATED) == "9a8f5b"
    assert verify("square", f" key  {ADDRESS} ", headers, CREATED) == "9a8f5b"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _square("other", ADDRESS, CREATED),
        _square("key", ADDRESS + "/", CREATED),
        _square("key", ADDRESS, CREATED + b" "),
    ],
)
def test_square_with_another_signature(headers: dict[str, str]) -> None:
    with pytest.raises(NotVerified):
        verify("square", f"key {ADDRESS}", headers, CREATED)


@pytest.mark.parametrize("secret", ["", "key", "key ", " "])
def test_square_without_an_address_here(secret: str) -> None:
    with pytest.raises(BadSecret):
        verify("square", secret, _square("key", "", CREATED), CREATED)
