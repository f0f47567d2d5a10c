"""Every failure that can reach a log names a runbook that is there."""

from __future__ import annotations

import inspect
from pathlib import Path

from clubsync import errors as sync_errors
from connectors.sdk import errors as connector_errors

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"


def test_every_error_has_its_runbook() -> None:
    classes = [
        one
        for module in (sync_errors, connector_errors)
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception)
    ]
    books = {one.__name__: str(getattr(one, "runbook", None)) for one in classes}
    missing = {name: book for name, book in books.items() if not _runbook(book).exists()}
    assert missing == {}


def test_every_runbook_says_what_to_check_to_do_and_not_to_do() -> None:
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text()
        for part in ("**What you see.**", "**Check**", "**Do**", "**Do not**"):
            assert part in text, f"{path.name}: {part}"


def _runbook(name: str) -> Path:
    return RUNBOOKS / f"{name}.md"
