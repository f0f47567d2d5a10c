"""Emails as an ERP has them (R2): what no person typed is removed before anything is compared or validated.

A connector hands on the cell as it is, for display; whoever compares emails does it with `cleaned`.
"""

from __future__ import annotations

import re

import polars as pl

from connectors.sdk.words import visible

_MAILTO = re.compile(r"(?i)^mailto:\s*([^?]*).*$", re.DOTALL)
_ODD = r"(?i)^mailto:"


def clean(text: str) -> str:
    """A cell without format characters, surrounding white space (no-break blanks too) and `mailto:`."""
    kept = visible(text.strip()).strip()
    return _MAILTO.sub(r"\1", kept).strip()


def cleaned(cells: pl.Series) -> pl.Series:
    """`clean` of a column; null stays null."""
    stripped = cells.cast(pl.String).str.strip_chars()
    odd = (stripped.str.len_bytes() != stripped.str.len_chars()) | stripped.str.contains(_ODD)
    found = stripped.filter(odd.fill_null(value=False)).unique()
    if found.is_empty():
        return stripped
    return stripped.replace(found, pl.Series([clean(text) for text in found], dtype=pl.String))
