"""Which files are the parts of one export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sdk.errors import FileBroken
from connectors.sdk.files.folder import FoundFile
from connectors.sdk.files.parts import of_newest

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def found(*names: tuple[str, int]) -> list[FoundFile]:
    """Files, each written that many minutes before noon; the newest first."""
    files = [FoundFile(name, 1, NOON - timedelta(minutes=ago)) for name, ago in names]
    return sorted(files, key=lambda f: (f.modified, f.name), reverse=True)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ([("c-1.csv", 0), ("c-2.csv", 1), ("c-10.csv", 2)], None),
        ([("c-1.csv", 2), ("c-2.csv", 0)], ["c-1.csv", "c-2.csv"]),
        ([("c_part0.csv", 2), ("c_part1.csv", 0)], ["c_part0.csv", "c_part1.csv"]),
        ([("A-M.csv", 2), ("N-Z.csv", 0)], ["A-M.csv", "N-Z.csv"]),
        ([("c.csv", 0)], ["c.csv"]),
        ([("club75.csv", 0)], ["club75.csv"]),
        (
            [("c_20261121_1.csv", 2), ("c_20261121_2.csv", 0), ("c_20261120_3.csv", 1440)],
            ["c_20261121_1.csv", "c_20261121_2.csv"],
        ),
        (
            [("A 2026-11-21.csv", 2), ("B 2026-11-21.csv", 0), ("A 2026-11-20.csv", 1440)],
            ["A 2026-11-21.csv", "B 2026-11-21.csv"],
        ),
        (
            [
                *(("c-20261121T1200-1.csv", 2), ("c-20261121T1200-2.csv", 0)),
                *(("c-20261121T0900-1.csv", 180), ("c-20261121T0900-2.csv", 179)),
            ],
            ["c-20261121T1200-1.csv", "c-20261121T1200-2.csv"],
        ),
    ],
)
def test_the_parts_of_the_newest_export(
    names: list[tuple[str, int]], parts: list[str] | None
) -> None:
    if parts is None:
        with pytest.raises(FileBroken, match="Part 3 of the export is missing"):
            of_newest(found(*names))
        return
    assert [f.name for f in of_newest(found(*names))] == parts


@pytest.mark.parametrize("names", [[("c-2.csv", 0)], [("c-1.csv", 0), ("c-3.csv", 0)]])
def test_a_missing_part_is_told(names: list[tuple[str, int]]) -> None:
    with pytest.raises(FileBroken, match="is missing"):
        of_newest(found(*names))


@pytest.mark.parametrize(
    "names", [[("c-1.csv", 0), ("c-2.csv", 60)], [("A-M.csv", 0), ("N-Z.csv", 60)]]
)
def test_an_export_that_is_half_overwritten_is_not_finished(names: list[tuple[str, int]]) -> None:
    with pytest.raises(FileBroken, match="written at different times"):
        of_newest(found(*names))
