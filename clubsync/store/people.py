"""Find people of a club by what a caller can say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clubsync import emails
from clubsync.store import record_index
from clubsync.store.database import Driver, queries

if TYPE_CHECKING:
    from clubsync.store.queries import FindPersonRow


def resolve_person(
    driver: Driver, club: int, who: str, *, by_id: bool = False
) -> tuple[str | None, list[FindPersonRow]]:
    """Whom an email (any spelling) or an ERP id means.

    :param by_id: it is an ERP id, also where it looks like an email, which may be somebody else's.
    :returns: the normalised email where it is one, and their `erp_id` and `customer`, either of which may
        be null.
    """
    email = emails.normalise(who) if "@" in who and not by_id else None
    candidates = record_index.by_email(record_index.read(driver, club), [email]) if email else []
    found = queries().find_person(driver, club=club, erp_id=who, email=email, candidates=candidates)
    return email, list(found)
