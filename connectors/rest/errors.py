"""Errors that call themselves a success: `errors:` as a function that looks at every answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.rest.settings import Condition, Errors, RestSettings
from connectors.sdk.errors import CredentialsRefused, ErpUnreachable, RateLimited
from connectors.sdk.fields import words
from connectors.sdk.http import Judge, Unauthorized
from connectors.sdk.paths import MISSING, getter


def holds(condition: Condition, thing: Any) -> bool:
    """Whether the thing at its path, or one of a list there, has one of its values."""
    found = getter(condition.at)(thing)
    wanted = words(condition.values)
    return any(_word(one) in wanted for one in (found if isinstance(found, list) else [found]))


def judge_of(settings: RestSettings) -> Judge | None:
    """What raises the error that an answer holds; None where the settings know of none."""
    errors = settings.errors
    if errors is None:
        return None

    def judge(answer: Any) -> None:
        if _is_error(errors, answer):
            raise _meant(errors, answer, settings.name)

    return judge


def _is_error(errors: Errors, answer: Any) -> bool:
    found = getter(errors.at)(answer) if errors.at is not None else None
    if found not in (None, MISSING, False, "", [], {}, 0):
        return True
    return errors.ok is not None and not holds(errors.ok, answer)


def _meant(errors: Errors, answer: Any, erp: str) -> Exception:
    """The error, in our words: the ERP's own text may name people (R19)."""
    code = _word(getter(errors.code)(answer)) if errors.code is not None else None
    if code is not None and code in words(errors.refused):
        return CredentialsRefused(f"{erp} refused us, in an answer that calls itself a success.")
    if code is not None and code in words(errors.expired):
        return Unauthorized(f"{erp} says that our session has run out.")
    if code is not None and code in words(errors.throttled):
        return RateLimited(
            f"{erp} says that it has had too many requests.", retry_after=_wait(errors, answer)
        )
    return ErpUnreachable(
        f"{erp} answered with an error that calls itself a success.",
        remedy="Where it lasts, its own log names the cause; settings: errors say how such errors are known.",
    )


def _wait(errors: Errors, answer: Any) -> timedelta | None:
    if errors.wait is None:
        return None
    found = getter(errors.wait)(answer)
    try:
        return timedelta(seconds=max(0.0, float(found)))
    except (TypeError, ValueError, OverflowError):
        return None


def _word(value: Any) -> str | None:
    """A value in the form in which words are compared."""
    if value is None or value is MISSING or isinstance(value, dict | list):
        return None
    return str(value).strip().lower()
