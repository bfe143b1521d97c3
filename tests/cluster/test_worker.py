"""Workers share one outbox: all is done once, whoever is killed, and nothing stays behind in the queue."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from clirun import digestmail
from fakes import FakeClock
from outbox import people
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from sqlalchemy import select, text
from uprun import running
from worker_fixture import listed, standing

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.cluster import worker
from digestmail.cluster.plan import Job, JobKind, deliver_job, is_round_due
from digestmail.cluster.queue import JobQueue
from digestmail.cluster.work import Work
from digestmail.cluster.worker import run_worker
from digestmail.config.load import load
from digestmail.editions.publish import publish
from digestmail.errors import StorageError
from digestmail.storage import history, job_schema, schema
from digestmail.storage.database import Database

DAY = datetime(2026, 4, 2, 12, tzinfo=UTC)
ALL = tuple(JobKind)


@dataclass(frozen=True)
class Asked:
    """Stops a worker when `stop` returns true, and records what the worker says."""

    stop: Callable[[], bool]
    said: list[str] = field(default_factory=list)

    def stopping(self) -> bool:
        return self.stop()

    def wait(self, seconds: float) -> bool:
        return self.stop()

    def say(self, doing: str) -> None:
        self.said.append(doing)


def work(app: App, stop: Callable[[], bool], reports: list[object]) -> Asked:
    asked = Asked(stop)
    run_worker(app, ALL, asked, on_report=lambda report, **_: reports.append(report))
    return asked


def in_time(is_over: Callable[[], bool]) -> Callable[[], bool]:
    """Return what stops a worker when it is over, or hangs."""
    until = time.monotonic() + 60
    return lambda: is_over() or time.monotonic() > until


def last_run(database: Database):
    with database.connect() as connection:
        return next(iter(history.last_runs(connection, 1)), None)


def test_a_worker_reads_learns_publishes_and_delivers_and_leaves_no_jobs(site):
    for number in range(4):
        digestmail(site.path, "subscribers", "add", f"reader{number}@example.org", "--digest", "daily")

    def is_over() -> bool:
        run = last_run(site.database)
        return run is not None and run.sent == 4 and site.is_done()

    reports: list[object] = []
    with site.app(SystemClock(DAY)) as app:
        said = work(app, in_time(is_over), reports).said
    assert said[0] == "waiting for jobs"
    assert {"job tick", "job read", "job train", "job publish", "job deliver"} <= set(said)
    assert list(site.receiver.arrived.values()) == [1] * 4
    run = last_run(site.database)
    assert (run.outcome, run.editions, run.sent, run.detail) == ("well", 1, 4, "")
    assert run.new_papers > 0
    assert [type(report).__name__ for report in reports[:3]] == ["CollectReport", "CollectReport", "PublishReport"]
    assert (site.path / "digestmail.epoch").exists()


def test_two_workers_deliver_each_message_once(site):
    site.fill(300)
    JobQueue(site.database).put_now(deliver_job())
    stop = in_time(site.is_done)
    with site.app() as first, site.app() as second:
        other = threading.Thread(target=work, args=(second, stop, []))
        other.start()
        work(first, stop, [])
        other.join()
    assert len(site.receiver.arrived) == 300
    assert set(site.receiver.arrived.values()) == {1}
    assert standing(site.database) == {"sent": 300}


def test_a_turn_that_sends_something_calls_the_next_free_worker_and_one_that_does_not_calls_none(site):
    site.fill(3)
    with site.app() as app:
        jobs = Work(app, JobQueue(site.database), on_report=lambda *_, **__: None, stop=lambda: False, random=None)
        jobs._deliver()
        assert site.waiting() == ["deliver"]
        jobs._deliver()
        assert site.waiting() == ["deliver"]
        with site.database.begin() as connection:
            job_schema.inside(connection)
            connection.execute(text("DELETE FROM procrastinate_jobs"))
        jobs._deliver()
    assert site.waiting() == []
    assert len(site.receiver.arrived) == 3


def test_a_killed_worker_is_replaced_and_only_what_is_ambiguous_arrives_twice(site, caplog):
    site.fill(300)
    JobQueue(site.database).put_now(deliver_job())
    with running(site.path, "worker", "--only", "deliver") as killed:
        site.receiver.wanted = partial(kill_at, killed, [40])
        killed.process.wait(timeout=60)
    site.receiver.wanted = lambda _deed: False
    assert 40 <= len(site.receiver.arrived) < 300
    assert site.waiting().count("deliver") == 2  # the one in hand, and the one for the next free worker
    with site.database.begin() as connection:
        # Half a minute passes, and a tick comes.
        connection.execute(text("UPDATE digestmail_jobs.procrastinate_workers SET last_heartbeat = 'epoch'"))
    JobQueue(site.database).put_now(Job(kind=JobKind.TICK))
    caplog.set_level(logging.WARNING)
    with site.app(SystemClock(DAY)) as app:
        work(app, in_time(lambda: len(site.receiver.arrived) == 300 and site.is_done()), [])
    assert "of workers that are gone are taken up" in caplog.text
    assert len(site.receiver.arrived) == 300
    twice = [name for name, times in site.receiver.arrived.items() if times > 1]
    assert len(twice) <= sum(listed(site.database).values()) <= 3 * 16
    assert max(site.receiver.arrived.values()) <= 2
    assert standing(site.database) == {"sent": 300}


def kill_at(killed, left: list[int], deed: str) -> bool:
    """Kill a worker when so many messages are left until then. The message in hand arrived, and it cannot know."""
    if deed == "dot":
        left[0] -= 1
        if left[0] == 0:
            killed.process.kill()
            killed.process.wait()
    return False


def test_a_worker_ends_on_sigterm(site):
    with running(site.path, "worker", "--only", "deliver") as started:
        started.until("the worker starts: deliver")
        assert started.end() == 0
    assert "Traceback" not in started.log


def test_a_job_whose_end_was_not_recorded_is_taken_up_because_the_worker_starts_again(site, monkeypatch, caplog):
    finish, failures = JobManager.finish_job, ["connection lost"]

    async def fail_once(manager, job, status, delete_job):
        if job.queue == "read" and failures:
            raise ConnectorException(failures.pop())
        await finish(manager, job, status, delete_job)

    monkeypatch.setattr(JobManager, "finish_job", fail_once)
    queue = JobQueue(site.database)
    queue.put_now(Job(kind=JobKind.READ, names={"source": "papers", "run": 1}))
    ticks: list[Job] = []

    def is_over() -> bool:
        if "starts again" in caplog.text and not ticks:
            ticks.append(Job(kind=JobKind.TICK))
            queue.put_now(*ticks)
        return bool(ticks) and site.is_done()

    with site.app(SystemClock(DAY)) as app:
        work(app, in_time(is_over), [])
    assert "the end of a job was not recorded: connection lost" in caplog.text
    assert "jobs=1 of workers that are gone are taken up" in caplog.text
    assert site.is_done()


def test_what_a_worker_did_not_finish_before_it_was_stopped_is_left_to_another_one(site):
    with site.app(SystemClock(DAY)) as app:
        jobs = Work(app, JobQueue(site.database), on_report=lambda *_, **__: None, stop=lambda: True, random=None)
        jobs._read("papers", 1)
        jobs._learn(1)
        jobs._publish("daily", 1)
    assert sorted(site.waiting()) == ["publish", "read", "train"]
    with site.database.connect() as connection:
        assert connection.execute(select(schema.editions)).first() is None


def test_a_round_that_failed_is_repeated_after_ten_minutes(site):
    with site.database.begin() as connection:
        run = history.begin_run(connection, DAY)
    with site.app(SystemClock(DAY)) as app:
        app.epoch().note(5)
        jobs = Work(app, JobQueue(site.database), on_report=lambda *_, **__: None, stop=lambda: False, random=None)
        with pytest.raises(StorageError, match="put back from a backup"):
            jobs._publish("daily", run)
    failed = last_run(site.database)
    assert failed.outcome == "failed"
    assert "put back from a backup" in failed.detail
    later = failed.started_at + timedelta(minutes=10)
    assert is_round_due(later, [], failed, site.waiting(), is_gated=False)


def test_an_edition_is_not_published_without_its_job(site):
    with site.database.begin() as connection:
        people(connection, 2)
    with site.app(SystemClock(DAY)) as app:
        app.collect()

        def fail(_connection):
            raise StorageError("the queue is gone")

        def published(on_queued):
            now = app.clock.now()
            return publish(app.database, app.digests, app.mail.render, now, queued_at=now, on_queued=on_queued)

        assert published(fail).digests[0].reason == "the queue is gone"
        with site.database.connect() as connection:
            assert connection.execute(select(schema.editions)).first() is None
            assert connection.execute(select(schema.deliveries)).first() is None
        queue = JobQueue(site.database)
        assert published(lambda connection: queue.put(connection, [deliver_job()])).digests[0].recipients == 2
    assert site.waiting() == ["deliver"]


def test_a_worker_waits_for_its_database_and_starts_again(site, monkeypatch, caplog):
    starts: list[JobQueue] = []

    def prepare(queue: JobQueue) -> None:
        starts.append(queue)
        raise StorageError("connection refused")

    monkeypatch.setattr(worker.JobQueue, "prepare", prepare)
    clock = FakeClock()
    with App(load(site.path / "config.toml"), site.path, clock, wall_clock=clock) as app:
        said = work(app, lambda: len(starts) == 4, []).said
    assert said == ["waiting for the database"] * 4
    waits = [record.args[0] for record in caplog.records if "starts again" in record.msg]
    assert waits == [1, 2, 4, 8]
    assert "connection refused" in caplog.text
