"""A mail server on this machine that keeps what it takes, and refuses whom it is told to."""

from __future__ import annotations

import email
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from connectors.sdk.base import Connection


class Post:
    """The server's mailbox, and what it does wrong.

    :param refused: address -> the code that its recipient is refused with.
    :param answer: to a message that was sent whole, in place of "250 OK".
    :param took: called when a message is kept, before that is said; True: the line breaks instead.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refused: dict[str, int] = {}
        self.answer = "250 OK"
        self.took: Callable[[], bool | None] = lambda: None
        self.encrypted: list[bool] = []
        self.port = 0

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return f"{self.refused[address]} {address} is not known here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Any
    ) -> str:
        if self.answer.startswith("2"):
            mail = email.message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients.append(list(envelope.rcpt_tos))
            self.encrypted.append(session.ssl is not None)
            if self.took() and server.transport is not None:
                server.transport.close()
        return self.answer

    def connection(self, **fields: Any) -> Connection:
        """To this server, in the clear."""
        given = {"disable_ssl": True, "disable_tls": True, "from_email": "lists@sync.example"}
        extra = {**given, **fields.pop("extra", {})}
        return Connection(
            id="clubsync_mail", host="127.0.0.1", port=self.port, extra=extra, **fields
        )


def _authenticate(*arguments: Any) -> AuthResult:
    given = arguments[-1]
    assert isinstance(given, LoginPassword)
    return AuthResult(success=given.password == b"right", handled=False)


@contextmanager
def mail_server(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Post]:
    """A server until the end of the block.

    :param tls: with it, nothing is taken in the clear, and a login is needed: the password is `right`.
    """
    post, more = Post(), dict[str, Any]()
    post.port = port
    if tls is not None:
        more = {"tls_context": tls, "require_starttls": True}
        more |= {"authenticator": _authenticate, "auth_required": True}
    server = Controller(post, hostname="127.0.0.1", port=port, **more)
    server.start()
    try:
        yield post
    finally:
        server.stop()
