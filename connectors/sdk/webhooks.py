"""Signatures of ERPs' webhooks. Light on purpose: Airflow's server imports it for every message.

A scheme takes the secret, the headers (names in lower case) and the raw body, verifies signature and age, and
returns the message's id, by which a duplicate is recognised. An ERP with a scheme of its own gets an entry in
`SCHEMES`; all others have to sign by Standard Webhooks (https://www.standardwebhooks.com/).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping

Scheme = Callable[[str, Mapping[str, str], bytes], str]


class NotVerified(Exception):
    """The message is not the ERP's, or is too old; the text may be shown to anyone."""


class BadSecret(Exception):
    """The stored secret cannot be used."""


def standard(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Standard Webhooks: HMAC-SHA256 over id, timestamp and body; at most five minutes old.

    :param secret: base64, with or without the prefix `whsec_`.
    :raises NotVerified, BadSecret:
    """
    from standardwebhooks.webhooks import (
        EmptyWebhookSecretError,
        Webhook,
        WebhookVerificationError,
    )

    try:
        verifier = Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise BadSecret("It is not base64 (whsec_…).") from None
    try:
        verifier.verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        raise NotVerified(f"{error}.") from None
    except ValueError:  # not text, or an invalid signature
        raise NotVerified("The signature or the body is malformed.") from None
    return headers["webhook-id"]


def magicline(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Magicline's: the studio's webhook key as it is, in `x-api-key`; nothing is signed [doc] (docs/erps/magicline.md).

    The key only identifies the caller, so there is no age to verify: whoever has it can say anything, and all
    it causes is a reading. The message's id is the event's `uuid`: of two versions of the vendor's page one says
    that nothing is ever sent twice, the other that it is, after ten minutes, up to three times.
    """
    _same(secret, headers.get("x-api-key", ""))
    return _member(body, "uuid")


def mindbody(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Mindbody's: `X-Mindbody-Signature: sha256=` and the base64 of the body's HMAC-SHA256 [doc]
    (docs/erps/mindbody.md).

    Only the body is signed, without id or time, and an undelivered message is sent again for three hours, so
    there is no age to verify; a duplicate is recognised by the body's `messageId`.
    """
    signed = base64.b64encode(_hmac(secret, body)).decode()
    _same(f"sha256={signed}", headers.get("x-mindbody-signature", ""))
    return _member(body, "messageId")


def resamania(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Resamania's: nothing is signed, and a message has no id [doc] (docs/erps/resamania.md).

    So the address that is registered with Stadline holds the secret as its password
    (`https://resamania:SECRET@host/…`), which senders turn into Basic authentication [inf]. Two identical messages
    are two events.
    """
    kind, _, given = headers.get("authorization", "").partition(" ")
    try:
        login = base64.b64decode(given, validate=True).decode() if kind.lower() == "basic" else ""
    except ValueError:
        login = ""
    _same(secret, login.partition(":")[2])
    _member(body, "event")
    return uuid.uuid4().hex


def square(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Square's: `x-square-hmacsha256-signature`, base64 of the HMAC-SHA256 of our address and the body [doc].

    Our address as Square knows it cannot be derived from the request (there may be a proxy in between), so the
    stored secret holds both: the signature key, a space, the address.
    """
    key, _, address = secret.strip().partition(" ")
    if not address.strip():
        raise BadSecret(
            "For Square it is the signature key, a space, and the address that is registered there."
        )
    signed = base64.b64encode(_hmac(key, address.strip().encode() + body)).decode()
    _same(signed, headers.get("x-square-hmacsha256-signature", ""))
    return _member(body, "event_id")


def _hmac(secret: str, content: bytes) -> bytes:
    """HMAC-SHA256 with a secret that is plain text.

    :raises BadSecret: it is empty.
    """
    if not secret:
        raise BadSecret("It is empty.")
    return hmac.new(secret.encode(), content, hashlib.sha256).digest()


def _same(known: str, received: str) -> None:
    """Compare secrets in constant time.

    :raises NotVerified, BadSecret:
    """
    if not known:
        raise BadSecret("It is empty.")
    if not hmac.compare_digest(known.encode(), received.encode()):
        raise NotVerified("The key or signature is wrong.")


def _member(body: bytes, name: str) -> str:
    """A text of a JSON object that identifies the message.

    :raises NotVerified: there is none.
    """
    try:
        found = json.loads(body)[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str) or not found:
        raise NotVerified("The body is not that of a webhook.")
    return found


#: connector name -> the ERP's own scheme, if it has one.
SCHEMES: dict[str, Scheme] = {
    "magicline": magicline,
    "mindbody": mindbody,
    "resamania": resamania,
    "square": square,
}


def verify(erp: str, secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Verify a message of that ERP.

    :param erp: the connector's name.
    :returns: the message's id.
    :raises NotVerified, BadSecret:
    """
    return SCHEMES.get(erp, standard)(secret, headers, body)
