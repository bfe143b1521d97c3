"""Jobs are queued in the transaction of what they act on, and those of dead workers are taken up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from digestmail.cluster.plan import Job, JobKind, deliver_job, next_turn, train_job
from digestmail.cluster.queue import JobQueue
from digestmail.errors import StorageError
from digestmail.storage import job_schema
from digestmail.storage.database import Database
from digestmail.storage.schema import settings


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Database]:
    opened = Database.open(postgresql_url, base=Path())
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database) -> JobQueue:
    made = JobQueue(database)
    made.prepare()
    return made


def jobs(database: Database) -> list[tuple[str, str, dict[str, object]]]:
    with database.connect() as connection:
        wanted = "SELECT task_name, status, args FROM digestmail_jobs.procrastinate_jobs ORDER BY task_name, id"
        return [(row.task_name, row.status, row.args) for row in connection.execute(text(wanted))]


def test_a_job_is_committed_with_its_transaction(database, queue):
    with database.begin() as connection:
        connection.execute(settings.insert().values(name="a test", value="1"))
        queue.put(connection, [deliver_job()])
        assert jobs(database) == []
    assert jobs(database) == [("digestmail:deliver", "todo", {})]


def test_a_job_is_rolled_back_with_its_transaction(database, queue):
    with database.begin_dry_run() as connection:
        queue.put(connection, [deliver_job(), next_turn()])
    assert jobs(database) == []


def test_one_turn_waits_at_a_time_and_the_transaction_goes_on(database, queue):
    queue.put_now(next_turn())
    with database.begin() as connection:
        queue.put(connection, [next_turn(), train_job(3)])
        connection.execute(settings.insert().values(name="a test", value="1"))
    assert [args for *_, args in jobs(database)] == [{}, {"run": 3}]
    with database.connect() as connection:
        assert connection.execute(settings.select().where(settings.c.name == "a test")).one().value == "1"


def test_our_tables_are_found_after_a_job_was_queued_and_the_path_is_as_before_afterwards(database, queue):
    with database.begin() as connection:
        before = connection.execute(text("SHOW search_path")).scalar()
        queue.put(connection, [deliver_job()])
        connection.execute(settings.select())
    with database.begin() as connection:
        assert connection.execute(text("SHOW search_path")).scalar() == before


def test_the_tables_are_created_once_by_many_workers_and_anew_for_a_newer_version(database, queue):
    queue.put_now(deliver_job())
    queue.prepare()
    assert len(jobs(database)) == 1
    with database.begin() as connection:
        connection.execute(text("COMMENT ON SCHEMA digestmail_jobs IS '3.9.9'"))
    queue.prepare()
    assert jobs(database) == []


def test_a_job_that_cannot_be_queued_is_an_error_that_says_why(database, queue):
    with database.begin() as connection:
        connection.execute(text("DROP TABLE digestmail_jobs.procrastinate_jobs CASCADE"))
    for job in (deliver_job(), next_turn()):
        with pytest.raises(StorageError, match=r"the job deliver was not queued: .*procrastinate_jobs"):
            queue.put_now(job)


def test_a_schema_of_this_name_that_is_not_ours_is_left_alone(database):
    with database.begin() as connection:
        connection.execute(text("CREATE SCHEMA digestmail_jobs CREATE TABLE mine (id integer)"))
    with pytest.raises(StorageError, match="already exists"):
        JobQueue(database).prepare()
    with database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM digestmail_jobs.mine")).scalar() == 0


def test_the_tables_of_a_newer_version_are_left_alone(database, queue):
    queue.put_now(deliver_job())
    with database.begin() as connection:
        connection.execute(text("COMMENT ON SCHEMA digestmail_jobs IS '3.11.0'"))
    with pytest.raises(StorageError, match=r"Procrastinate 3\.11\.0, .* same version"):
        job_schema.prepare(database, "", "3.10.0")
    assert len(jobs(database)) == 1


def test_jobs_of_a_worker_that_is_silent_are_queued_again_and_it_is_forgotten(database, queue):
    queue.put_now(Job(kind=JobKind.READ, names={"source": "a", "run": 1}, once="read a"), next_turn())

    async def take_up() -> int:
        async with queue.library.open_async():
            manager = queue.library.job_manager
            worker = await manager.register_worker()
            assert await manager.fetch_job(None, worker)
            assert await manager.fetch_job(None, worker)
            assert await queue.take_up_stalled() == 0
            # The worker is silent, and meanwhile one of its jobs was queued once more.
            await manager.connector.execute_query_async("UPDATE procrastinate_workers SET last_heartbeat = 'epoch'")
            await asyncio.to_thread(queue.put_now, next_turn())
            taken = await queue.take_up_stalled()
            assert set(await queue.open_kinds()) == {JobKind.READ, JobKind.DELIVER}
            return taken

    assert asyncio.run(take_up()) == 2
    assert jobs(database) == [
        ("digestmail:deliver", "todo", {}),
        ("digestmail:read", "todo", {"run": 1, "source": "a"}),
    ]
    with database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM digestmail_jobs.procrastinate_workers")).scalar() == 0
