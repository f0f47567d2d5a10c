"""Live many lives, measure what certainty costs, and write what came of both into docs/reliability.md:
`make reliability`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from tests.promise import cost
from tests.promise.lives import DISTURBANCES, Told, cell
from tests.support.paged_lists import PAGING

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
#: The two tables of the page.
PROMISE, COST = "the promise", "the cost"
COLUMNS = "readings", "certified", "edited meanwhile", "lost", "gained", "lost without R14"


def rows(lives: int) -> Iterator[str]:
    """The lines of the table."""
    cells = list(product(DISTURBANCES, PAGING))
    # a process that is forked off one in which Polars has worked waits for its threads and never ends
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        made = [pool.submit(cell, d, p, lives) for d, p in cells]
        done = [one.result() for one in track(made, "Living ...")]
    heads = "disturbance", "paging", *COLUMNS
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if n < 2 else '--:' for n in range(len(heads)))}|"
    whole, all_believed = Told(), 0
    for (disturbance, paging), (told, believed) in zip(cells, done, strict=True):
        yield line(disturbance, paging, told, believed)
        whole.add(told)
        all_believed += believed
    yield line("**all**", "", whole, all_believed)
    for story in whole.stories[:5]:
        print(story)


def line(disturbance: str, paging: str, told: Told, believed: int) -> str:
    figures = (told.readings, told.certified, told.walks, told.lost, told.gained, believed)
    return f"| {disturbance} | {paging} | {' | '.join(f'{n:,}' for n in figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.promise", description=__doc__)
    parser.add_argument("--lives", type=int, default=8, help="lives of each row of the table")
    parser.add_argument("--departures", type=int, default=12, help="of each row of the costs")
    parser.add_argument("--only", choices=[PROMISE, COST], help="one of the two tables")
    args = parser.parse_args()
    if args.only in (None, COST):
        write(COST, cost.rows(args.departures))
    if args.only in (None, PROMISE):
        write(PROMISE, rows(args.lives))


def write(table: str, lines: Iterator[str]) -> None:
    """Put a table where the page marks its place."""
    begin, end = f"<!-- begin: {table} -->", f"<!-- end: {table} -->"
    found = "\n".join(lines)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n\n{found}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
