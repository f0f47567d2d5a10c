"""A pool per ERP: how many tasks ask one ERP, or read its files, at a time.

The scheduler creates the pool of ``sync_<erp>`` when a run of that Dag starts, and again whichever pool of ours a
task waits for (``listener``): Airflow would let that task wait until somebody creates it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

SETTING = "CLUBSYNC_POOL_SLOTS"
PREFIX = "sync_"
_SET = re.compile(r"clubsync set it to (\d+)\.")


def pool_of(erp: str) -> str:
    """The name of an ERP's pool, which is its Dag's."""
    return f"{PREFIX}{erp}"


def slots() -> int:
    """How many batches can run at a time: ``CLUBSYNC_SLOTS``, else two for each core."""
    return _first("CLUBSYNC_SLOTS") or 2 * (os.cpu_count() or 1)


def size(pool: str) -> int:
    """Slots of a pool: ``CLUBSYNC_POOL_SLOTS_<ERP>``, else ``CLUBSYNC_POOL_SLOTS``, else as many as batches."""
    own = f"{SETTING}_{pool.removeprefix(PREFIX).upper()}"
    return _first(own, SETTING) or slots()


def _first(*settings: str) -> int | None:
    """The first of them that says how many; one that is no number is logged, and does not count: without its pool,
    tasks would wait for good."""
    for name in settings:
        if not (given := os.environ.get(name, "").strip()):
            continue
        if given.isdecimal() and int(given) > 0:
            return int(given)
        log.error("%s has to be a number from 1; it does not count.", name)
    return None


def ensure(session: Session, names: Iterable[str]) -> list[str]:
    """Create the pools that are missing, and let those that nobody has resized follow their setting.

    :param names: pools of ours that are needed.
    :returns: those that were created.
    """
    from airflow.models.pool import Pool
    from sqlalchemy import select

    wanted = sorted(set(names))
    found = {
        str(pool.pool): pool for pool in session.scalars(select(Pool).where(Pool.pool.in_(wanted)))
    }
    for name in wanted:
        slots, pool = size(name), found.get(name)
        if pool is None:
            session.add(
                Pool(
                    pool=name, slots=slots, description=_description(slots), include_deferred=False
                )
            )
            continue
        told = _SET.search(pool.description or "")
        if told and pool.slots == int(told[1]) != slots:
            pool.slots, pool.description = slots, _description(slots)
    return [name for name in wanted if name not in found]


def waiting(session: Session) -> list[str]:
    """Pools of ours that tasks wait for, although they are not there."""
    from airflow.models.pool import Pool
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    statement = (
        select(TaskInstance.pool)
        .where(
            TaskInstance.state == TaskInstanceState.SCHEDULED,
            TaskInstance.pool.startswith(PREFIX, autoescape=True),
            TaskInstance.pool.not_in(select(Pool.pool)),
        )
        .distinct()
    )
    return list(session.scalars(statement))


def _description(slots: int) -> str:
    return f"Tasks that read this ERP at a time; clubsync set it to {slots}. A size that you set here is kept."
