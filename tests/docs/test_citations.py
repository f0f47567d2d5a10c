"""Every citation in code, SQL, pages and documents resolves: rules, files, modules, links and anchors."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from connectors.registry import CONNECTORS

ROOT = Path(__file__).resolve().parents[2]
RULES = "docs/rules.md"

#: Folders that the repository does not have, though a working copy may.
_NOT_OURS = ("var", "build", "node_modules", "__pycache__", "*.egg-info")
#: Hidden folders and files that it has.
_HIDDEN = (".ci", ".github")
_TEXT = {
    *("", ".css", ".html", ".ini", ".jinja", ".js", ".json", ".mako", ".md", ".po", ".pot"),
    *(".py", ".pyi", ".sh", ".sql", ".svg", ".toml", ".yaml", ".yml"),
}
#: Paths and names that look like ours and are not, each with what it is.
_ELSEWHERE: Mapping[str, str] = {
    "psycopg.sql": "a module of psycopg",
    "dags/*/runs/*": "an address of Airflow's own pages",
}

_RULE = re.compile(r"\bR([0-9]+)\b|\btest_r([0-9]{2})_")
_BARE = re.compile(r"(?<![\w/.*{}<>-])([\w-]+\.(?:md|py|sql))\b(?![/(])")
_PLACEHOLDER = re.compile(r"NAME|NN|…|<[^>]*>|\{\{[^}]*\}\}|\{[^}]*\}")
_MODULE = re.compile(
    r"`((?:benchmarks|clubsync|connectors|dags|plugins|sandbox|stack|tests)(?:\.\w+)+)"
)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE
)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


# --- the repository -----------------------------------------------------------------------------


@cache
def _files() -> dict[str, Path]:
    """Every file of the repository by its path below the root."""
    found = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if not any(fnmatch(name, one) for one in _NOT_OURS)
            and (not name.startswith(".") or name in _HIDDEN)
        ]
        for name in names:
            path = Path(folder) / name
            found[path.relative_to(ROOT).as_posix()] = path
    return found


@cache
def _texts() -> dict[str, str]:
    """The text of every text file, except this one, whose examples are wrong on purpose."""
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in _files().items()
        if path.suffix in _TEXT and not name.startswith(".git/") and path != Path(__file__)
    }


@cache
def _told() -> dict[str, str]:
    """The texts; of tests only comments and docstrings, because their strings name files that they write."""
    return {
        name: _remarks(text) if fnmatch(name, "tests/*.py") else text
        for name, text in _texts().items()
    }


def _remarks(code: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, documented)]
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])


@cache
def _names() -> frozenset[str]:
    """The names of all files, without their folders."""
    return frozenset(path.name for path in _files().values())


@cache
def _folders() -> frozenset[str]:
    return frozenset(
        parent.as_posix() for name in _files() for parent in Path(name).parents if parent.parts
    )


@cache
def _path() -> re.Pattern[str]:
    """A path below the root, with an anchor where it has one."""
    tops = "|".join(sorted(re.escape(name) for name in _folders() if "/" not in name))
    return re.compile(
        rf"(?<![\w/.:~$*}}@-])((?:{tops})/(?:[\w./*…-]|<[^>\s]*>|{{+[^}}]*}}+)*)(#[\w-]+)?"
    )


@cache
def _own_names() -> frozenset[str]:
    """Dotted names that the code itself gives to things: metrics, loggers."""
    code = "\n".join(text for name, text in _texts().items() if name.endswith(".py"))
    return frozenset(re.findall(r"\"([a-z]+(?:\.\w+)+)\"", code))


@cache
def _anchors(name: str) -> frozenset[str]:
    """The anchors of a Markdown file as GitHub makes them."""
    text = _FENCE.sub("", _files()[name].read_text(encoding="utf-8"))
    found = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(text):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        again = sum(
            one == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", one) is not None for one in found
        )
        found.add(f"{slug}-{again}" if again else slug)
    return frozenset(found)


def _there(path: str) -> bool:
    """Whether the repository has that file or folder; with a placeholder or a star: one like it."""
    path = path.rstrip("/")
    if "*" in path:
        return any(fnmatch(name, path) for name in (*_files(), *_folders()))
    return path in _files() or path in _folders() or f"{path}.py" in _files()


def _elsewhere(path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in _ELSEWHERE)


# --- what is wrong with a text ------------------------------------------------------------------


def unknown_rules(text: str) -> Iterator[str]:
    """Rules that are cited and that docs/rules.md does not have."""
    for match in _RULE.finditer(text):
        number = int(match[1] or match[2])
        if number not in _rules():
            yield f"R{number} is no rule of {RULES}"


def lost_files(text: str) -> Iterator[str]:
    """Files, folders and anchors that are mentioned and that the repository does not have."""
    for match in _path().finditer(text):
        path = _PLACEHOLDER.sub("*", match[1]).rstrip(".-")
        if not _there(path) and not _elsewhere(path):
            yield f"there is no {match[1]}"
        elif match[2] and path in _files() and match[2][1:] not in _anchors(path):
            yield f"{path} has no anchor {match[2]}"
    for match in _BARE.finditer(text):
        if match[1] not in _names() and not _elsewhere(match[1]):
            yield f"there is no file named {match[1]}"


def lost_modules(text: str) -> Iterator[str]:
    """Modules, and names in them, that are mentioned in backticks and do not exist."""
    for match in _MODULE.finditer(text):
        parts = match[1].split(".")
        if match[1] in _own_names() or match[1] in _names():
            continue
        at = parts.pop(0)
        while parts and (f"{at}/{parts[0]}" in _folders() or f"{at}/{parts[0]}.py" in _files()):
            at = f"{at}/{parts.pop(0)}"
        source = _texts().get(f"{at}.py") or _texts().get(f"{at}/__init__.py") or ""
        if parts and not re.search(rf"\b{parts[0]}\b", source):
            yield f"there is no {match[1]}: {at} does not name {parts[0]}"


def broken_links(name: str, text: str) -> Iterator[str]:
    """Relative links of a Markdown file that lead nowhere.

    :param name: the file's path below the root.
    """
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
    for match in _LINK.finditer(text):
        target = match[1] or match[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        where = os.path.normpath(Path(name).parent / path) if path else name
        if not _there(where):
            yield f"the link {target} leads to no file"
        elif anchor and (not where.endswith(".md") or anchor not in _anchors(where)):
            yield f"the link {target} leads to no anchor"


# --- the rules ----------------------------------------------------------------------------------


@cache
def _rules() -> frozenset[int]:
    """The numbers of docs/rules.md: a heading below an anchor of the same number."""
    text = (ROOT / RULES).read_text(encoding="utf-8")
    found = re.findall(r"^<a id=\"r([0-9]+)\"></a>\n\n### R([0-9]+) \S", text, re.MULTILINE)
    return frozenset(int(anchor) for anchor, heading in found if anchor == heading)


def _not_built() -> frozenset[int]:
    """The rules that docs/rules.md says are not implemented at all."""
    text = (ROOT / RULES).read_text(encoding="utf-8")
    found: set[int] = set()
    for cell in re.findall(r"^\| (\[R.*?) \| All of it\. \|$", text, re.MULTILINE):
        first, *last = (int(number) for number in re.findall(r"\[R([0-9]+)\]", cell))
        found.update(range(first, (last or [first])[-1] + 1))
    return frozenset(found)


def _named_by_tests() -> frozenset[int]:
    """The rules that a test cites, in its name or its docstring."""
    found: set[int] = set()
    for name, text in _texts().items():
        if not fnmatch(name, "tests/*test_*.py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                told = f"{node.name} {ast.get_docstring(node) or ''}"
                found |= {int(one or two) for one, two in _RULE.findall(told)}
    return frozenset(found)


# --- tests --------------------------------------------------------------------------------------


def test_the_rules_are_numbered_without_a_gap() -> None:
    assert sorted(_rules()) == list(range(1, len(_rules()) + 1))
    assert len(_rules()) >= 31


def test_every_rule_that_is_built_is_named_by_a_test() -> None:
    assert _not_built() < _rules()
    assert _rules() - _not_built() - _named_by_tests() == set()


def test_every_rule_that_is_cited_is_written_down() -> None:
    _nothing(_wrong(unknown_rules, _texts()))


def test_every_file_that_is_mentioned_is_there() -> None:
    _nothing(_wrong(lost_files, _told()))


def test_every_module_that_is_mentioned_is_there() -> None:
    _nothing(_wrong(lost_modules, _told()))


def test_every_link_of_the_documents_leads_somewhere() -> None:
    _nothing(
        f"{name}: {problem}"
        for name, text in _texts().items()
        if name.endswith(".md")
        for problem in broken_links(name, text)
    )


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_every_connector_has_a_page_in_the_index(name: str) -> None:
    index = (ROOT / "docs/erps/README.md").read_text(encoding="utf-8")
    assert f"docs/erps/{name}.md" in _files()
    assert re.search(rf"^\| \[.*\]\({name}\.md\) \| `{name}` \|", index, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("as R99 says", "R99 is no rule"),
        ("def test_r77_nothing() -> None:", "R77 is no rule"),
        ("see docs/nothing.md", "no docs/nothing.md"),
        ("see erps-of-old.md, section 4", "no file named erps-of-old.md"),
        ("see clubsync/nothing.py for more", "no clubsync/nothing.py"),
        ("see sql/nothing/", "no sql/nothing/"),
        ("docs/rules.md#r99", "no anchor #r99"),
        ("as `clubsync.nothing.at_all` does", "no clubsync.nothing.at_all"),
        ("a [link](nothing.md)", "link nothing.md"),
        ("a [link](rules.md#r99)", "link rules.md#r99"),
        ("an ![image](images/nothing.png)", "link images/nothing.png"),
    ],
)
def test_what_is_wrong_is_found(text: str, problem: str) -> None:
    assert any(problem in one for one in _problems(text)), _problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "R1, R14's certificate and R28",
        "docs/rules.md#r14, rules.md and `docs/runbooks/`",
        "write connectors/NAME.py, dags/sync_<erp>.py and tests/contract/{name}_case.py",
        "https://example.com/docs/nothing.md",
        "`clubsync.config.load_config` and `connectors.registry`",
        "a [rule](rules.md#r14), a [page](https://example.com/x), a [folder](runbooks/)",
        "```\n[no link](nothing.txt)\n```",
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert _problems(text) == []


def _problems(text: str) -> list[str]:
    return [
        *unknown_rules(text),
        *lost_files(text),
        *lost_modules(text),
        *broken_links("docs/example.md", text),
    ]


def _wrong(check: Callable[[str], Iterable[str]], texts: Mapping[str, str]) -> Iterator[str]:
    return (f"{name}: {one}" for name, text in texts.items() for one in check(text))


def _nothing(problems: Iterable[str]) -> None:
    """Fail with all of the problems, a line each."""
    found = sorted(problems)
    assert not found, "\n" + "\n".join(found)
