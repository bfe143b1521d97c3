"""Opens the database of the configuration."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from digestmail.storage.database import Database


def open_database(url: str, base: Path, opened: ExitStack) -> Database:
    """Return the database at `url` with the newest schema; `opened` closes it. Raises StorageError."""
    database = Database.open(url, base=base)
    opened.callback(database.close)
    database.upgrade()
    return database
