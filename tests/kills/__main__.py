"""Kill, cut, crash and crowd, and write what came of it into docs/reliability.md: `make reliability`.

Every try is noted in `var/reliability.jsonl`, with its seed and the commit that was tried: with `--more` a table is
made of several sittings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from rich.progress import track

from clubsync.store import embedded
from tests.kills.actions import ACTIONS
from tests.kills.lab import Lab, Told
from tests.kills.pairs import Pairs
from tests.kills.plan import FAULTS, of_interest, sample, shares
from tests.kills.unrest import Unrest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
NOTES = ROOT / "var" / "reliability.jsonl"
BEGIN, END = "<!-- begin: kills -->", "<!-- end: kills -->"
NAMES = {
    "kill": "process killed",
    "cut": "connections cut",
    "unanswered": "COMMIT unanswered",
    "crash": "PostgreSQL killed",
    "full": "store full",
    "read-only": "store read-only",
    "clock back": "clock set back",
    "clock ahead": "clock set ahead",
    "pair": "two workers",
}
COLUMNS = "tries", "lost", "wrongly in", "doubled", "missing", "resurrected", "files", "failed"
FIELDS = "tries", "lost", "gained", "doubled", "missing", "back", "files", "failed"


def disturbed(
    lab: Lab, own: Lab, options: argparse.Namespace
) -> Iterator[tuple[str, str, str, Told]]:
    """Try after try: the fault, the action, the point, and what came of it.

    :param own: the lab whose PostgreSQL may be killed.
    """
    for fault in FAULTS:
        if fault not in options.only:
            continue
        where = own if fault == "crash" else lab
        count = options.kills if fault == "kill" else options.others
        for name, share in track(list(shares(count)), NAMES[fault]):
            if name in options.skip or not share:
                continue
            points = of_interest(where.prepared(name).points, fault)
            for point in sample(points, share, f"{fault} {options.seed}"):
                yield fault, name, point, where.disturb(name, point, fault)


def paired(lab: Lab, options: argparse.Namespace) -> Iterator[tuple[str, str, str, Told]]:
    """Pair after pair."""
    pairs, skipped = Pairs(lab), {f"two: {name}" for name in options.skip}
    if "pair" not in options.only:
        return
    for pair in track(pairs.sample(options.pairs, options.seed), NAMES["pair"]):
        if not {pair.first, pair.second} & skipped:
            yield "pair", pair.first.removeprefix("two: "), str(pair), pairs.run(pair)


def commit() -> str:
    """The commit that is tried; with a plus where files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")


def table(notes: Path) -> Iterator[str]:
    """The lines of the table, from what is noted."""
    cells: dict[tuple[str, str], list[int]] = {}
    for line in notes.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        row = cells.setdefault((told["fault"], told["action"]), [0] * len(FIELDS))
        for at, name in enumerate(FIELDS):
            value = told[name]
            row[at] += value if isinstance(value, int) else bool(value)
    yield f"| fault | during | {' | '.join(COLUMNS)} |"
    yield f"|---|---|{'--:|' * len(COLUMNS)}"
    for fault, title in NAMES.items():
        rows = {action: row for (of, action), row in cells.items() if of == fault}
        for action in sorted(rows, key=_order):
            yield _line(title, action, rows[action])
        if rows:
            whole = [sum(values) for values in zip(*rows.values(), strict=True)]
            yield _line(f"**{title}**", "**all**", whole)


def _order(action: str) -> int:
    return list(ACTIONS).index(action) if action in ACTIONS else len(ACTIONS)


def _line(fault: str, action: str, figures: list[int]) -> str:
    return f"| {fault} | {action} | {' | '.join(f'{n:,}' for n in figures)} |"


def write(lines: Iterator[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=540)
    parser.add_argument("--others", type=int, default=54, help="tries of each other fault")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--unrest", type=float, default=0, help="minutes of long unrest besides")
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--skip", nargs="+", default=[], help="actions to leave out")
    parser.add_argument("--notes", type=Path, default=NOTES, help="where every try is noted")
    parser.add_argument("--more", action="store_true", help="add to what is noted")
    parser.add_argument(
        "--table", action="store_true", help="only write the table of what is noted"
    )
    options = parser.parse_args()
    if not options.table:
        sit(options)
    write(table(options.notes))


def sit(options: argparse.Namespace) -> None:
    """Try, and note what came of it."""
    options.notes.parent.mkdir(exist_ok=True)
    if not options.more:
        options.notes.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cs-kills-"))
    servers = [Path(tempfile.mkdtemp(prefix="cs-pg-")) for _ in range(2)]
    begun, tried = time.monotonic(), commit()
    try:
        lab, own = (
            Lab(embedded.ensure_running(server, settings=Lab.settings), folder / name)
            for server, name in zip(servers, ("lab", "own"), strict=True)
        )
        with options.notes.open("a", encoding="utf-8") as notes:
            tries = chain(disturbed(lab, own, options), paired(lab, options))
            for fault, action, point, told in tries:
                about = {"fault": fault, "action": action, "point": point}
                about |= {"seed": options.seed, "commit": tried}
                notes.write(json.dumps({**about, **asdict(told)}) + "\n")
                notes.flush()
                for what in told.faults[:3]:
                    print(what[:600])
                if options.minutes and time.monotonic() - begun > options.minutes * 60:
                    break
        if options.unrest:
            print(Unrest(own, folder / "unrest", options.seed).live(options.unrest))
    finally:
        for server in servers:
            embedded.stop(server)
            shutil.rmtree(server, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("CLUBSYNC_NOW", None)


if __name__ == "__main__":
    main()
