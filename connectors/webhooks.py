"""How ERPs sign their webhooks. Light on purpose: Airflow's server imports it for every message.

A scheme takes the secret, the headers (names in lower case) and the raw body, checks signature and age, and
gives the message's id, by which a double is known. An ERP with a form of its own gets an entry in `SCHEMES`;
all others are asked to sign by Standard Webhooks (https://www.standardwebhooks.com/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Scheme = Callable[[str, Mapping[str, str], bytes], str]


class NotVerified(Exception):
    """The message is not the ERP's, or is too old; the text may be told to a stranger."""


class BadSecret(Exception):
    """The secret that is kept here cannot be used."""


def standard(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Standard Webhooks: HMAC-SHA256 over id, timestamp and body; five minutes old at the most.

    :param secret: base64, with or without `whsec_` before it.
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
        raise BadSecret("It is no base64 (whsec_…).") from None
    try:
        verifier.verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        raise NotVerified(f"{error}.") from None
    except ValueError:  # no text, or a signature that is none
        raise NotVerified("The signature or the body is malformed.") from None
    return headers["webhook-id"]


#: connector name -> how that ERP signs, where it does so in a way of its own.
SCHEMES: dict[str, Scheme] = {}


def verify(erp: str, secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Check a message of that ERP; its id.

    :param erp: the connector's name.
    :raises NotVerified, BadSecret:
    """
    return SCHEMES.get(erp, standard)(secret, headers, body)
