"""A run with nothing due costs the same after ten years as on the first day."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from scans import nodes, scanned
from sqlalchemy import event, func, select

from digestmail.app import App
from digestmail.config.load import load
from digestmail.storage import schema
from digestmail.storage.database import Database

ROOT = Path(__file__).resolve().parents[2]
STEP = 10
"""Instructions of SQLite's virtual machine between two calls of its progress handler."""
FEW_ROWS = 2000
"""PostgreSQL rightly reads a table from end to end if it has only some pages."""


@pytest.fixture
def bench(monkeypatch):
    """Return the modules of the benchmark that knows sources and a past."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import past, soak_serve

    return soak_serve, past


@contextmanager
def installed(bench, database, directory, *, deliveries: int):
    """Yield an app whose work is done: sources are unchanged, editions are out, and the outbox is empty."""
    soak_serve, past = bench
    clock = soak_serve.ManualClock()
    clock.time += timedelta(hours=9)
    directory.mkdir()
    with soak_serve.sources(clock) as port:
        text = soak_serve.CONFIG.format(port=port, one=soak_serve.WORDS[7], two=soak_serve.WORDS[8])
        # Learning a topic needs a process and seconds, and is tested elsewhere.
        (directory / "config.toml").write_text(re.sub(r"^description.*$", "", text, flags=re.MULTILINE))
        config = load(directory / "config.toml", None)
        with App(config, directory, clock, wall_clock=clock, database=lambda: database) as app:
            if deliveries:
                past.add_past(database, clock.now(), past.Size.of(deliveries))
            soak_serve.add_subscribers(app, clock.now())
            first = app.run()
            assert first.deliver.sent > 0
            # The next day, before the next edition.
            clock.time += timedelta(hours=3)
            app.run()
            clock.time += timedelta(hours=1)
            yield app


@contextmanager
def heard(engine):
    """Yield the list of the statements that `engine` executes, each with the values of its first row."""
    statements = []

    def hear(_connection, _cursor, statement, values, _context, executemany) -> None:
        statements.append((statement, values[0] if executemany and values else values))

    event.listen(engine, "before_cursor_execute", hear)
    yield statements
    event.remove(engine, "before_cursor_execute", hear)


def is_idle(report) -> bool:
    return not report.failed and not report.deliver.sent and not any(one.new for one in report.collect.sources)


def test_an_idle_run_scans_no_table_that_grows(bench, database, tmp_path):
    with installed(bench, database, tmp_path / "app", deliveries=20_000) as app:
        with database.connect() as connection:
            counts = {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in schema.metadata.tables.items()
            }
        growing = {name for name, count in counts.items() if count > FEW_ROWS}
        assert {"deliveries", "papers", "sightings", "subscribers", "edition_papers", "paper_aliases"} <= growing
        with heard(database.engine) as statements:
            assert is_idle(app.run())
    read = dict(pair for pair in statements if re.match(r"WITH|SELECT|UPDATE|DELETE", pair[0].lstrip()))
    assert len(read) > 30
    with database.connect() as connection:
        for statement, values in read.items():
            assert scanned(connection, statement, values, growing) == set(), statement


def test_sqlite_does_the_same_work_for_an_idle_run_with_and_without_a_past(bench, sqlite_template, tmp_path):
    done = []
    for name, deliveries in (("few", 0), ("many", 20_000)):
        shutil.copy(sqlite_template, tmp_path / f"{name}.db")
        database = Database.open(f"sqlite:///{name}.db", base=tmp_path)
        with installed(bench, database, tmp_path / name, deliveries=deliveries) as app:
            done.append(instructions(app, database))
        database.close()
    few, many = done
    assert few.total() > 0
    # Which of two small indexes is used may differ, and the audience of an edition is read.
    assert many.total() < few.total() + 500, (many - few).most_common(3)


def instructions(app, database) -> Counter[str]:
    """Return, by statement, how often SQLite's virtual machine did another `STEP` instructions in an idle run."""
    done: Counter[str] = Counter()

    def hear(connection, _cursor, statement, _values, _context, _executemany) -> None:
        def count() -> int:
            done[statement] += 1
            return 0

        connection.connection.dbapi_connection.set_progress_handler(count, STEP)

    event.listen(database.engine, "before_cursor_execute", hear)
    assert is_idle(app.run())
    event.remove(database.engine, "before_cursor_execute", hear)
    return done


def test_scans_of_both_databases_are_found(bench, database, tmp_path):
    with installed(bench, database, tmp_path / "app", deliveries=20_000), database.connect() as connection:
        whole = "SELECT count(*) FROM papers WHERE abstract <> ''"
        assert scanned(connection, whole, (), {"papers"}) == {"papers"}
        one = "SELECT abstract FROM papers WHERE id = 17"
        assert scanned(connection, one, (), {"papers"}) == set()
        if database.dialect == "postgresql":
            plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {one}").scalar_one()
            assert any(node["Node Type"].startswith("Index") for node in nodes(plan[0]["Plan"]))


IDLE_RUN = """
import sys
from datetime import datetime
from pathlib import Path

import digestmail.cli.main
from digestmail.cli import pipeline, printing, progress, stopping, waiting
from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.status.alerts import run_with_alerts

path, clock = Path(sys.argv[1]), SystemClock(datetime.fromisoformat(sys.argv[2]))
with App(load(path, None), path.parent, clock, wall_clock=clock) as app:
    report = run_with_alerts(app)
assert not report.failed and not report.deliver.sent, report
assert all(not one.new for one in report.collect.sources), report
print(*sys.modules)
"""


def test_an_idle_run_imports_neither_what_renders_nor_what_sends_nor_what_parses(bench, sqlite_template, tmp_path):
    directory = tmp_path / "app"
    shutil.copy(sqlite_template, tmp_path / "digestmail.db")
    database = Database.open("sqlite:///digestmail.db", base=tmp_path)
    with installed(bench, database, directory, deliveries=0) as app:
        database.close()
        shutil.copy(tmp_path / "digestmail.db", directory / "digestmail.db")
        arguments = [str(directory / "config.toml"), app.clock.now().isoformat()]
        run = [sys.executable, "-c", IDLE_RUN, *arguments]
        loaded = set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    assert {"sqlalchemy", "pydantic", "httpcore2", "digestmail.collect.collector"} <= loaded
    assert not {name.split(".")[0] for name in loaded} & {
        "aiosmtplib", "alembic", "apscheduler", "babel", "cryptography", "email_validator", "fastapi", "feedparser",
        "imap_tools", "jinja2", "mjml", "mrml", "numpy", "psycopg", "pydantic_settings", "pylatexenc", "rich", "scipy",
        "starlette", "uvicorn", "uvloop",
    }  # fmt: skip
    assert not loaded & {
        "digestmail.bounces.processor", "digestmail.delivery.worker", "digestmail.mail.render",
        "digestmail.selection.select", "digestmail.sources.arxiv_feed_items", "digestmail.sources.crossref",
        "digestmail.sources.feed_items", "digestmail.sources.huggingface_items", "digestmail.status.check",
        "digestmail.text.tex", "digestmail.transports.smtp.client", "sqlalchemy.dialects.postgresql",
    }  # fmt: skip
