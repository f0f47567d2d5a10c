"""Send a digest by SMTP, through an Airflow connection of that type."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from clubsync.errors import SyncError
from clubsync.operate.digests.delivery import Outcome, address_hash
from clubsync.operate.digests.letter import Letter
from connectors.sdk.base import Connection
from connectors.sdk.messages import message

#: Seconds for connecting, and for each answer of the server.
TIMEOUT = 20.0
_SMTPS, _SUBMISSION = 465, 587
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_CHECK = message("Check the mail connection in Airflow (Admin, Connections).")


class MailNotSet(SyncError):
    """The connection cannot send mail as it is."""


def sender_of(connection: Connection) -> str:
    """The address that digests come from: `from_email` of the extra, or the login.

    :raises MailNotSet: neither is an address.
    """
    from clubsync.config import Contact

    sender = str(connection.extra.get("from_email") or connection.login or "")
    try:
        return Contact(to=(sender,)).to[0]
    except ValueError:
        raise MailNotSet(
            f"The connection {connection.id} names no sender.",
            remedy="Write the address that digests come from into its extra, as from_email.",
        ) from None


def compose(
    letter: Letter, sender: str, to: Sequence[str], message_id: str, at: datetime
) -> EmailMessage:
    """The message. The same digest has the same Message-ID and Date at each attempt.

    :param message_id: its part before the @.
    """
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), letter.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    # no holiday replies (RFC 3834)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    if letter.attachment is not None:
        main, _, sub = letter.attachment.media_type.partition("/")
        mail.add_attachment(
            letter.attachment.content, maintype=main, subtype=sub, filename=letter.attachment.name
        )
    return mail


def post(connection: Connection, mail: EmailMessage, recipients: Sequence[str]) -> Outcome:
    """Hand the message to the server for these recipients, and say how that ended. Raises nothing of the server's.

    :raises MailNotSet: the connection is not valid.
    """
    try:
        smtp = _session(connection)
    except smtplib.SMTPAuthenticationError as error:
        said = message(f"The mail server rejected the credentials ({error.smtp_code}).")
        return Outcome(problem=said, remedy=_CHECK, lasting=True)
    except ssl.SSLCertVerificationError:
        said = message("The certificate of the mail server is not valid.")
        return Outcome(problem=said, remedy=_CHECK, lasting=True)
    except smtplib.SMTPNotSupportedError:
        said = message("The mail server offers neither encryption nor a login that fits.")
        return Outcome(problem=said, remedy=_CHECK, lasting=True)
    except (smtplib.SMTPException, OSError) as error:
        said = message(f"The mail server could not be reached ({type(error).__name__}).")
        return Outcome(problem=said, remedy=_CHECK)
    try:
        return _handed_over(smtp, mail, recipients)
    finally:
        # how the conversation ends changes nothing of what was said in it
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def _handed_over(smtp: smtplib.SMTP, mail: EmailMessage, recipients: Sequence[str]) -> Outcome:
    try:
        rejected = smtp.send_message(mail, str(mail["From"]), list(recipients))
    except smtplib.SMTPRecipientsRefused as error:
        rejected = error.recipients
    except smtplib.SMTPResponseException as error:
        said = message(f"The mail server rejected the message ({error.smtp_code}).")
        return Outcome(problem=said, remedy=_CHECK, lasting=error.smtp_code >= 500)
    except (smtplib.SMTPException, OSError) as error:
        # it may have taken the message before the line broke
        said = message(
            f"The mail server did not say whether it took the message ({type(error).__name__})."
        )
        return Outcome(problem=said, remedy=_CHECK, uncertain=True)
    taken = frozenset(address_hash(one) for one in recipients if one not in rejected)
    if not rejected:
        return Outcome(delivered=taken)
    refused = frozenset(address_hash(one) for one, (code, _) in rejected.items() if code >= 500)
    codes = ", ".join(sorted({str(code) for code, _ in rejected.values()}))
    return Outcome(
        delivered=taken,
        refused=refused,
        problem=message(
            f"The mail server rejected {len(rejected)} of {len(recipients)} recipients ({codes})."
        ),
        remedy=message("Correct the addresses of `contact` in clubs.yaml."),
        lasting=bool(refused),
    )


def _session(connection: Connection) -> smtplib.SMTP:
    """A conversation, encrypted and logged in.

    As Airflow's own SMTP connections: TLS from the start on port 465 or without a port, unless `disable_ssl`;
    STARTTLS otherwise, unless `disable_tls`. Without either only to this machine.
    """
    host, extra = connection.host, connection.extra
    if not host:
        raise MailNotSet(
            f"The connection {connection.id} has no host.",
            remedy="Write the mail server's name into it, in Airflow (Admin, Connections).",
        )
    wrapped = connection.port in (None, _SMTPS) and not _is_set(extra, "disable_ssl")
    starttls = not wrapped and not _is_set(extra, "disable_tls")
    if not wrapped and not starttls and host not in _THIS_MACHINE:
        raise MailNotSet(
            f"The connection {connection.id} sends mail without encryption to another machine.",
            remedy="Take disable_tls out of its extra.",
        )
    timeout = min(float(extra.get("timeout") or TIMEOUT), TIMEOUT)
    context = ssl.create_default_context()
    port = connection.port or (_SMTPS if wrapped else _SUBMISSION)
    if wrapped:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    else:
        smtp = smtplib.SMTP(host, port, timeout=timeout)
    try:
        if starttls:
            smtp.starttls(context=context)
        if connection.login and connection.password:
            smtp.login(connection.login, connection.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _is_set(extra: Mapping[str, Any], name: str) -> bool:
    return str(extra.get(name, "")).strip().lower() in ("true", "1", "yes")
