"""Consistent copies of the database, made while it is in use, and back.

SQLite copies page by page within one read transaction (https://sqlite.org/backup.html), in both directions. PostgreSQL
has `pg_dump` and `pg_restore` for it, which must be installed in a version that is not older than the server.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from digestmail.errors import StorageError
from digestmail.storage.database import Database
from digestmail.storage.migrations.revisions import revision_problem

_SQLITE = b"SQLite format 3\x00"
_DUMP = b"PGDMP"
_SHOWN = 500
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class _DamagedError(StorageError):
    """A SQLite file is too damaged to be copied."""


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
            _copy(files[0], temporary, "mode=rw")
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


def put_back(database: Database, source: Path, kept: Path) -> bool:
    """Replace everything in the database by a copy that `back_up` made, all of it or nothing.

    What was in the database goes to the new file `kept`; return whether there was anything. Other processes may have
    the database open: they see the new content with their next transaction. Raises StorageError if `source` is not a
    copy of such a database, is damaged, or was made by a newer version of digestmail.
    """
    check_backup(database, source)
    undo = ExitStack()
    try:
        had_content = _keep(database, kept, undo)
        if files := database.files():
            database.ping()  # creates the file, if there is none, for its owner only
            _copy(source, files[0], _how_to_read(source))
        else:
            words = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error", str(source)]
            _run("pg_restore", words, database.engine.url)
    except (StorageError, OSError):  # not if it was interrupted: the content may have been replaced
        undo.close()
        raise
    return had_content


def check_backup(database: Database, source: Path) -> None:
    """Check that the file `source` can be put back into the database. Raises StorageError with the reason if not."""
    kind, is_sqlite = _beginning(source), bool(database.files())
    if is_sqlite and kind.startswith(_SQLITE):
        revision = _check_sqlite(source, _how_to_read(source))
    elif not is_sqlite and kind.startswith(_DUMP):
        words = ["--data-only", "--table=alembic_version", "--file=-", str(source)]
        revision = dumped_revision(_run("pg_restore", words))
    else:
        expected = "SQLite database" if is_sqlite else "dump of pg_dump in the custom format"
        raise StorageError(f"{source} is no {expected}: a backup goes back into the kind of database it was made from")
    if revision is None:
        raise StorageError(f"{source} is a database of another program")
    if problem := revision_problem(revision):
        raise StorageError(f"{source} {problem}; nothing has changed")


def check_file(path: Path) -> None:
    """Check a SQLite file that is in use. Raises StorageError with the first faults if it is damaged."""
    _check_sqlite(path, "mode=ro")


def dumped_revision(script: str) -> str | None:
    """Return the revision in what pg_restore writes about the table `alembic_version`; None if it has no row."""
    found = re.search(r"^COPY \S*\balembic_version\b.*\n(\w+)$", script, re.MULTILINE)
    return found and found[1]


def _check_sqlite(path: Path, how: str) -> str | None:
    """Check a SQLite file; return the revision of its schema, or None if it is another program's."""
    try:
        with closing(_connect(path, how)) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            loose = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
            faults += [f"a row of {row[0]} refers to a row that does not exist" for row in loose]
            if faults != ["ok"]:
                raise StorageError(f"{path} is damaged: {'; '.join(one for one in faults if one != 'ok')}")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return row and str(row[0])
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error


def _keep(database: Database, kept: Path, undo: ExitStack) -> bool:
    """Write what is in the database to the new file `kept`; return whether there was anything.

    A SQLite file that is too damaged to be copied is moved there, so that a new one takes its place.
    """
    files = database.files()
    if files and not files[0].exists():
        return False
    try:
        back_up(database, kept)
        undo.callback(kept.unlink)
    except _DamagedError:
        for file in filter(Path.exists, files):
            moved = kept.with_name(kept.name + file.name.removeprefix(files[0].name))
            file.rename(moved)
            undo.callback(moved.rename, file)
    return True


def _copy(source: Path, target: Path, how: str) -> None:
    try:
        with closing(_connect(source, how)) as old, closing(sqlite3.connect(target, timeout=30)) as new:
            # In one step, so that a busy database does not make it begin again and again.
            old.backup(new)
    except sqlite3.Error as error:
        kind = _DamagedError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED else StorageError
        raise kind(f"{source} cannot be copied to {target}: {error}") from error


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", timeout=30, uri=True)


def _how_to_read(source: Path) -> str:
    """Return the options of SQLite's URI for a file that is only read.

    Without them, SQLite would create files beside it, which a read-only folder does not permit. A write-ahead log that
    is there belongs to the content (https://sqlite.org/uri.html#uriimmutable).
    """
    log = source.with_name(f"{source.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE))
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def _run(program: str, words: list[str], url: URL | None = None) -> str:
    """Run a program of PostgreSQL, on a database if there is a `url`; return its output.

    Raises StorageError with its error message.
    """
    found = shutil.which(program)
    if found is None:
        raise StorageError(f"{program} is not installed: it belongs to the client programs of PostgreSQL")
    # Everyone on this machine can read command lines, but not environments.
    secret = {"PGPASSWORD": str(url.password)} if url and url.password else {}
    if url:
        address = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
        words = ["--no-password", "--dbname", address, *words]
    done = subprocess.run(  # noqa: S603 - the program and its options are fixed
        [found, *words],
        env=os.environ | secret,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:_SHOWN]
        raise StorageError(f"{program} failed: {said}")
    return done.stdout.decode("utf-8", "replace")
