"""Take over from workers that were killed: what they had claimed is due at once, not when its lease is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.delivery.process import is_running
from digestmail.model.deliveries import ProcessIdentity
from digestmail.schedule.moments import is_recent
from digestmail.storage import stuck, workers
from digestmail.storage.stuck import Held
from digestmail.storage.workers import StoredWorker

log = logging.getLogger("digestmail.deliver")

HEARTBEAT = timedelta(seconds=30)
_SILENT = timedelta(minutes=2)
"""A worker on another machine is dead when it has not been seen for this long."""
_HUNG = timedelta(minutes=30)
"""A worker whose process runs is dead when it has not been seen for this long: its leases are over as well."""

IsRunning = Callable[[ProcessIdentity], bool | None]


def is_alive(worker: StoredWorker, now: datetime, running: IsRunning = is_running) -> bool:
    """Return whether a worker may still send: its process runs, or, if that is unknown, it was seen lately."""
    match running(worker.process):
        case True:
            return is_recent(worker.seen_at, now, _HUNG)
        case False:
            return False
        case _:
            return is_recent(worker.seen_at, now, _SILENT)


def living(connection: Connection, now: datetime, running: IsRunning = is_running) -> tuple[StoredWorker, ...]:
    """Return the workers that may still send."""
    return tuple(worker for worker in workers.list_all(connection) if is_alive(worker, now, running))


def start(
    connection: Connection, name: str, process: ProcessIdentity, now: datetime, running: IsRunning = is_running
) -> Held | None:
    """Record that a worker starts; if all earlier ones are dead, release what they had claimed, and return that.

    While one of them lives, nothing is released: the database does not know which worker has claimed a message. The
    dead ones stay recorded, so that the first worker that starts alone releases it.
    """
    workers.lock(connection)
    earlier = workers.list_all(connection)
    alive = [worker for worker in earlier if is_alive(worker, now, running)]
    released = stuck.release(connection, now) if earlier and not alive else None
    if not alive:
        workers.end(connection, *(worker.name for worker in earlier))
    workers.start(connection, name, process, now)
    if released is not None and (released.deliveries or released.notices):
        log.warning(
            "deliveries=%d notices=%d were held by a worker that is gone: they are due again; %d may have arrived",
            released.deliveries,
            released.notices,
            released.begun,
        )
    return released
