"""Run the migrations without an alembic.ini."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

_LOCK_KEY = 7_241_001
"""PostgreSQL's advisory lock while the schema changes; on SQLite the write transaction is lock enough."""


def alembic_config() -> Config:
    """Return Alembic's configuration, as its own commands would read it from a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest revision, one process at a time."""
    config = alembic_config()
    with engine.connect() as connection, connection.execution_options(digestmail_writes=True).begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
