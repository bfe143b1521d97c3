"""The guarantees of a database: consistent reads, one writer at a time, locks that end with their process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY
from sqlalchemy import event, select, text

from digestmail.errors import StorageError
from digestmail.storage import schema
from digestmail.storage.database import Database


def address(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "").replace("+pysqlite", "")


def set_name(connection, value: str) -> None:
    connection.execute(schema.settings.delete())
    connection.execute(schema.settings.insert().values(name="n", value=value))


def test_a_reader_cannot_write(database):
    with pytest.raises(StorageError, match=r"read-?only"), database.connect() as connection:
        set_name(connection, "lost")
    with database.begin() as connection:
        set_name(connection, "kept")


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(database):
    with database.begin() as connection:
        set_name(connection, "old")
    with database.connect() as reader:
        before = reader.execute(select(schema.settings.c.value)).scalar_one()
        with database.begin() as connection:
            set_name(connection, "new")
        assert reader.execute(select(schema.settings.c.value)).scalar_one() == before == "old"
    with database.connect() as reader:
        assert reader.execute(select(schema.settings.c.value)).scalar_one() == "new"


def test_a_failed_transaction_leaves_nothing(database):
    def fail() -> None:
        with database.begin() as connection:
            set_name(connection, "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.connect() as connection:
        assert connection.execute(select(schema.settings)).all() == []


def test_writers_that_read_first_wait_for_each_other(database):
    """Read, add one, write: no addition is lost, and there are no deadlocks."""
    with database.begin() as connection:
        connection.execute(schema.host_limits.insert().values(host="h", next_at=THURSDAY))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with database.begin() as connection:
                    at = connection.execute(select(schema.host_limits.c.next_at).with_for_update()).scalar_one()
                    connection.execute(schema.host_limits.update().values(next_at=at + timedelta(seconds=1)))
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.connect() as connection:
        at = connection.execute(select(schema.host_limits.c.next_at)).scalar_one()
    assert (failures, at) == ([], THURSDAY + timedelta(seconds=40))


def test_opening_creates_nothing(tmp_path):
    Database.open("sqlite:///sub.db", base=tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_processes_that_upgrade_at_once_all_find_the_newest_schema(tmp_path):
    code = (
        "import sys; from pathlib import Path; from digestmail.storage.database import Database; "
        "Database.open('sqlite:///new.db', base=Path(sys.argv[1])).upgrade()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said


def test_a_lock_is_released_when_its_holder_is_killed(database):
    code = (
        "import sys; from pathlib import Path; from digestmail.storage.database import Database\n"
        "with Database.open(sys.argv[1], base=Path()).lock('run') as held:\n"
        "    print(held, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, address(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline().strip() == "True"
        with database.lock("run") as held:
            assert not held
        holder.kill()
        holder.wait(timeout=30)
    assert eventually_locks(database)


def eventually_locks(database: Database) -> bool:
    """PostgreSQL notices a broken connection within moments, not at once."""
    for _ in range(1000):
        with database.lock("run") as held:
            if held:
                return True
    return False


@pytest.mark.parametrize("url", ["not an address", "mysql://u:hidden@h/n", "sqlite://", "sqlite:///:memory:"])
def test_an_invalid_database_url_is_refused_without_showing_its_password(url):
    with pytest.raises(StorageError, match=r"not a database URL|neither a SQLite file") as caught:
        Database.open(url, base=Path())
    assert "hidden" not in str(caught.value)


def test_a_transaction_that_is_to_give_up_soon_does_and_leaves_the_next_one_its_patience(sqlite):
    def patience(database) -> int:
        with database.begin() as connection:
            return connection.execute(text("PRAGMA busy_timeout")).scalar_one()

    hasty = sqlite.giving_up_after(0.25)
    assert [patience(hasty), patience(sqlite), patience(hasty)] == [250, 30_000, 250]
    sqlite.purge()
    assert [patience(sqlite), patience(hasty)] == [30_000, 250]
    assert sqlite.engine.pool.checkedin() == 1, "all of them used one connection"


def test_a_lock_that_another_transaction_holds_is_a_storage_error_after_the_time_given(database):
    hasty = database.giving_up_after(0.01)
    with database.begin() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("LOCK TABLE settings"))
        with pytest.raises(StorageError, match="lock"), hasty.begin() as waiting:
            waiting.execute(text("DELETE FROM settings"))
    with hasty.begin() as connection:
        connection.execute(text("DELETE FROM settings"))


def test_a_full_disk_is_a_storage_error_that_says_what_to_do_also_outside_of_transactions(sqlite):
    with sqlite.begin() as connection:
        connection.execute(text("CREATE TABLE filler (octets BLOB)"))
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()

    @event.listens_for(sqlite.engine, "connect")
    def limit(raw, _record):
        raw.execute(f"PRAGMA max_page_count = {pages + 2}")

    sqlite.engine.dispose()
    with pytest.raises(StorageError, match="is full; free some space on the disk of "), sqlite.begin() as connection:
        connection.execute(text("INSERT INTO filler VALUES (zeroblob(1000000))"))
    with pytest.raises(StorageError, match="is full; free some space on the disk of "):
        sqlite.run_alone("INSERT INTO filler VALUES (zeroblob(1000000))")


def test_a_lock_of_another_program_is_a_storage_error_that_says_how_to_find_it(sqlite):
    (path, *_) = sqlite.files()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        hint = r"is locked; another program .* `fuser -v "
        with pytest.raises(StorageError, match=hint), sqlite.giving_up_after(0.01).begin() as connection:
            set_name(connection, "late")
