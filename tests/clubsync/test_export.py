"""R22: no cell of a CSV file is a formula, whatever spreadsheet opens it, with whatever delimiter."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clubsync.explain.export import safe

#: What spreadsheets skip before a formula, and what starts one, as seen by this test alone.
BLANK = r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\xad]*"
STARTS = re.compile(f"^{BLANK}[=+\\-@＝＋－＠﹦﹢﹣﹫−]")
PHONE = re.compile(r"\+\d[\d ().\-]*")


@pytest.mark.parametrize(
    "cell",
    [
        "=cmd|' /C calc'!A0",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(1)",
        "  =1",
        "\u00a0=1",
        "\u3000=1",
        "\u200b=1",
        "\ufeff@x",
        "\n=1",
        "\r\n=1",
        "\t=1",
        "\x00=1",
        "−1",
        "+1\n",
    ],
)
def test_a_formula_is_quoted(cell: str) -> None:
    assert safe(cell).startswith("'")


@pytest.mark.parametrize("cell", ["a;=1", "a; =1", "a\t=1", "a\n=1", "a;\u200b＝1"])
def test_a_formula_behind_another_delimiter_is_quoted(cell: str) -> None:
    assert not any(STARTS.match(part) for part in re.split("[;\t\r\n]", safe(cell)))


@pytest.mark.parametrize(
    "cell", ["Jean-Luc", "ana@mail.example", "+33 6 12 34 56 78", "1=1", "a, -b", "3 + 4", "", "'x"]
)
def test_what_is_no_formula_stays(cell: str) -> None:
    assert safe(cell) == cell


@given(st.text(st.sampled_from("=+-@＝＋ \t\r\n;,\"'a1\u200b\ufeff\u00a0"), max_size=12))
@example('a;"=1"')
def test_no_cell_of_a_file_is_a_formula_with_any_delimiter(cell: str) -> None:
    written = io.StringIO()
    csv.writer(written).writerow([safe(cell), "x"])
    (row,) = list(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert PHONE.fullmatch(row[0]) or not STARTS.match(row[0])
    if '"' not in cell:
        for part in re.split("[;\t\r\n]", row[0]):
            assert PHONE.fullmatch(row[0]) or not STARTS.match(part)
