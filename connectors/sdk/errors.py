"""What can go wrong while reading an ERP, named after what happened.

Every error carries a plain sentence (what happened, where), a remedy (what to do, and who), and the
name of the runbook in `docs/runbooks/`. No message may hold a secret or a person's data: ids, paths
below the connection's folder, status codes and counts only (R19).
"""

from __future__ import annotations

from datetime import timedelta


class ConnectorError(Exception):
    """The ERP could not be read at all: nothing flows, the club fails with this sentence.

    :param what: one plain sentence: what happened, and where.
    :param remedy: what to do about it, and who can.
    """

    runbook = "erp-down"
    #: whether trying again soon, unchanged, may help.
    transient = True

    def __init__(self, what: str, *, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy or self.default_remedy

    default_remedy = "Nothing needs doing unless it lasts: the next run tries again by itself."

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class ErpUnreachable(ConnectorError):
    """No connection, a timeout, or server errors (5xx) until the retries were used up."""

    runbook = "erp-down"


class CredentialsRefused(ConnectorError):
    """The ERP answered that it does not know us (401, 403, SFTP log-in refused)."""

    runbook = "credentials-refused"
    transient = False
    default_remedy = (
        "Ask the club for a new key or password and put it into the Airflow connection; "
        "trying again with the same one will not help."
    )


class RateLimited(ConnectorError):
    """The ERP asks us to wait longer than a run should (429 and its cousins).

    :param retry_after: how long the ERP asked us to wait, where it said.
    """

    runbook = "rate-limited"
    default_remedy = "The club is read again when the ERP allows it; nothing needs doing."

    def __init__(
        self, what: str, *, retry_after: timedelta | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.retry_after = retry_after


class FileMissing(ConnectorError):
    """No file where the settings say that the export lies."""

    runbook = "file-missing"
    default_remedy = "Ask the club whether its export still runs, and check the path in clubs.yaml."


class FileBroken(ConnectorError):
    """A file that is cut, is not what it says it is, or does not parse: refused whole (R14)."""

    runbook = "file-broken"
    default_remedy = (
        "Ask the club to export the file again; until then its customers stay as they are."
    )


class ContractChanged(ConnectorError):
    """The ERP answered, but not in the form that the connector knows (HTML, missing fields or columns)."""

    runbook = "contract-changed"
    transient = False
    default_remedy = (
        "An engineer has to look: compare the answer with the connector and its settings."
    )


class SettingsWrong(ConnectorError):
    """The club's own settings or connection cannot work (unknown column, no host, bad URL)."""

    runbook = "contract-changed"
    transient = False
    default_remedy = "Correct the club's settings in clubs.yaml or its Airflow connection."
