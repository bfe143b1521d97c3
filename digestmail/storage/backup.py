"""Consistent copies of the database, made while it is in use, and back.

SQLite copies page by page within one read transaction (https://sqlite.org/backup.html), in both directions. PostgreSQL
has `pg_dump` and `pg_restore` for it, which must be installed in a version that is not older than the server.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import URL

from digestmail.errors import StorageError
from digestmail.storage.database import Database

_SQLITE = b"SQLite format 3\x00"
_DUMP = b"PGDMP"
_SHOWN = 500


def back_up(database: Database, target: Path) -> int:
    """Write a copy of the database to the new file `target`, for its owner only; return its size in bytes.

    Raises StorageError if `target` exists already, or if the copy cannot be made; then there is no such file.
    """
    if target.exists():
        raise StorageError(f"{target} exists already: name a new file")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if files := database.files():
            _copy(files[0], temporary)
        else:
            _run("pg_dump", ["--format=custom", "--file", str(temporary)], database.engine.url)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.link(temporary, target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return target.stat().st_size


def put_back(database: Database, source: Path) -> None:
    """Replace everything in the database by a copy that `back_up` made, all of it or nothing.

    Other processes may have the database open: they see the new content with their next transaction. Raises
    StorageError if `source` is not a copy of such a database, or is damaged.
    """
    kind = _beginning(source)
    files = database.files()
    if files and kind.startswith(_SQLITE):
        check_file(source)
        _copy(source, files[0])
    elif not files and kind.startswith(_DUMP):
        words = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error", str(source)]
        _run("pg_restore", words, database.engine.url)
    else:
        expected = "SQLite database" if files else "dump of pg_dump in the custom format"
        raise StorageError(f"{source} is no {expected}: a backup goes back into the kind of database it was made from")


def check_file(path: Path) -> None:
    """Check a SQLite file. Raises StorageError with the first faults if it is damaged, or another program's."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            loose = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
            faults += [f"a row of {row[0]} refers to a row that does not exist" for row in loose]
            known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    if faults != ["ok"]:
        raise StorageError(f"{path} is damaged: {'; '.join(one for one in faults if one != 'ok')}")
    if not known[0]:
        raise StorageError(f"{path} is a database of another program")


def _copy(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target, timeout=30)) as new:
            # In one step, so that a busy database does not make it begin again and again.
            old.backup(new)
    except sqlite3.Error as error:
        raise StorageError(f"{source} cannot be copied to {target}: {error}") from error


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE))
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def _run(program: str, words: list[str], url: URL) -> None:
    """Run a program of PostgreSQL. Raises StorageError with what it said."""
    found = shutil.which(program)
    if found is None:
        raise StorageError(f"{program} is not installed: it belongs to the client programs of PostgreSQL")
    # Everyone on this machine can read command lines, but not environments.
    address = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(  # noqa: S603 - the program and its options are fixed
        [found, "--no-password", "--dbname", address, *words],
        env=os.environ | secret,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:_SHOWN]
        raise StorageError(f"{program} failed: {said}")
