from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from digestmail.errors import StorageError
from digestmail.storage import schema, search_index
from digestmail.storage.database import Database
from digestmail.storage.migrations.revisions import REVISIONS, revision_problem
from digestmail.storage.migrations.run import alembic_config
from digestmail.storage.schema import Moment


def _index(found) -> tuple[str, list[str], list[tuple[str, str]]]:
    return (
        found["name"],
        found["column_names"],
        sorted((key, str(value)) for key, value in found["dialect_options"].items()),
    )


def shape(database: Database) -> dict[str, object]:
    """Return everything the database says of its tables."""
    found = inspect(database.engine)
    return {
        table: {
            # By name: a column that was added later comes last.
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
            "key": found.get_pk_constraint(table),
            "foreign": sorted(found.get_foreign_keys(table), key=str),
            "unique": sorted(found.get_unique_constraints(table), key=str),
            "check": sorted(found.get_check_constraints(table), key=str),
            "index": sorted((_index(one) for one in found.get_indexes(table)), key=str),
        }
        for table in found.get_table_names()
        if table != "alembic_version" and not table.startswith(search_index.NAME)
    }


def mine(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the search index out: Alembic knows nothing of it."""
    return kind != "table" or not str(name).startswith(search_index.NAME)


def test_a_migrated_database_has_the_shape_of_a_fresh_one(database):
    migrated = shape(database)
    with database.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": mine})
        assert compare_metadata(context, schema.metadata) == []
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
    assert shape(database) == migrated
    assert len(migrated) == len(schema.metadata.tables)


def test_the_revisions_are_those_that_the_code_knows():
    newest_first = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    assert tuple(one.revision for one in newest_first)[::-1] == REVISIONS


def test_a_database_of_a_newer_version_is_left_as_it_is(database):
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = shape(database)
    with pytest.raises(
        StorageError, match=r"was made by a newer version of digestmail .*9999.*: install that version, or"
    ):
        database.upgrade()
    assert shape(database) == before


def test_only_a_revision_that_is_not_known_is_a_problem():
    assert [revision_problem(one) for one in (None, *REVISIONS)] == [None] * (len(REVISIONS) + 1)
    assert "9999" in str(revision_problem("9999"))


def test_upgrading_twice_changes_nothing(database):
    before = shape(database)
    database.upgrade()
    assert shape(database) == before


def test_every_migration_leads_back(database):
    from alembic import command

    config = alembic_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert shape(database) == {}
    database.upgrade()
    assert len(shape(database)) == len(schema.metadata.tables)


def test_a_stored_time_is_read_back_as_the_same_aware_time(database):
    moment = datetime(2026, 4, 2, 7, 0, 0, 123000, tzinfo=timezone(timedelta(hours=2)))
    with database.begin() as connection:
        connection.execute(schema.host_limits.insert().values(host="h", next_at=moment))
    with database.connect() as connection:
        found = connection.execute(select(schema.host_limits.c.next_at)).scalar_one()
    assert found == moment
    assert found.tzinfo is UTC


def test_a_naive_time_is_never_stored(database):
    with pytest.raises(StorageError) as caught, database.begin() as connection:
        connection.execute(schema.host_limits.insert().values(host="h", next_at=datetime(2026, 4, 2)))  # noqa: DTZ001 - the point
    assert isinstance(caught.value.__cause__, StatementError)
    assert Moment().process_bind_param(None, None) is None


def test_what_must_not_happen_is_forbidden(database):
    now = datetime(2026, 4, 2, tzinfo=UTC)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(
            schema.subscribers.insert().values(address="a@b.org", state="asleep", created_at=now, updated_at=now)
        )
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(
            schema.deliveries.insert().values(
                edition_id=1,
                subscriber_id=1,
                segment_id=1,
                state="sent",
                attempts=1,
                due_at=now,
                fence=1,
                queued_at=now,
            )
        )


def test_a_database_that_cannot_be_opened_is_a_clear_error(tmp_path):
    missing = Database.open("sqlite:///no/such/directory/x.db", base=tmp_path)
    with pytest.raises(StorageError, match="unable to open database file"):
        missing.upgrade()
    (tmp_path / "text.db").write_text("this is no database, but long enough to look like one" * 20)
    with pytest.raises(StorageError, match="not a database"):
        Database.open("sqlite:///text.db", base=tmp_path).upgrade()
    with pytest.raises(StorageError, match="secret") as caught:
        Database.open("postgresql://me:hidden@127.0.0.1:1/secret", base=Path()).upgrade()
    assert "hidden" not in str(caught.value)


def test_a_dry_run_stores_nothing(database):
    now = datetime(2026, 4, 2, tzinfo=UTC)
    with database.begin_dry_run() as connection:
        connection.execute(schema.host_limits.insert().values(host="h", next_at=now))
        assert connection.execute(select(schema.host_limits)).all()
    with database.connect() as connection:
        assert connection.execute(select(schema.host_limits)).all() == []


def test_a_lock_is_held_once_and_free_again(database):
    other = Database.open(database.engine.url.render_as_string(hide_password=False), base=Path())
    with database.lock("run") as first, other.lock("run") as second, other.lock("else") as third:
        assert (first, second, third) == (True, False, True)
    with other.lock("run") as again:
        assert again
    other.close()
