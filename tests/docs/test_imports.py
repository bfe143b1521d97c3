"""No module imports itself by way of others: which one is imported first makes no difference."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imported_at_once(path: Path, modules: frozenset[str]) -> Iterator[str]:
    """Yield the modules of ours that importing `path` imports; those inside functions come later."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                yield from (name for name in (f"{node.module}.{alias.name}", node.module) if name in modules)


def test_no_module_imports_itself_by_way_of_others():
    paths = {_module(path): path for path in (ROOT / "digestmail").rglob("*.py")}
    modules = frozenset(paths)
    graph = {name: set(_imported_at_once(path, modules)) - {name} for name, path in paths.items()}
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules of the cycle
