"""docs/erps/: each ERP's page says what it is known to do wrong, what clubsync does about it, and how that is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.registry import CONNECTORS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "erps"
HEADING = "## What goes wrong, and what clubsync does"
#: They read any ERP: what one does is what its settings say.
OF_NO_ERP = {"csv", "rest"}
#: Examples of `rest` for made-up ERPs.
MADE_UP = {"courtside", "graphql"}
#: ERPs that `rest` reads by an example.
EXAMPLES = {
    path.stem.removeprefix("rest-") for path in (ROOT / "docs" / "examples").glob("rest-*.yaml")
} - MADE_UP
ERPS = sorted((CONNECTORS.keys() - OF_NO_ERP) | EXAMPLES)


def marks() -> set[str]:
    """The marks that the index explains."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    section = index[index.index("## Marks") : index.index("An inferred field")]
    explained = set(re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)) - {"mark"}
    return explained | {"not found"}


@pytest.mark.parametrize("name", ERPS)
def test_every_page_says_what_goes_wrong(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    section = text[text.index(HEADING) :].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 5
    for row in rows:
        what, mark, done = (cell.strip() for cell in row.strip("|").split(" | "))
        assert what
        assert done
        assert set(mark.split(", ")) <= marks(), row


@pytest.mark.parametrize("name", ERPS)
def test_what_is_marked_as_inferred_is_nowhere_a_documented_fact(name: str) -> None:
    """One sentence has one mark: an inference does not become a fact in another table."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    found: dict[str, set[bool]] = {}
    for row in re.findall(r"^\| (.+?) \| ([a-z ,]+) \|", text, re.MULTILINE):
        found.setdefault(row[0], set()).add("inferred" in row[1])
    assert [what for what, kinds in found.items() if len(kinds) > 1] == []


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_has_its_page(name: str) -> None:
    """The index leads to the page, the page to the example, and the example says what is inferred."""
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| \[.*\]\({name}\.md\) \| `rest` \|", index, re.MULTILINE)
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert f"](../examples/rest-{name}.yaml)" in page
    example = (ROOT / "docs" / "examples" / f"rest-{name}.yaml").read_text(encoding="utf-8")
    assert f"docs/erps/{name}.md" in example
    assert example.count("inferred") > 1
