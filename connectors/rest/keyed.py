"""Lists that an API writes as an object, with the rows' ids as its keys: `{"812": {"email": …}, "813": …}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keyed_rows(found: Mapping[str, Any], name: str) -> list[Any]:
    """The values of an object as rows, each with its key in the field `name`; one that is no object is its `value`."""
    return [
        {**(row if isinstance(row, dict) else {"value": row}), name: key}
        for key, row in found.items()
    ]
