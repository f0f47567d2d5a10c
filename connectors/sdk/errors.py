"""What can go wrong while reading an ERP, named after what happened.

    ConnectorError
    ├── ErpUnreachable      no connection, a timeout, a server error
    ├── RateLimited         the ERP asks us to wait longer than a run should
    ├── CredentialsRefused  wrong key or password, or no permission
    ├── ContractChanged     the ERP responded in an unexpected format
    ├── SettingsWrong       the club's settings or connection cannot work
    ├── FileMissing         no export where it is configured
    ├── FileBroken          an export that is truncated or cannot be parsed
    ├── FileOutside         a link that leads out of the club's folder
    └── LimitExceeded       a file or response asks for more than the club's settings allow

Every error carries a message (what happened, where), a remedy (what to do, and who can) and the name of the
runbook in `docs/runbooks/`. No message may hold a secret or a person's data: ids, paths below the connection's
folder, status codes and counts only (R19).
"""

from __future__ import annotations

from datetime import timedelta

from connectors.sdk.messages import message
from connectors.sdk.visible import visible


class ConnectorError(Exception):
    """The ERP could not be read: nothing is loaded, the club fails with this message.

    :param what: one sentence: what happened, and where.
    :param remedy: what to do about it, and who can.
    """

    runbook = "erp-down"
    #: whether trying again soon, unchanged, may help.
    transient = True

    def __init__(self, what: str, *, remedy: str | None = None) -> None:
        # a file's name or a column may be somebody else's text
        self.what = visible(what)
        self.remedy = visible(remedy or self.default_remedy)
        super().__init__(self.what)

    default_remedy = "No action needed unless it persists: the next run tries again."

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class ErpUnreachable(ConnectorError):
    """No connection, a timeout, or server errors (5xx) until no attempt was left."""

    runbook = "erp-down"


class CredentialsRefused(ConnectorError):
    """The ERP rejected our credentials or denied access (401, 403, SFTP login)."""

    runbook = "credentials-refused"
    transient = False
    default_remedy = (
        "Ask the club for a new key or password and store it in the Airflow connection; "
        "trying again with the same one will not help."
    )


class RateLimited(ConnectorError):
    """The ERP asks us to wait longer than a run should (429 and its variants).

    :param retry_after: how long the ERP asked us to wait, if it said so.
    """

    runbook = "rate-limited"
    default_remedy = "No action needed: the club is read again as soon as the ERP allows it."

    def __init__(
        self, what: str, *, retry_after: timedelta | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.retry_after = retry_after


class FileMissing(ConnectorError):
    """No file where the settings say that the export is."""

    runbook = "file-missing"
    default_remedy = "Ask the club whether its export still runs, and check the path in clubs.yaml."


class FileBroken(ConnectorError):
    """A file that is truncated, has another format than it says, or cannot be parsed: rejected as a whole (R14)."""

    runbook = "file-broken"
    default_remedy = (
        "Ask the club to export the file again; until then its customers stay as they are."
    )


class FileOutside(ConnectorError):
    """A name in the club's folder that leads out of it, by a link: nothing is read there (R21)."""

    runbook = "file-outside"
    transient = False
    default_remedy = (
        "Replace the link by the export itself, or set the connection's host to the folder where the export is, if "
        "it is this club's. Find out who made the link."
    )


class LimitExceeded(ConnectorError):
    """A file or response is larger than a limit allows, or costs more to read: rejected as a whole.

    :param setting: the club's setting that has the limit, below `settings`.
    """

    runbook = "limit-exceeded"
    transient = False

    def __init__(self, what: str, *, setting: str) -> None:
        super().__init__(
            what,
            remedy=message(
                f"If this is right for the club, raise `{setting}` in its settings; until then its customers stay "
                "as they are."
            ),
        )
        self.setting = setting


class ContractChanged(ConnectorError):
    """The ERP responded, but not in the format that the connector knows (HTML, missing fields or columns)."""

    runbook = "contract-changed"
    transient = False
    default_remedy = (
        "An engineer has to compare the response with the connector and the club's settings."
    )


class SettingsWrong(ConnectorError):
    """The club's own settings or connection cannot work (unknown column, no host, bad URL)."""

    runbook = "contract-changed"
    transient = False
    default_remedy = "Correct the club's settings in clubs.yaml or its Airflow connection."
