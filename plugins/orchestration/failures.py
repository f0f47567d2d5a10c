"""A club that failed to sync: how Airflow handles it, and what the log says.

Support staff read the end of a log first. A callback writes the explanation there, after what Airflow itself says
of a failed task. That is a traceback for every exception but `SystemExit`, so what is expected to fail raises one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision

from clubsync.errors import SyncError, place_of
from connectors.sdk.errors import ConnectorError

log = logging.getLogger(__name__)

RETRIES = 3
LONGEST_WAIT = timedelta(minutes=2)
"""All pauses of a club in one run together: until they are over, no other run of its ERP starts."""


class ExpectedFailure(SystemExit):
    """A failure that is no fault of the code: Airflow logs "Task exited" for it, without a traceback.

    A `SystemExit` is retried as any other exception; its code is 1, its message is for the log.
    """

    def __init__(self, message: str) -> None:
        super().__init__(1)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ClubFailed(ExpectedFailure):
    """One club failed to sync; the message is the error of the step."""

    def __init__(self, step: Mapping[str, Any]) -> None:
        from clubsync.pipeline.runs import named

        super().__init__(named(step["name"], step["error"]))
        self.step = step


class RunFailed(ExpectedFailure):
    """Clubs of a run were not synced, or what was asked for cannot be done: a retry would not help."""


class Unavailable(ExpectedFailure):
    """The database or the snapshot store did not do what it should, or clubs.yaml is not valid."""


class DatabaseRetryPolicy(RetryPolicy):
    """Retry what may be the database's fault; what cannot be done would fail again."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        if isinstance(exception, RunFailed):
            return RetryDecision.fail("A retry would not help.")
        return RetryDecision.default()


class InternalError(Exception):
    """An internal error ended a task; the message is its class, the log says where it happened."""


@contextmanager
def without_values() -> Iterator[None]:
    """Log what is expected to fail in a sentence, and keep the message of an internal error out of the log: it may
    hold a person's data (R19).

    Airflow logs the message of any exception that ends a task, with a traceback.

    :raises ExpectedFailure: in place of the errors of clubsync, with the sentence that was logged.
    :raises InternalError: in place of any other exception; those of Airflow pass.
    """
    from clubsync.store import trouble

    try:
        yield
    except ClubFailed:  # explained at the end of the log
        raise
    except ExpectedFailure as failure:
        log.error("%s", failure)
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] == "airflow":
            raise
        known = error if isinstance(error, SyncError | ConnectorError) else trouble.explained(error)
        if known is None:
            log.critical("Internal error: %s", place_of(error))
            raise InternalError(type(error).__qualname__) from None
        told = f"{known.what} {known.remedy} Runbook: {pages_address()}/runbooks/{known.runbook}"
        log.error("%s", told)
        raise Unavailable(told) from None


def waits(cadence: timedelta) -> list[timedelta]:
    """The pauses before each retry: increasing, two minutes together, or half of a shorter cadence."""
    budget = min(LONGEST_WAIT, cadence / 2)
    parts = range(1, RETRIES + 1)
    return [budget * part / sum(parts) for part in parts]


def worth_retrying(step: Mapping[str, Any]) -> bool:
    """Whether a retry within two minutes may succeed."""
    retry_after = step.get("retry_after") or 0.0
    if step.get("until"):  # quarantined: one attempt is enough
        return False
    return bool(step["transient"]) and retry_after <= LONGEST_WAIT.total_seconds()


class ClubRetryPolicy(RetryPolicy):
    """No retry where it would not help; otherwise pauses as planned, or longer if the ERP asks for it."""

    def __init__(self, pauses: list[timedelta]) -> None:
        self.pauses = pauses

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        if not isinstance(exception, ClubFailed):
            return RetryDecision.default()
        step = exception.step
        if not step["transient"]:
            return RetryDecision.fail("A retry would not help.")
        if step.get("until"):
            return RetryDecision.fail("The club is quarantined; it is retried automatically.")
        if not worth_retrying(step):
            return RetryDecision.fail(
                f"The ERP asks for a pause of {step['retry_after']:.0f} s; the club is synced after it."
            )
        # when somebody clears a task, its tries keep counting: those left determine the next pause
        left = max_tries - try_number + 1
        pause = self.pauses[min(max(len(self.pauses) - left, 0), len(self.pauses) - 1)]
        return RetryDecision.retry(max(pause, timedelta(seconds=step.get("retry_after") or 0.0)))


def explanation(step: Mapping[str, Any]) -> Iterator[str]:
    """What support needs to know about a failed step, line by line."""
    yield _who(step)
    yield f"What happened: {step['error']}"
    if step.get("since"):
        yield f"Since: {_local(step['since'], step['club'])}"
    if step.get("until"):
        yield (
            f"Quarantined: retries are paused until {_local(step['until'], step['club'])}. To retry now, run the Dag "
            f"sync_one, or `clubsync clubs resume {step['club']}`."
        )
    if step.get("remedy") and step["remedy"] not in step["error"]:
        yield f"What to do: {step['remedy']}"
    if step.get("runbook"):
        yield f"Runbook: {page_of(step['club'])}/runbooks/{step['runbook']}"
    yield f"The club's page: {page_of(step['club'])}"


def _who(step: Mapping[str, Any]) -> str:
    """Who was not synced: a club, or the clubs of a chain whose one reading failed (R29)."""
    together = step.get("together") or ()
    if len(together) < 2:
        return f"{step['name']} ({step['club']}) was not synced; its customers are unchanged."
    named = ", ".join(sorted(together))
    return (
        f"{len(together)} clubs of a chain were not synced, because their one reading failed; their customers are "
        f"unchanged: {named}."
    )


def _local(moment: str, club: str) -> str:
    """A time on the club's own clock: 28 Nov, 22:38 (Paris)."""
    from clubsync.config import load_config

    zone = next((one.zone for one in load_config().clubs if one.id == club), None)
    local = datetime.fromisoformat(moment).astimezone(zone or UTC)
    place = zone.key.rpartition("/")[2].replace("_", " ") if zone else "UTC"
    return f"{local:%-d %b, %H:%M} ({place})"


def page_of(club: str) -> str:
    """The address of a club's page in Airflow."""
    return f"{pages_address()}/clubs/{club}"


def pages_address() -> str:
    """The address of the Clubs pages in Airflow."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/plugin/clubs/clubsync/pages"


def explain_failure(context: Mapping[str, Any]) -> None:
    """The last lines of the log of a club that failed in the end."""
    exception = context.get("exception")
    if isinstance(exception, ClubFailed):
        log.info("::endgroup::")  # callbacks log into a group that the log page collapses
        for line in explanation(exception.step):
            log.error(line)


def explain_retry(context: Mapping[str, Any]) -> None:
    """The last lines of the log of a try that is followed by another."""
    explain_failure(context)
    log.warning("This club will be retried shortly; the other clubs do not wait for it.")
