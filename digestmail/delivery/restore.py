"""Go on with a database that was restored from a backup."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from digestmail.delivery.epoch import EpochFile
from digestmail.errors import StorageError
from digestmail.model.deliveries import PUT_BACK
from digestmail.storage import backup, delivery_admin, outputs
from digestmail.storage.database import Database
from digestmail.storage.settings import bump_epoch, epoch, mark_restored


def restore(database: Database, guard: Callable[[], EpochFile], source: Path, now: datetime) -> tuple[Path, int]:
    """Replace the database by the backup `source`, and adopt it.

    `guard` returns the guard of the database as it then is. Returns where the database before it was backed up, and how
    many open deliveries were cancelled. Raises StorageError; if the backup cannot be put back, nothing has changed.
    """
    kept = source.with_name(f"before-restore-{now:%Y%m%dT%H%M%SZ}-{source.name}")
    backup.back_up(database, kept)
    try:
        backup.put_back(database, source)
    except StorageError:
        kept.unlink()
        raise
    database.upgrade()
    return kept, adopt(database, guard(), now)


def adopt(database: Database, guard: EpochFile, now: datetime) -> int:
    """Accept a restored database; return how many open deliveries were cancelled.

    Which of them went out after the backup was made is not known, nor which editions were published: what is open is
    cancelled, and slots that began before `now` get no edition.
    """
    seen = guard.seen
    with database.begin() as connection:
        cancelled = delivery_admin.cancel_open(connection, PUT_BACK, now)
        outputs.cancel_open(connection, PUT_BACK, now)
        mark_restored(connection, now)
        bump_epoch(connection, max(epoch(connection), seen))
    return cancelled
