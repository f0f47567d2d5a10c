"""One signed message to a webhook: Standard Webhooks over HTTP that is bounded in time, size and reach.

TLS, unless it stays on this machine; no redirects; the address that the host's name means is looked at before the
first byte is sent. The secret and what was sent are in no log, and in no problem that is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests

from clubsync.errors import WebhookUnusable
from connectors.sdk.base import Connection
from connectors.sdk.http.address import base_address
from connectors.sdk.http.auth import LoginHeaders
from connectors.sdk.http.peers import PeerRefused, check_transport
from connectors.sdk.http.sockets import InterruptibleAdapter
from connectors.sdk.messages import message

if TYPE_CHECKING:
    from clubsync.config import WebhookConfig

#: The longest that a webhook may ask us to wait.
LONGEST_WAIT = timedelta(days=1)
#: "This webhook is no longer wanted" (Standard Webhooks).
GONE = 410


@dataclass(frozen=True)
class Answer:
    """What came of a message.

    :param problem: None: it was delivered.
    :param gone: the webhook wants no more.
    """

    problem: str | None = None
    retry_after: timedelta | None = None
    gone: bool = False


_LATE = Answer(message("No answer in time."))


class Post:
    """Sends messages to one webhook.

    :raises WebhookUnusable: the connection has no usable address or secret.
    """

    def __init__(self, webhook: WebhookConfig, connection: Connection) -> None:
        from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

        self._url = base_address(connection)
        check_transport(self._url, plain=False)
        try:
            self._signers = [Webhook(secret) for secret in (connection.password or "").split()]
        except (ValueError, EmptyWebhookSecretError):
            self._signers = []
        if not self._signers:
            raise WebhookUnusable(
                f"The password of connection {connection.id} is no secret of Standard Webhooks.",
                remedy="Write it as whsec_ and the base64 of 24 to 64 random bytes.",
            )
        self._seconds = webhook.timeout.total_seconds()
        self._private = webhook.private_network

    def send(self, message_id: str, at: datetime, body: str) -> Answer:
        """Send a message once.

        :param at: the time of this attempt.
        """
        signature = " ".join(signer.sign(message_id, at, body) for signer in self._signers)
        headers = {
            "content-type": "application/json",
            "user-agent": "clubsync",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        adapter = InterruptibleAdapter(private=self._private)
        late = threading.Event()

        def interrupt() -> None:
            late.set()  # before the connection ends, which the answer is waited for on
            adapter.interrupt()

        watchdog = threading.Timer(self._seconds, interrupt)
        watchdog.daemon = True
        watchdog.start()
        try:
            with requests.Session() as session:
                session.mount("https://", adapter)
                session.mount("http://", adapter)
                with session.post(
                    self._url,
                    data=body.encode(),
                    headers=headers,
                    auth=LoginHeaders({}),
                    timeout=self._seconds,
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    # interrupted, its headers look as if they had an end; the body nobody reads
                    return _LATE if late.is_set() else _answer(response, at)
        except PeerRefused:
            return Answer(message("The host's name means an address of a private network."))
        except requests.exceptions.SSLError:
            return Answer(message("The server's TLS certificate is not valid."))
        except requests.Timeout:
            return _LATE
        except (requests.RequestException, OSError, ValueError):
            if late.is_set():
                return _LATE
            return Answer(message("No connection, or it was interrupted."))
        finally:
            watchdog.cancel()


def _answer(response: requests.Response, at: datetime) -> Answer:
    status = response.status_code
    if 200 <= status < 300:
        return Answer()
    if 300 <= status < 400:
        return Answer(message(f"HTTP {status}: redirects are not followed."))
    return Answer(
        message(f"HTTP {status}."), _retry_after(response.headers, at), gone=status == GONE
    )


def _retry_after(headers: Mapping[str, str], at: datetime) -> timedelta | None:
    """How long the webhook asks us to wait, up to `LONGEST_WAIT`."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal() and len(text) < 10:
        wait = timedelta(seconds=int(text))
    else:
        try:
            wait = parsedate_to_datetime(text) - at
        except (TypeError, ValueError):
            return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
