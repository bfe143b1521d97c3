"""Caches of functions are bounded: `up` and `web` run for months, and their inputs come from strangers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from digestmail.selection import tokenize
from digestmail.text import tex_math

PACKAGE = Path(__file__).resolve().parents[2] / "digestmail"


def unbounded(tree: ast.AST) -> list[str]:
    """Return the functions whose results are cached without a limit, although they depend on arguments."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        names = [ast.unparse(one) for one in node.decorator_list]
        has_arguments = bool(node.args.args or node.args.kwonlyargs or node.args.vararg or node.args.kwarg)
        if has_arguments and any(name.endswith("cache") or "maxsize=None" in name for name in names):
            found.append(node.name)
    return found


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("@cache\ndef f(x): ...", ["f"]),
        ("@functools.cache\ndef f(x): ...", ["f"]),
        ("@lru_cache(maxsize=None)\ndef f(*x): ...", ["f"]),
        ("@lru_cache(maxsize=8)\ndef f(x): ...", []),
        ("@cache\ndef f(): ...", []),
    ],
)
def test_the_search_for_unbounded_caches_finds_them(code, names):
    assert unbounded(ast.parse(code)) == names


def test_every_cache_with_arguments_has_a_limit():
    modules = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
    assert {name: found for name, tree in modules.items() if (found := unbounded(tree))} == {}


@pytest.mark.parametrize(
    ("read", "cache"), [(tokenize.stem, tokenize._stem), (tex_math.read_formula, tex_math._read_formula)]
)
def test_a_long_text_is_not_kept_in_a_cache(read, cache):
    cache.cache_clear()
    read("x" * 2_000)
    assert cache.cache_info().currsize == 0
    read("words")
    assert cache.cache_info().currsize == 1
