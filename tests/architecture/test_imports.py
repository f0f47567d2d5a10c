"""The import graph has no cycle; who may import whom is in pyproject.toml (import-linter)."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp

ROOTS = ("benchmarks", "clubsync", "connectors", "dags", "plugins", "sandbox", "stack")


def cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules that import one another in a circle, the first again at the end; None: there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return None


def imports(*roots: str) -> dict[str, set[str]]:
    """Module -> the modules it imports, at the top or inside functions."""
    graph = grimp.build_graph(*roots, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_module_imports_itself_through_others() -> None:
    graph = imports(*ROOTS)
    assert len(graph) > 200, "the graph is not that of the whole program"
    assert cycle(graph) is None


def test_a_cycle_is_found() -> None:
    """The check above can fail."""
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])
    assert cycle({"a": {"b"}, "b": {"c"}}) is None
