"""R14: the customers whom a walk misses are asked for one by one, where the ERP answers for one.

A walk by position may only have hidden them: then they are customers like the others. Those whom the ERP no longer has
are gone, and no second reading has to prove it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from connectors.sdk.errors import ConnectorError
from connectors.sdk.model import Consistency
from connectors.sdk.paging import Walk

R = TypeVar("R")

#: More customers than that are not asked for one by one: a second reading costs less.
MOST_ASKED_FOR = 50


def ask_for_missing(
    walk: Walk[Any, Any],
    known: Callable[[], Collection[str]],
    seen: Collection[str | None],
    ask: Callable[[str], Sequence[R]],
    *,
    at_most: int = MOST_ASKED_FOR,
) -> list[R]:
    """The customers whom a walk has missed and the ERP still has; `walk` knows whether all were asked for.

    :param walk: through all customers, at its end.
    :param known: the ids of the customers that the ERP is known to have had.
    :param seen: the ids that the walk has shown.
    :param ask: the rows of one customer by id; none: the ERP has no such customer. If it raises a `ConnectorError`,
        nothing is proved, and a second reading does it.
    """
    if walk.doubts or walk.consistency is not Consistency.BY_POSITION:
        return []
    missing = sorted(set(known()) - set(seen))
    if len(missing) > at_most:
        return []
    try:
        found = [row for erp_id in missing for row in ask(erp_id)]
    except ConnectorError:
        return []
    walk.asked_for_missing(len(found))
    return found
