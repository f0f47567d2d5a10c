"""The statements of `sql/`: where they are, and the queries by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosql
import psycopg
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from clubsync.store.queries import Queries

SQL = Path(__file__).resolve().parents[2] / "sql"

Driver = psycopg.Connection[Any]


@lru_cache(maxsize=1)
def queries() -> Queries:
    """Every query of `sql/queries/`, by name; called as `queries().name(driver, **parameters)`.

    Rows come as dicts.
    """
    loaded: Queries = aiosql.from_path(SQL / "queries", "psycopg", kwargs={"row_factory": dict_row})
    return loaded
