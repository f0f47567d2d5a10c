"""Findings of files: proselint over their prose, and the names that Python files define."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path

import proselint.checks
from proselint.config import Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

from stack.prose import extract
from stack.prose.extract import Passage
from stack.prose.vocabulary import PART, Vocabulary

FOLDERS = {
    "benchmarks": ("*.py", "*.md"),
    "clubsync": ("*.py", "*.po"),
    "config": ("*.yaml",),
    "connectors": ("*.py",),
    "dags": ("*.py",),
    "docs": ("*.md", "examples/*.yaml"),
    "expectations": ("*.json",),
    "plugins": ("*.py", "*.html"),
    "sandbox": ("*.py",),
    "sql": ("*.sql",),
    "stack": ("*.py",),
    "templates": ("*.jinja", "*.yml"),
    ".ci": ("run",),
    ".github": ("*.yaml",),
}
"""Where people read, and what. Beside these, whatever lies at the top."""

TOP = ("*.md", "Makefile", "pyproject.toml", "docker-compose.yaml", "Dockerfile")
PLENTY = 10_000


@dataclass(frozen=True, order=True)
class Finding:
    """A word to replace.

    :param file: relative to the root.
    :param found: as it stands there.
    :param advice: what to write instead.
    """

    file: str
    line: int
    found: str
    advice: str


def files(root: Path) -> list[Path]:
    """Everything that is checked, sorted."""
    found = {path for pattern in TOP for path in root.glob(pattern)}
    for folder, patterns in FOLDERS.items():
        found |= {path for pattern in patterns for path in (root / folder).rglob(pattern)}
    return sorted(path for path in found if path.is_file())


class Linter:
    """proselint with our vocabulary, for any number of files.

    :param root: what the names of findings are relative to.
    """

    def __init__(self, vocabulary: Vocabulary, root: Path) -> None:
        self._vocabulary = vocabulary
        self._root = root
        self._code = vocabulary.code_avoided()
        self._names = vocabulary.names_avoided()
        registry = CheckRegistry()
        registry.checks.clear()  # it is one for the process
        registry.register_many((*vocabulary.checks(), *proselint.checks.__register__))
        # checks of the most precise name come first: proselint asks for that
        wanted = sorted(vocabulary.proselint, key=lambda name: -name.count("."))
        self._config = Config(
            max_errors=PLENTY, checks={"vocabulary": True, **dict.fromkeys(wanted, True)}
        )

    def findings(self, paths: Iterable[Path]) -> list[Finding]:
        """What to replace in those files, less what the vocabulary accepts; sorted."""
        found = {finding for path in paths for finding in self._of(path)}
        return sorted(finding for finding in found if not self._is_accepted(finding))

    def unused(self, paths: Iterable[Path]) -> list[str]:
        """Accepted words that none of those files has: they can go."""
        found = [finding for path in paths for finding in self._of(path)]
        return [
            accepted.words
            for accepted in self._vocabulary.accepted
            if not any(_accepts(accepted.words, accepted.files, finding) for finding in found)
        ]

    def _of(self, path: Path) -> Iterator[Finding]:
        file = path.relative_to(self._root).as_posix()
        if path == self._root / "docs" / "vocabulary.yaml":
            return
        yield from self._of_prose(file, extract.passages(path))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for pattern, advice in self._code.items():
                if match := pattern.search(line):
                    yield Finding(file, number, match[0], f"write {advice}")
        for name in extract.names(path):
            for pattern, advice in self._names.items():
                if pattern.fullmatch(name.name):
                    yield Finding(file, name.line, name.name, f"name it otherwise: {advice}")

    def _of_prose(self, file: str, passages: list[Passage]) -> Iterator[Finding]:
        # a lone surrogate, which code may name, cannot be searched; the positions stay the same
        texts = [re.sub("[\ud800-\udfff]", "\ufffd", passage.text) for passage in passages]
        content = PART + "".join(text + PART for text in texts)
        starts = list(accumulate((len(text) + 1 for text in texts), initial=1))
        for result in LintFile(file, content).lint(self._config):
            # proselint sets a line break before the content
            begin, end = (position - 1 for position in result.check_result.span)
            number = bisect_right(starts, begin) - 1
            passage = passages[number]
            line = passage.line + passage.text.count("\n", 0, max(begin - starts[number], 0))
            found = " ".join(content[begin:end].strip(PART).split())
            yield Finding(file, line, found, result.check_result.message)

    def _is_accepted(self, finding: Finding) -> bool:
        return any(
            _accepts(accepted.words, accepted.files, finding)
            for accepted in self._vocabulary.accepted
        )


def _accepts(words: str, files: tuple[str, ...], finding: Finding) -> bool:
    return words.casefold() == finding.found.casefold() and any(
        fnmatch(finding.file, pattern) for pattern in files
    )
