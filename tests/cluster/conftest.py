"""A configuration for workers, with its sources, its mail server and a database on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from receiving import Receiver, receiver
from sqlalchemy import text
from uprun import SOURCE, configure
from worker_fixture import fill

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.cluster.queue import JobQueue
from digestmail.config.load import load
from digestmail.demo.services import serving
from digestmail.storage import due_times
from digestmail.storage.database import Database

MAIL = """transport = "smtp"
[mail.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = 3
"""


@dataclass(frozen=True)
class Site:
    """A configuration for workers, its database, and the mail server."""

    path: Path
    database: Database
    receiver: Receiver

    def app(self, clock: SystemClock | None = None) -> App:
        """Return the app of one worker, with separate connections."""
        return App(load(self.path / "config.toml"), self.path, clock or SystemClock())

    def fill(self, count: int) -> None:
        """Queue so many deliveries, due now."""
        fill(self.database, count)
        with self.database.begin() as connection:
            connection.execute(text("UPDATE deliveries SET queued_at = now(), due_at = now()"))

    def waiting(self) -> list[str]:
        """Return the jobs in the queue."""
        with self.database.connect() as connection:
            return list(connection.execute(text("SELECT queue_name FROM digestmail_jobs.procrastinate_jobs")).scalars())

    def is_done(self) -> bool:
        """Return whether nothing is open, and no job waits."""
        with self.database.connect() as connection:
            if due_times.next_due(connection) is not None:
                return False
        return self.waiting() == []


@pytest.fixture
def site(tmp_path: Path, postgresql_url: str) -> Iterator[Site]:
    with serving() as services, receiver("body", "dot") as received:
        database = f'database = "{postgresql_url}"'
        configure(tmp_path, SOURCE.format(services), mail=MAIL.format(port=received.port), top=database)
        opened = Database.open(postgresql_url, base=tmp_path)
        JobQueue(opened).prepare()
        yield Site(tmp_path, opened, received)
        opened.close()
