"""The database: connections, transactions, migrations, and locks across processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.pool import QueuePool

from digestmail.errors import RejectedValueError, StorageError
from digestmail.storage.migrations.revisions import HEAD, revision_problem
from digestmail.storage.places import place_problem, trouble_hint

_BUSY_SECONDS = 30
_PURGE_SECONDS = 1
_READS: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "sqlite": {"digestmail_reads": True},
}


class Database:
    """A SQLite file or PostgreSQL database. Connections are opened when they are needed."""

    def __init__(self, engine: Engine, path: Path | None) -> None:
        """Use `open` instead; `path` is the SQLite file."""
        self._engine = engine
        self._path = path

    @classmethod
    def open(cls, url: str, *, base: Path) -> Database:
        """Return the database at `url`. The path of a SQLite file is relative to `base`. Nothing is connected yet.

        Raises StorageError if `url` is not a database URL.
        """
        try:
            address = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise StorageError(f"not a database URL: {error}") from error
        if address.get_backend_name() == "postgresql":
            engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
            event.listen(engine, "begin", _begin_postgresql)
            return cls(engine, None)
        if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
            raise StorageError(
                f"{address.render_as_string()} is neither a SQLite file nor a PostgreSQL database: write "
                "sqlite:////var/lib/digestmail/digestmail.db, or sqlite:///digestmail.db for a file beside the "
                "configuration"
            )
        path = base / str(address.database)
        engine = create_engine(
            address.set(drivername="sqlite+pysqlite", database=str(path)),
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
            # Connections are kept open. Opening one, and closing the last (a checkpoint), costs more than a commit.
            poolclass=QueuePool,
        )
        event.listen(engine, "do_connect", partial(_create_private, path))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, path)

    def giving_up_after(self, seconds: float) -> Database:
        """Return the same database, with the same connections, that waits at most `seconds` for a lock.

        Then a statement raises StorageError. Otherwise SQLite waits for 30 seconds, and PostgreSQL for ever.
        """
        return Database(self._engine.execution_options(digestmail_busy_seconds=seconds), self._path)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for migrations and tests."""
        return self._engine

    def files(self) -> tuple[Path, ...]:
        """Return the paths of the SQLite file, its write-ahead log and its index; none for PostgreSQL."""
        if self._path is None:
            return ()
        return tuple(self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal", "-shm"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end, rolled back on any error. Raises StorageError."""
        with (
            self._translated(),
            self._engine.connect() as connection,
            connection.execution_options(digestmail_writes=True).begin(),
        ):
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a read-only connection with a consistent snapshot. Raises StorageError."""
        options = _READS[self.dialect]
        with self._translated(), self._engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def begin_dry_run(self) -> Iterator[Connection]:
        """Open a write transaction that is always rolled back. Raises StorageError."""
        with self._translated(), self._engine.connect() as connection:
            transaction = connection.execution_options(digestmail_writes=True).begin()
            try:
                yield connection
            finally:
                transaction.rollback()

    def run_alone(self, *statements: str) -> None:
        """Run statements that no transaction may contain, such as VACUUM. Raises StorageError."""
        with self._translated(), self._engine.connect() as connection:
            if self._path is None:
                connection.execution_options(isolation_level="AUTOCOMMIT")
            cursor = connection.connection.cursor()
            if self._path is not None:
                cursor.execute("PRAGMA query_only = OFF")
                connection.info["query_only"] = False
            for statement in statements:
                cursor.execute(statement)
            cursor.close()

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Acquire the lock `name` if no other process has it; yield whether it was acquired.

        If the process dies, the operating system or the server releases the lock.
        """
        if self._path is not None:
            with _file_lock(self._path.with_name(f"{self._path.name}.{name}.lock")) as held:
                yield held
            return
        key = crc32(f"digestmail.{name}".encode())
        with self._translated(), self._engine.connect() as connection:
            held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
            connection.commit()
            try:
                yield bool(held)
            finally:
                if held:
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                    connection.commit()

    def purge(self) -> None:
        """Remove what was deleted from the write-ahead log of SQLite too, unless another process is reading now.

        PostgreSQL does this by itself when it vacuums the table. Raises StorageError.
        """
        if self._path is None:
            return
        with self._translated(), self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            _wait_for_locks(cursor, connection.info, _PURGE_SECONDS)
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.close()

    def ping(self) -> None:
        """Check that the database responds. Raises StorageError if it does not."""
        with self.connect() as connection:
            connection.execute(text("SELECT 1"))

    def upgrade(self) -> None:
        """Migrate the schema to the newest revision. Several processes may do this at once.

        Raises StorageError, also if a newer version of digestmail made the database.
        """
        with self._translated():
            revision = self._revision()
            if revision == HEAD:
                return
            if problem := revision_problem(revision):
                raise StorageError(f"database {self._where} {problem}, or restore a backup with `digestmail restore`")
            from digestmail.storage.migrations.run import upgrade

            upgrade(self._engine)

    def _revision(self) -> str | None:
        with self._engine.connect() as connection:
            if not self._engine.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    @property
    def _where(self) -> Path | str:
        return self._path or self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            kind = RejectedValueError if _is_about_a_value(error) else StorageError
            hint = trouble_hint(self._path, _first_line(error)) if self._path and kind is StorageError else None
            raise kind(f"database {self._where}: {_first_line(error)}{f'; {hint}' if hint else ''}") from error
        except self._engine.dialect.loaded_dbapi.Error as error:  # from a cursor that SQLAlchemy does not know
            hint = trouble_hint(self._path, str(error)) if self._path else None
            raise StorageError(f"database {self._path or ''}: {error}{f'; {hint}' if hint else ''}") from error


def _is_about_a_value(error: SQLAlchemyError) -> bool:
    """Return whether an error is about one record, not about the database. PEP 249 names the exceptions."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError)


def _first_line(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(error).__name__


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    lock = FileLock(path, thread_local=False, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        hint = place_problem(path)
        raise StorageError(f"{path}: cannot lock the file: {error.strerror}{f'; {hint}' if hint else ''}") from error
    try:
        yield True
    finally:
        lock.release()


def _create_private(path: Path, *_: Any) -> None:
    """Create a new SQLite file for its owner only. SQLite gives the files beside it the same mode.

    An existing file is not opened: closing it would release the locks that other connections of this process hold on it
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    with suppress(OSError):  # SQLite gives a better error
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Enable write-ahead log, durable commits and foreign keys. Transactions start explicitly."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is erased is overwritten, and not only marked as free.
    cursor.execute("PRAGMA secure_delete = ON")
    # 64 MiB instead of 2, because the outbox of an edition is written to three B-trees at once.
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Acquire the write lock at once in write transactions, because two readers that upgrade would deadlock."""
    options = connection.get_execution_options()
    _wait_for_locks(connection.connection, connection.info, options.get("digestmail_busy_seconds", _BUSY_SECONDS))
    reads = bool(options.get("digestmail_reads"))
    # Only if it changes, because SQLite then prepares every statement of the connection again.
    if connection.info.get("query_only", False) is not reads:
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reads else 'OFF'}")
        connection.info["query_only"] = reads
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("digestmail_writes") else "BEGIN")


def _wait_for_locks(connection: Any, info: dict[str, Any], seconds: float) -> None:
    """Let a SQLite connection, or a cursor of it, wait for locks at most so long. `info` remembers the last value."""
    if info.get("busy_seconds", _BUSY_SECONDS) != seconds:
        connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
        info["busy_seconds"] = seconds


def _begin_postgresql(connection: Connection) -> None:
    """Limit the wait for locks of other transactions, in this transaction, if the database is to give up soon."""
    seconds = connection.get_execution_options().get("digestmail_busy_seconds")
    if seconds is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(seconds * 1000)}")
