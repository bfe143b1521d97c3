"""A worker under a service manager: when it is ready, what it says, a reload, and what hangs."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

from clirun import digestmail
from procrastinate.manager import JobManager
from sqlalchemy import text
from supervising import Manager, Time, states, supervise, until, until_ready
from uprun import SOURCE, configure, running, service_manager, states_until

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.cluster.plan import JobKind, deliver_job, publish_job, read_job
from digestmail.cluster.queue import JobQueue
from digestmail.model.reports import CollectReport, DeliverReport, PublishReport
from digestmail.service.part import ServiceHealth
from digestmail.service.parts import PartsLoader, Reporting, Wanted

DAY = datetime(2026, 4, 2, 12, tzinfo=UTC)
MORE = """
[[sources]]
name = "more"
kind = "huggingface"
base_url = "{}"
[[digests]]
name = "extra"
title = "More papers"
schedule = "0 7 * * *"
sources = ["more"]
"""


def loader(site, *kinds: JobKind, on_job: Callable[..., None] = lambda *_: None) -> PartsLoader:
    reporting = Reporting(on_run=lambda *_: None, on_bounces=lambda _: None, on_job=on_job)
    wanted = Wanted(run=False, bounces=False, web=False, jobs=kinds)
    return PartsLoader(site.path / "config.toml", wanted, reporting, ServiceHealth(), SystemClock(DAY))


def test_systemd_hears_when_a_worker_is_ready_reloads_and_stops(site):
    with (
        service_manager(0.6) as (environment, manager),
        running(site.path, "worker", "--only", "deliver", environment=environment) as worker,
    ):
        ready = states_until(manager, "READY")[-1]
        assert re.fullmatch(r"READY=1\nSTATUS=(waiting for jobs|job \w+): worker", ready)
        assert "digestmail_jobs.procrastinate_jobs" in job_tables(site), "the queue is prepared"
        while manager.recv(4096) != b"WATCHDOG=1":
            pass
        worker.process.send_signal(signal.SIGHUP)
        heard = [each.split("\n")[0] for each in states_until(manager, "READY") if not each.startswith("STATUS")]
        assert heard == ["RELOADING=1", "READY=1"]
        assert worker.end() == 0
        assert states_until(manager, "STOPPING")[-1] == "STOPPING=1"
    assert "Traceback" not in worker.log


def job_tables(site) -> list[str]:
    with site.database.connect() as connection:
        statement = "SELECT schemaname || '.' || tablename FROM pg_tables"
        return list(connection.execute(text(statement)).scalars())


def test_a_worker_stays_alive_for_systemd_while_it_waits_for_its_database(tmp_path):
    configure(
        tmp_path, SOURCE.format("http://127.0.0.1:1"), top='database = "postgresql://digestmail@127.0.0.1:1/none"'
    )
    with (
        service_manager(0.3) as (environment, manager),
        running(tmp_path, "worker", environment=environment) as worker,
    ):
        assert states_until(manager, "READY")[-1] == "READY=1\nSTATUS=waiting for the database: worker"
        worker.until("the worker starts again in 1 s")
        worker.until("the worker starts again in 2 s")
        signs = [manager.recv(4096) for _ in range(10)]
        assert set(signs) == {b"WATCHDOG=1"}
        assert worker.end() == 0
        assert states_until(manager, "STOPPING") == ["STOPPING=1"]


def test_a_worker_publishes_a_digest_that_a_reload_added_and_keeps_its_configuration_if_the_new_one_is_bad(
    site, caplog
):
    config = site.path / "config.toml"
    valid = config.read_text("utf-8")
    address = re.findall(r'base_url = "(.*)"', valid)[0]
    digestmail(site.path, "subscribers", "add", "reader@example.org", "--digest", "daily")
    reports: list[object] = []
    manager = Manager()
    queue = JobQueue(site.database)

    def published() -> set[str]:
        done = [each for report in reports if isinstance(report, PublishReport) for each in report.digests]
        return {each.digest for each in done if each.status == "published"}

    def reload(text: str) -> Callable[[], set[int]]:
        def step() -> set[int]:
            config.write_text(text, "utf-8")
            return {signal.SIGHUP}

        return step

    def ask_for(source: str, digest: str) -> Callable[[], set[int]]:
        def step() -> set[int]:
            reports.clear()
            queue.put_now(read_job(source, address, 1), publish_job(digest, 1))
            return set()

        return step

    def read(source: str) -> Callable[[], set[int] | None]:
        def is_read() -> bool:
            done = [each for report in reports if isinstance(report, CollectReport) for each in report.sources]
            return source in {each.source for each in done}

        return until(is_read)

    parts = loader(site, *JobKind, on_job=lambda report, *_: reports.append(report))
    supervise(
        parts.load(),
        until(lambda: published() == {"daily"}),
        reload(valid.replace("[web]", "[web]\nprot = 1") + MORE.format(address).replace("0 7 * * *", "sometimes")),
        until_ready(manager, 2),
        ask_for("papers", "extra"),
        read("papers"),
        until(site.is_done),
        reload(valid + MORE.format(address)),
        until_ready(manager, 3),
        ask_for("more", "extra"),
        read("more"),
        until(lambda: published() == {"extra"}),
        reload=parts.reload,
        manager=manager,
    )
    assert "web.prot: unknown key" in caplog.text
    assert "'sometimes'" in caplog.text
    assert caplog.text.count("so the one before stays in use") == 1
    assert [each.split()[0] for each in states(manager)] == ["ready", *["reloading", "ready"] * 2, "stopping"]


def test_a_reload_to_a_database_that_workers_cannot_share_changes_nothing(site, caplog):
    parts = loader(site, JobKind.DELIVER)
    parts.load()
    config = site.path / "config.toml"
    config.write_text(re.sub("(?m)^database = .*", "", config.read_text("utf-8")), "utf-8")
    assert parts.reload() is None
    assert "workers share their jobs in PostgreSQL, and this is a SQLite file" in caplog.text


def rounds(monkeypatch) -> Callable[[], Callable[[], set[int] | None]]:
    """Return what makes a step that goes on when the event loop of the worker has looked twice more."""
    looks: list[bool] = []
    check = JobQueue.check

    def count(queue: JobQueue) -> None:
        looks.append(True)
        check(queue)

    monkeypatch.setattr(JobQueue, "check", count)

    def two_more() -> Callable[[], set[int] | None]:
        begun: list[int] = []

        def is_over() -> bool:
            begun.append(len(looks))
            return len(looks) >= begun[0] + 2

        return until(is_over)

    return two_more


def test_a_job_that_hangs_stops_the_signs_of_life_until_it_goes_on(site, monkeypatch):
    hanging, go_on = Event(), Event()

    def hang(_app: App, **_: object) -> DeliverReport:
        hanging.set()
        go_on.wait(60)
        return DeliverReport()

    monkeypatch.setattr(App, "deliver", hang)
    two_more_rounds = rounds(monkeypatch)
    JobQueue(site.database).put_now(deliver_job())
    time, manager = Time(), Manager()
    heard: list[list[str]] = []

    def later(seconds: float) -> Callable[[], set[int]]:
        def step() -> set[int]:
            heard.append([*manager.heard])
            manager.heard.clear()
            time.seconds += seconds
            return set()

        return step

    def release() -> set[int]:
        later(0)()
        go_on.set()
        return set()

    parts = loader(site, JobKind.DELIVER)
    supervise(
        parts.load(),
        until(hanging.is_set),
        later(3599),
        two_more_rounds(),
        later(2),
        two_more_rounds(),
        release,
        until(lambda: manager.heard[-1:] == ["alive"]),
        manager=manager,
        monotonic=time,
    )
    assert "alive" in heard[1], "a job may be silent for nearly an hour"
    assert heard[2] == ["status hanging: worker"]


def test_a_library_that_stops_looking_for_jobs_counts_as_hanging(site, monkeypatch):
    looking, go_on = Event(), Event()

    async def hang(*_: object) -> None:
        looking.set()
        await asyncio.to_thread(go_on.wait, 60)

    monkeypatch.setattr(JobManager, "fetch_job", hang)
    two_more_rounds = rounds(monkeypatch)
    time, manager = Time(), Manager()

    def later() -> set[int]:
        time.seconds += 3601
        manager.heard.clear()
        return set()

    parts = loader(site, JobKind.DELIVER)
    steps = (until(looking.is_set), until_ready(manager, 1), later, two_more_rounds())
    supervise(parts.load(), *steps, manager=manager, monotonic=time, on_stop=go_on.set)
    assert manager.heard == ["status hanging: worker", "stopping"]
