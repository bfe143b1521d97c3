"""The workers that are sending now, so that the work of one that was killed can be taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, text, update

from digestmail.model.deliveries import ProcessIdentity
from digestmail.storage.schema import workers
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorker:
    """A worker that has started and not ended, as far as is known."""

    name: str
    process: ProcessIdentity
    seen_at: datetime


def lock(connection: Connection) -> None:
    """Let no other worker start or end before this transaction does. SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE"))


def list_all(connection: Connection) -> tuple[StoredWorker, ...]:
    """Return every worker that has started and not ended."""
    return tuple(
        StoredWorker(
            name=row.name,
            process=ProcessIdentity(machine=row.machine, pid=row.pid, started=row.started),
            seen_at=row.seen_at,
        )
        for row in connection.execute(select(workers).order_by(workers.c.name))
    )


def start(connection: Connection, name: str, process: ProcessIdentity, now: datetime) -> None:
    """Record that a worker starts."""
    row = {"machine": process.machine, "pid": process.pid, "started": process.started, "seen_at": now}
    statement = insert(connection, workers).values(name=name, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def heartbeat(connection: Connection, name: str, now: datetime) -> None:
    """Record that a worker is still there."""
    connection.execute(update(workers).where(workers.c.name == name).values(seen_at=now))


def end(connection: Connection, *names: str) -> None:
    """Forget workers."""
    connection.execute(delete(workers).where(workers.c.name.in_(names)))
