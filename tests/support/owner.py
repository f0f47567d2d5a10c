"""A connection as the owner of the tables, for what the engine cannot do (R21): looking everywhere, and damaging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from clubsync.store import embedded
from clubsync.store.database import Base, Driver


@contextmanager
def as_owner(base: Base) -> Iterator[Driver]:
    """A transaction as the owner of the tables of a base on a test's own server."""
    url = base.engine.url.set(drivername="postgresql", username=embedded.SUPERUSER)
    with psycopg.connect(url.render_as_string(hide_password=False)) as driver:
        yield driver
