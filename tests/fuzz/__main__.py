"""Give every parser many inputs, and write what came of it into docs/reliability.md: `make reliability`."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from tests.fuzz.run import Counted, fuzz
from tests.fuzz.targets import TARGETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: fuzzing -->", "<!-- end: fuzzing -->"


def table(inputs: int) -> str:
    """The table of all parsers."""
    counted = [
        fuzz(target, max(inputs * target.share // 100, 20))
        for target in track(TARGETS, "Fuzzing ...")
    ]
    whole = Counted("**all**", sum(one.read for one in counted), sum(one.told for one in counted))
    rows = [
        f"| {one.name} | {one.inputs:,} | {one.read:,} | {one.told:,} | 0 |"
        for one in (*counted, whole)
    ]
    heads = (
        "| parser | inputs | read | refused with a sentence | tracebacks |\n|---|--:|--:|--:|--:|"
    )
    return "\n".join([heads, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--inputs", type=int, default=21_000, help="inputs, of all parsers together"
    )
    made = table(parser.parse_args().inputs)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
