"""The layout: few modules at the root, one meaning for each class name, no SQL in entry points, short code.

Each exception has a reason. An exception that is no longer needed fails too, so the lists only get shorter.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "digestmail"
ROOT_MODULES = {"__init__", "__main__", "app", "clock", "daemon", "errors"}
DOORS = ("cli/", "web/", "preview/", "demo/", "service/", "daemon.py", "__main__.py")
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_APP = 300, 40, 250
OPENS = {"connect", "begin", "begin_dry_run", "lock"}

LONG_FILES = {
    "delivery/dispatcher.py": "one event loop: connections, verdicts and commits share its state",
    "storage/migrations/versions/0001_first.py": "a migration is a list of tables",
}
LONG_FUNCTIONS = {
    "cli/init.py:init": "its options with their help, a line each",
    "cli/subscribers.py:add": "its options with their help, a line each",
    "cli/servers.py:preview": "its options with their help, a line each",
    "delivery/dispatcher.py:Dispatcher.__init__": "its collaborators and its state, a line each",
    "storage/migrations/versions/0001_first.py:downgrade": "a list of tables",
    "storage/migrations/versions/0001_first.py:upgrade": "a list of tables",
}
DOORS_WITH_STORAGE: dict[str, str] = {}
SHARED_CLASS_NAMES: dict[str, str] = {}

MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}
DOOR_MODULES = [name for name in MODULES if name.startswith(DOORS)]


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield each function's qualified name and how many lines it has, from `def` to its end."""
    for node in ast.iter_child_nodes(tree):
        inner = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{node.name}."
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, (node.end_lineno or node.lineno) - node.lineno + 1
        yield from functions(node, inner)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of each module or name that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def opened(tree: ast.AST) -> Iterator[str]:
    """Yield the methods of a database that open a connection and are called in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OPENS:
            base = node.value
            name = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
            if name.strip("_") == "database":
                yield node.attr


def splits_addresses(tree: ast.AST) -> bool:
    """Return whether a text is split at `@` anywhere in `tree`."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"partition", "rpartition", "split", "rsplit"}
        and any(isinstance(argument, ast.Constant) and argument.value == "@" for argument in node.args)
        for node in ast.walk(tree)
    )


def check(found: Mapping[str, object], allowed: Mapping[str, str]) -> None:
    """Fail for findings that are not allowed, and for allowances that are no longer needed."""
    assert {name: found[name] for name in found.keys() - allowed.keys()} == {}, "not allowed"
    assert allowed.keys() - found.keys() == set(), "allowed, but no longer needed"
    assert all(allowed.values()), "an allowance has a reason"


def test_the_root_holds_only_what_belongs_to_every_room():
    assert {path.stem for path in PACKAGE.glob("*.py")} == ROOT_MODULES


def test_each_room_says_what_it_is_for():
    for path in PACKAGE.glob("*/__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_no_import_leads_back_to_its_own_module():
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in MODULES}
    graph: dict[str, set[str]] = {}
    for name, tree in TREES.items():
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        at_once = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        found = [each.removeprefix("digestmail.") for each in imported(at_once) if each.startswith("digestmail.")]
        graph[module] = {each if each in names else each.rpartition(".")[0] for each in found} & names - {module}
    TopologicalSorter(graph).prepare()


def test_a_public_class_name_has_one_meaning():
    places = defaultdict(list)
    for name, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    check({name: where for name, where in places.items() if len(where) > 1}, SHARED_CLASS_NAMES)


@pytest.mark.parametrize("package", ["digestmail.storage", "sqlalchemy"])
def test_the_search_for_imports_finds_them(package):
    tree = ast.parse(f"def verb():\n    from {package} import anything\n")
    assert list(imported(tree)) == [f"{package}.anything"]


def test_doors_know_no_storage():
    found = defaultdict(list)
    for name in DOOR_MODULES:
        for module in imported(TREES[name]):
            if f"{module}.".startswith(("digestmail.storage.", "sqlalchemy.")):
                found[name].append(module)
        found[name] += [f"database.{method}" for method in opened(TREES[name])]
    check({name: what for name, what in found.items() if what}, DOORS_WITH_STORAGE)


@pytest.mark.parametrize("method", ["partition", "rpartition", "split", "rsplit"])
def test_the_search_for_split_addresses_finds_them(method):
    assert splits_addresses(ast.parse(f"local = address.{method}('@')[0]"))


def test_email_addresses_are_split_in_one_module():
    found = {name for name, tree in TREES.items() if splits_addresses(tree)}
    assert found == {"text/addresses.py"}


def test_functions_are_short():
    found = {
        f"{name}:{function}": lines
        for name, tree in TREES.items()
        for function, lines in functions(tree)
        if lines > LONGEST_FUNCTION
    }
    check(found, LONG_FUNCTIONS)


def test_files_are_short():
    lines = {name: path.read_text("utf-8").count("\n") for name, path in MODULES.items()}
    check({name: count for name, count in lines.items() if count > LONGEST_FILE}, LONG_FILES)


def test_the_app_only_wires():
    assert MODULES["app.py"].read_text("utf-8").count("\n") <= LONGEST_APP
