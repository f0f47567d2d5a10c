"""A club that could not be synced: what Airflow does about it, and what its log says.

Support staff read the end of a log first. Airflow ends a failed task's log with a traceback, so the
plain words are written by a callback, which comes after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryDecision

from clubsync.errors import SyncError, place_of
from connectors.sdk.errors import ConnectorError

log = logging.getLogger(__name__)

RETRIES = 3
LONGEST_WAIT = timedelta(minutes=2)
"""All of a club's waits in one run together: while they last, no other run of its ERP begins."""


class ClubFailed(Exception):
    """One club could not be synced; the message is the plain sentence of the step."""

    def __init__(self, step: Mapping[str, Any]) -> None:
        super().__init__(f"{step['name']}: {step['error']}")
        self.step = step


class InternalError(Exception):
    """A task ended by an error of clubsync's own; the message is its class, the log says where."""


@contextmanager
def without_values() -> Iterator[None]:
    """Keep the message of an internal error out of the log: it may hold a person's data (R19).

    Airflow logs the message of whatever ends a task. Errors that clubsync or Airflow words itself pass.

    :raises InternalError: in place of any other exception.
    """
    try:
        yield
    except (ClubFailed, SyncError, ConnectorError):
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] == "airflow":
            raise
        log.critical("Internal error: %s", place_of(error))
        raise InternalError(type(error).__qualname__) from None


def waits(cadence: timedelta) -> list[timedelta]:
    """The pauses before each retry: rising, two minutes together, or half of a shorter cadence."""
    budget = min(LONGEST_WAIT, cadence / 2)
    parts = range(1, RETRIES + 1)
    return [budget * part / sum(parts) for part in parts]


def worth_retrying(step: Mapping[str, Any]) -> bool:
    """Whether the same club may well be read within the two minutes."""
    retry_after = step.get("retry_after") or 0.0
    if step.get("until"):  # in quarantine: one look is enough
        return False
    return bool(step["transient"]) and retry_after <= LONGEST_WAIT.total_seconds()


class ClubRetryPolicy(RetryPolicy):
    """Fails at once what waiting does not mend, waits as long as the ERP asks, else as planned."""

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
            return RetryDecision.fail("Trying again would not help.")
        if step.get("until"):
            return RetryDecision.fail("The club is in quarantine: its next look comes by itself.")
        if not worth_retrying(step):
            return RetryDecision.fail(
                f"The ERP asks for a pause of {step['retry_after']:.0f} s: the club is read then."
            )
        # Cleared by hand, a task's tries go on counting: what is left says which pause is next.
        left = max_tries - try_number + 1
        pause = self.pauses[min(max(len(self.pauses) - left, 0), len(self.pauses) - 1)]
        return RetryDecision.retry(max(pause, timedelta(seconds=step.get("retry_after") or 0.0)))


def plain_words(step: Mapping[str, Any]) -> Iterator[str]:
    """What support needs to know of a failed step, line by line."""
    yield f"{step['name']} ({step['club']}) was not synced; its customers stay as they were."
    yield f"What happened: {step['error']}"
    if step.get("since"):
        yield f"Since: {step['since']}"
    if step.get("until"):
        yield (
            f"Quarantine: it has failed for so long that it is looked at again only at {step['until']}, "
            f"or at once with the Dag sync_one or `clubsync clubs resume {step['club']}`."
        )
    if step.get("remedy") and step["remedy"] not in step["error"]:
        yield f"What to do: {step['remedy']}"
    if step.get("runbook"):
        yield f"Runbook: docs/runbooks/{step['runbook']}.md"
    yield f"The club's page: {page_of(step['club'])}"


def page_of(club: str) -> str:
    """Where in Airflow a club's page is."""
    from airflow.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/plugin/clubs/clubsync/pages/clubs/{club}"


def tell_failure(context: Mapping[str, Any]) -> None:
    """The last lines of the log of a club that finally failed."""
    exception = context.get("exception")
    if isinstance(exception, ClubFailed):
        log.info("::endgroup::")  # callbacks write into a group that the log page folds away
        for line in plain_words(exception.step):
            log.error(line)


def tell_retry(context: Mapping[str, Any]) -> None:
    """The last lines of the log of a try that is followed by another."""
    tell_failure(context)
    log.warning("This club is tried again in a moment; the other clubs do not wait for it.")
