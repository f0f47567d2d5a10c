"""Errors in responses of status 200: `errors:` as a function that checks every response."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.rest.settings import Condition, Errors, RestSettings
from connectors.sdk.errors import CredentialsRefused, ErpUnreachable, RateLimited
from connectors.sdk.http import ErrorCheck, Unauthorized
from connectors.sdk.paths import MISSING, getter, text
from connectors.sdk.words import word, words


def holds(condition: Condition, record: Any) -> bool:
    """Whether the value at its path, or one of a list of values, is one of those that it names."""
    found = getter(condition.at)(record)
    if found is MISSING and condition.absent is not None:
        found = condition.absent
    wanted = words(condition.values)
    return any(_word(one) in wanted for one in (found if isinstance(found, list) else [found]))


def error_check_of(settings: RestSettings) -> ErrorCheck | None:
    """Raises the error in a response; None: the settings describe no such errors."""
    errors = settings.errors
    if errors is None:
        return None

    def check(response: Any) -> None:
        if _is_error(errors, response):
            raise _error(errors, response, settings.name)

    return check


def _is_error(errors: Errors, response: Any) -> bool:
    found = getter(errors.at)(response) if errors.at is not None else None
    if found not in (None, MISSING, False, "", [], {}, 0):
        return True
    return errors.ok is not None and not holds(errors.ok, response)


def _error(errors: Errors, response: Any, erp: str) -> Exception:
    """The error in our words: the ERP's own text may name people (R19)."""
    code = _word(getter(errors.code)(response)) if errors.code is not None else None
    if code is not None and code in words(errors.refused):
        return CredentialsRefused(f"{erp} rejected our credentials, in a response with status 200.")
    if code is not None and code in words(errors.expired):
        return Unauthorized(f"{erp} says that our session has expired.")
    if code is not None and code in words(errors.throttled):
        return RateLimited(f"{erp} is rate-limiting us.", retry_after=_wait(errors, response))
    return ErpUnreachable(
        f"{erp} returned an error in a response with status 200.",
        remedy="If it persists, the ERP's own log has the cause; settings: errors describe such errors.",
    )


def _wait(errors: Errors, response: Any) -> timedelta | None:
    if errors.wait is None:
        return None
    found = getter(errors.wait)(response)
    try:
        return timedelta(seconds=max(0.0, float(found)))
    except (TypeError, ValueError, OverflowError):
        return None


def _word(value: Any) -> str | None:
    """A value in the form in which words are compared; None: it is not a word."""
    if value is None or value is MISSING or isinstance(value, dict | list):
        return None
    return word(text(value, "") or "")
