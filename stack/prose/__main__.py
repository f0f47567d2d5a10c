"""`python -m stack.prose [FILE|FOLDER…]`: findings by file, and their number by folder. Exit 1 if any."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

from stack.prose import check
from stack.prose.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m stack.prose", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, help="default: everything people read")
    parser.add_argument("--counts", action="store_true", help="print only the numbers by folder")
    options = parser.parse_args()
    wanted = [path.resolve() for path in options.paths]
    files = [
        path
        for path in check.files(ROOT)
        if not wanted or any(path.is_relative_to(one) for one in wanted)
    ]
    findings = check.Linter(Vocabulary.load(), ROOT).findings(files)
    if not options.counts:
        for file, group in groupby(findings, key=lambda finding: finding.file):
            print(file)
            for finding in group:
                print(f"  {finding.line}: {finding.found!r}: {finding.advice}")
    for folder, count in sorted(Counter(_folder(finding.file) for finding in findings).items()):
        print(f"{count:6} {folder}")
    print(f"{len(findings)} findings in {len(files)} files.")
    return 1 if findings else 0


def _folder(file: str) -> str:
    """The room: the first two folders."""
    return "/".join(Path(file).parent.parts[:2]) or "."


if __name__ == "__main__":
    sys.exit(main())
