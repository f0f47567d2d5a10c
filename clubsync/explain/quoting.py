"""R19, R22: which words of the ERP a finding repeats to those who see personal data masked.

A finding quotes the status, or the value that cannot be read. In a column that is mapped by mistake every such word is
somebody's: a name, an email. So a word is quoted to them only if it looks like no email, phone or date, is none of the
record's own names, and is a word of the club's: several records have it, or the club has hardly any others. Ids are
quoted; the names of groups, unless they look personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clubsync.store.database import Driver, queries
from connectors.sdk.quoted import is_personal, masked, quoted
from connectors.sdk.words import word

#: Records from which on a word is no person's; different words up to which a club's are few.
_SEVERAL, _FEW = 3, 2
_NAMES = ("first_name", "last_name", "email")


def for_viewers(
    driver: Driver, club: int, code: str, detail: Mapping[str, Any], person: Mapping[str, Any]
) -> dict[str, Any]:
    """A finding's detail, with its words masked that may be a person's.

    :param person: of the finding's record: first_name, last_name and email, unmasked.
    """
    said = [*detail.get("words", ()), *([detail["word"]] if "word" in detail else [])]
    common = _common(driver, club, code, said)
    own = {part for name in _NAMES for part in word(person.get(name) or "").split()}

    def shown(text: str) -> str:
        theirs = bool(own) and own.issuperset(word(text).split())
        return text if text in common and not theirs and not is_personal(text) else masked(text)

    out = dict(detail)
    if "word" in detail:
        out["word"] = shown(detail["word"])
    if "words" in detail:
        out["words"] = [shown(text) for text in detail["words"]]
    for names in ("groups", "fields"):
        if isinstance(detail.get(names), list):
            out[names] = [quoted(name) for name in detail[names]]
    return out


def all_for_viewers(
    driver: Driver, club: int, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """`for_viewers` of findings: code, detail, and of the record first_name, last_name and email."""
    return [for_viewers(driver, club, row["code"], row["detail"], row) for row in rows]


def _common(driver: Driver, club: int, code: str, said: Iterable[str]) -> set[str]:
    """Those of the words that are the club's, not one record's."""
    words = list(dict.fromkeys(said))
    if not words:
        return set()
    found = queries().words_of_findings(driver, club=club, code=code, words=words)
    return {row["word"] for row in found if row["records"] >= _SEVERAL or row["different"] <= _FEW}
