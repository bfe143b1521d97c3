"""`pytest --unit`: only tests that need no server, browser, other program or captured data.

What a test needs is read from what its module imports, itself or through the helper modules of the tests. A test that
was selected and still opens a socket or starts a program fails and says so.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
SERVICES = {
    "aiosmtpd", "asyncio", "multiprocessing", "playwright", "pytest_httpserver", "socket", "subprocess", "uvicorn"
}  # fmt: skip
"""Modules that open sockets or start programs."""
SERVICE_PACKAGES = (
    "digestmail.cli.config_edit",
    "digestmail.demo.",
    "digestmail.editions.learning_process",
    "digestmail.oauth.local",
    "digestmail.storage.backup",
)
"""Packages of the project that do the same."""
SERVICE_FIXTURES = {"browser", "certificate", "httpserver", "postgresql_server"}
CAPTURES = TESTS / "real"
"""These tests read captured data from beside the project."""
EVENTS = {"os.posix_spawn", "socket.bind", "socket.connect", "subprocess.Popen"}
"""Audit events (https://docs.python.org/3/library/audit_events.html) that no selected test may raise."""

_raised: list[str] = []
settings.register_profile("unit", max_examples=10)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--unit`."""
    parser.addoption("--unit", action="store_true", help="only tests that need no server, browser or other program")


def pytest_configure(config: pytest.Config) -> None:
    """With `--unit`, try fewer examples and watch for sockets and programs."""
    if config.getoption("unit"):
        settings.load_profile("unit")
        sys.addaudithook(lambda event, _: _raised.append(event) if event in EVENTS else None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--unit`, do not even import the modules that need a service."""
    if config.getoption("unit") and collection_path.name.startswith("test_"):
        return True if CAPTURES in collection_path.parents or imports_service(collection_path) else None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--unit`, deselect the tests that are slow or whose fixtures need a service."""
    if config.getoption("unit"):
        dropped = {item for item in items if item.get_closest_marker("slow") or needs_service(item)}
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


@pytest.fixture(autouse=True)
def no_services(request: pytest.FixtureRequest) -> Iterator[None]:
    """With `--unit`, fail a test that opens a socket or starts a program."""
    _raised.clear()
    yield
    if request.config.getoption("unit"):
        assert not _raised, "add what this test imports to tests/unit_selection.py, or use a fake"


def needs_service(item: pytest.Item) -> bool:
    """Return whether a test's fixtures or parameters ask for a server, a browser or another program."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return "postgresql" in parameters.values() or not SERVICE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@cache
def imports_service(path: Path) -> bool:
    """Return whether a module of the tests imports a service, itself or through other modules of the tests."""
    seen: set[Path] = set()
    waiting = [path, *(path.parent.glob("conftest.py") if path.parent != TESTS else ())]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in imported(module):
            if name.split(".")[0] in SERVICES or f"{name}.".startswith(SERVICE_PACKAGES):
                return True
            waiting += helpers().get(name.split(".")[0], [])
    return False


@cache
def imported(path: Path) -> frozenset[str]:
    """Return the dotted names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            prefix = f"{node.module}." if node.module else ""
            names |= {prefix + alias.name for alias in node.names}
    return frozenset(names)


@cache
def helpers() -> dict[str, list[Path]]:
    """Return the helper modules of the tests by name."""
    found: dict[str, list[Path]] = {}
    for path in TESTS.rglob("*.py"):
        if not path.name.startswith("test_"):
            found.setdefault(path.stem, []).append(path)
    return found
