"""Go on with a database that was restored from a backup."""

from __future__ import annotations

from datetime import datetime

from digestmail.delivery.epoch import EpochFile
from digestmail.storage import delivery_admin
from digestmail.storage.database import Database
from digestmail.storage.settings import bump_epoch, epoch, mark_restored


def adopt(database: Database, guard: EpochFile, now: datetime) -> int:
    """Accept a restored database; return how many open deliveries were cancelled.

    Which of them went out after the backup was made is not known, nor which editions were published: what is open is
    cancelled, and slots that began before `now` get no edition.
    """
    seen = guard.seen
    with database.begin() as connection:
        cancelled = delivery_admin.cancel_open(connection, "the database was put back from a backup", now)
        mark_restored(connection, now)
        bump_epoch(connection, max(epoch(connection), seen))
    return cancelled
