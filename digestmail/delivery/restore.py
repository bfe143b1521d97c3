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


def restore(
    database: Database, guard: Callable[[], EpochFile], source: Path, folder: Path, now: datetime
) -> tuple[Path | None, int]:
    """Replace the database by the backup `source`, and adopt it.

    `guard` returns the guard of the database as it then is. Returns the new file in `folder` with the content before
    it, or None if there was none, and how many open deliveries were cancelled. Raises StorageError; if the backup
    cannot be put back, nothing has changed.
    """
    kept = folder / f"before-restore-{now:%Y%m%dT%H%M%SZ}-{source.name}"
    had_content = backup.put_back(database, source, kept)
    try:
        database.upgrade()
        cancelled = adopt(database, guard(), now)
    except StorageError as error:
        raise StorageError(f"{error}; {backup_text(source, kept if had_content else None)}") from error
    return kept if had_content else None, cancelled


def backup_text(source: Path, kept: Path | None) -> str:
    """Return the sentence about a database that was replaced by `source`. The content before it is in `kept`."""
    before = f"the one before is in {kept}" if kept else "there was none before"
    return f"the database is that of {source}; {before}"


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
