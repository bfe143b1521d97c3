"""The PostgreSQL schema of the jobs that workers share. Procrastinate brings its tables, as one script.

Jobs only say when to look, so they may be deleted at any time: the next tick queues again what is due.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from sqlalchemy import Connection, text

from digestmail.errors import StorageError
from digestmail.storage.database import Database

SCHEMA: Final = "digestmail_jobs"
_VERSION = text("SELECT obj_description(to_regnamespace(:schema), 'pg_namespace')")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:schema))")
_SEARCH = text("SELECT set_config('search_path', :schema || ', ' || current_setting('search_path'), true)")


def prepare(database: Database, script: str, version: str) -> None:
    """Create the schema by `script`, or create it anew if an older version of Procrastinate did.

    Several workers may do this at once. Raises StorageError, also if a newer version created it.
    """
    with database.begin() as connection:
        connection.execute(_LOCK, {"schema": SCHEMA})
        known = connection.execute(_VERSION, {"schema": SCHEMA}).scalar()
        if known == version:
            return
        if known is not None and _numbers(known) > _numbers(version):
            raise StorageError(
                f"the jobs in the database are those of Procrastinate {known}, and this machine has {version}: "
                "install the same version of digestmail[cluster] on every machine"
            )
        if known is not None:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        cursor = inside(connection).cursor()
        cursor.execute(script)  # without parameters, so that psycopg takes many statements, and % as it is
        cursor.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{version}'")


def inside(connection: Connection) -> Any:
    """Let this transaction find the tables of the jobs, too; return its connection of psycopg."""
    connection.execute(_SEARCH, {"schema": SCHEMA})
    return cast("Any", connection.connection.driver_connection)


def address(database: Database) -> str:
    """Return the address of the database as libpq has it, with the password."""
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
