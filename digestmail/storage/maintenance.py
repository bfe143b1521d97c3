"""Checks the database for damage and for what cannot be written, and gives unused space back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import func, select, text

from digestmail.storage import schema as tables
from digestmail.storage.backup import check_file
from digestmail.storage.database import Database
from digestmail.storage.places import place_problem

_IS_READ_ONLY: Final = text("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean")


def check(database: Database) -> int:
    """Read the whole database; return how many tables there are. Raises StorageError if a part is damaged.

    SQLite checks every page, index and reference (`PRAGMA integrity_check`). PostgreSQL reads every row, and checks it
    if the server has data checksums.
    """
    if files := database.files():
        database.ping()
        check_file(files[0])
    else:
        with database.connect() as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(select(func.count()).select_from(table))
    return len(tables.metadata.sorted_tables)


def write_problem(database: Database) -> str | None:
    """Return why this process can read the database, but not write it; None if it can. Raises StorageError.

    Nothing is written, and no lock is needed.
    """
    if files := database.files():
        return next(filter(None, map(place_problem, [files[0], *filter(Path.exists, files[1:])])), None)
    with database.connect() as connection:
        if not connection.execute(_IS_READ_ONLY).scalar_one():
            return None
    return "it can only be read: name the primary server in `database`, or turn off default_transaction_read_only"


def size(database: Database) -> int:
    """Return the size of the database in bytes, without the write-ahead log. Raises StorageError."""
    with database.connect() as connection:
        if database.files():
            pages = connection.execute(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
            return int(pages.scalar_one())
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def unused(database: Database) -> int:
    """Return how many bytes of the database hold nothing. Raises StorageError.

    0 for PostgreSQL, which reuses them and whose autovacuum gives back what it can.
    """
    if not database.files():
        return 0
    with database.connect() as connection:
        pages = text("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
        return int(connection.execute(pages).scalar_one())


def optimize(database: Database) -> None:
    """Update what SQLite's query planner knows, where that is out of date. Raises StorageError.

    Takes milliseconds (https://sqlite.org/lang_analyze.html, "Periodically run"). PostgreSQL does this by itself.
    """
    if database.files():
        database.run_alone("PRAGMA optimize")


def vacuum(database: Database) -> None:
    """Give unused space back to the disk, and update what the query planner knows. Raises StorageError.

    Nothing else can write meanwhile. On SQLite, the disk needs room for a copy.
    """
    if database.files():
        database.run_alone("VACUUM", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        database.run_alone("VACUUM (FULL, ANALYZE)")
