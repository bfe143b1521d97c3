"""What each job does: it calls the same operations as the command line, and queues the jobs that follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from digestmail.app import App
from digestmail.cluster import plan
from digestmail.cluster.plan import Job, JobKind
from digestmail.cluster.queue import JobQueue
from digestmail.collect.collector import collect
from digestmail.editions.gate import closed_gates
from digestmail.editions.publish import publish
from digestmail.errors import DigestmailError, StorageError
from digestmail.logs.runs import name_run, run_scope
from digestmail.model.deliveries import Rendered
from digestmail.model.history import RunOutcome, RunRecord
from digestmail.model.reports import ASKED_TO_STOP, CollectReport, DeliverReport, PublishReport, RunReport, Stop
from digestmail.schedule.cron import current_slot
from digestmail.status.alerts import send_alerts
from digestmail.storage import history
from digestmail.storage.host_limits import forget_idle
from digestmail.wiring.collected import follow_up
from digestmail.wiring.history import first_trouble
from digestmail.wiring.sources import open_sources
from digestmail.wiring.upkeep import size, tidy

log = logging.getLogger("digestmail.worker")

TURN: Final = 60.0
"""Seconds that a worker delivers before it looks for other jobs."""
_AGAIN: Final = 5
"""Seconds between two looks whether all sources were read."""

Report = CollectReport | PublishReport | DeliverReport


class Tell(Protocol):
    """Hears what came of a job."""

    def __call__(self, report: Report, *, failed: bool) -> None:
        """`failed` says whether the operator should look at it."""
        ...


class Work:
    """The jobs of one worker. It does one at a time."""

    def __init__(
        self,
        app: App,
        queue: JobQueue,
        *,
        on_report: Tell,
        stop: Stop,
        random: Random,
        on_job: Callable[[JobKind], None] = lambda _kind: None,
    ) -> None:
        """Register the jobs with the library. `stop` is asked between two units of work; `on_job` hears what begins."""
        self._app = app
        self._queue = queue
        self._on_report = on_report
        self._stop = stop
        self._random = random
        self._on_job = on_job
        self._clock = app.wall_clock
        jobs: dict[JobKind, tuple[Callable[..., Any], str | None]] = {
            JobKind.TICK: (self._tick, "* * * * *"),
            JobKind.READ: (self._read, None),
            JobKind.TRAIN: (self._train, None),
            JobKind.PUBLISH: (self._publish, None),
            JobKind.OUTPUTS: (self._send_outputs, "* * * * *"),
            JobKind.DELIVER: (self._deliver, "* * * * *"),
            JobKind.UPKEEP: (self._tidy, "41 3 * * *"),
        }
        for kind, (function, cron) in jobs.items():
            self._register(kind, function, cron)

    def _register(self, kind: JobKind, function: Callable[..., Any], cron: str | None) -> None:
        library = self._queue.library
        options: dict[str, Any] = {"queue": str(kind), "priority": kind.priority}
        if cron is not None:
            options["queueing_lock"] = str(kind)
        register: Any = library.task(name=f"digestmail:{kind}", **options)
        task = register(_guarded(function, partial(self._on_job, kind)))
        if cron is not None:
            library.periodic(cron=cron)(task)

    async def _tick(self, **_: int) -> None:
        """Take up what dead workers left, and begin a round if one is due."""
        if count := await self._queue.take_up_stalled():
            log.warning("jobs=%d of workers that are gone are taken up", count)
        waiting = await self._queue.open_kinds()
        await asyncio.to_thread(self._begin_round, waiting)

    def _begin_round(self, waiting: Collection[JobKind]) -> None:
        """Begin a round if one is due, unless another worker is about to."""
        # No lock of the job: one that a dead worker holds would keep every other tick from taking up its jobs.
        with self._app.database.lock("round") as held:
            if held:
                self._queue_round(waiting)

    def _queue_round(self, waiting: Collection[JobKind]) -> None:
        """Record a run and queue its first jobs in one transaction, if one is due."""
        app, now = self._app, self._clock.now()
        slots = [slot.at for digest in app.digests if (slot := current_slot(digest.schedule, now)) is not None]
        is_gated = any(closed_gates(app.database, app.digests, now))
        with app.database.begin() as connection:
            known = (run for run in history.last_runs(connection, 100) if run.started_at <= now)
            if not plan.is_round_due(now, slots, next(known, None), waiting, is_gated=is_gated):
                return
            run = history.begin_run(connection, now)
            forget_idle(connection, now)
            sources = {table.name: table.address for table in app.config.sources}
            self._queue.put(connection, plan.round_jobs(sources, run))

    def _read(self, source: str, run: int) -> None:
        """Read one source."""
        app = self._app
        tables = tuple(table for table in app.config.sources if table.name == source)
        config = app.config.model_copy(update={"sources": tables})
        now, horizon = app.clock.now(), app.horizon()
        with (
            self._part_of(run, *(plan.read_job(source, table.address, run) for table in tables)) as add,
            open_sources(config, app.database, self._clock, horizon, self._random) as (sources, addresses),
        ):
            report = collect(app.database, sources, now, addresses=addresses, horizon=horizon, stop=self._stop)
            self._on_report(report, failed=bool(report.failed))
            new_papers = sum(one.new for one in report.sources)
            trouble = first_trouble(RunReport(collect=report))
            add(new_papers=new_papers, outcome=RunOutcome.TROUBLE if trouble else None, detail=trouble)

    async def _train(self, run: int) -> None:
        """Learn from what was read, when all sources were; then queue the editions."""
        if JobKind.READ in await self._queue.open_kinds():
            await asyncio.to_thread(self._queue.put_now, plan.train_job(run, delay=_AGAIN))
            return
        await asyncio.to_thread(self._learn, run)

    def _learn(self, run: int) -> None:
        app = self._app
        with self._part_of(run, plan.train_job(run)):
            nothing, now = CollectReport(), app.clock.now()
            report = follow_up(nothing, app.config, app.base, app.database, self._clock, now, stop=self._stop)
            self._on_report(report, failed=False)
            if not self._stop():
                self._queue.put_now(*(plan.publish_job(digest.name, run) for digest in app.digests))

    def _publish(self, digest: str, run: int) -> None:
        """Publish a digest if it is due. The transaction that stores its deliveries queues a job for them."""
        app = self._app
        digests = [one for one in app.digests if one.name == digest]
        with self._part_of(run, plan.publish_job(digest, run)) as add:
            try:
                app.epoch().check_database(app.database)
                report = publish(
                    app.database,
                    digests,
                    self._render,
                    app.clock.now(),
                    queued_at=self._clock.now(),
                    stop=self._stop,
                    on_queued=lambda connection: self._queue.put(connection, [plan.deliver_job()]),
                )
            finally:
                send_alerts(app)
            self._on_report(report, failed=bool(report.failed))
            editions = sum(one.status == "published" for one in report.digests)
            add(
                editions=editions,
                outcome=RunOutcome.TROUBLE if report.failed else RunOutcome.WELL,
                detail=first_trouble(RunReport(publish=report)),
                ended_at=self._clock.now(),
                database_bytes=size(app.database),
            )

    def _render(self, *what: Any, **options: Any) -> Rendered:
        return self._app.mail.render(*what, **options)

    def _deliver(self, **_: int) -> None:
        """Deliver for a turn. As soon as something was sent, a turn is queued for the next worker that is free.

        A turn that sends nothing queues none: while sending is paused, or a limit allows a message an hour, the tick of
        the next minute is soon enough.
        """
        ends = self._clock.monotonic() + TURN
        is_first = True

        def on_progress(_finished: int) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                with suppress(StorageError):  # the next tick queues a turn
                    self._queue.put_now(plan.next_turn())

        report = self._app.deliver(stop=lambda: self._stop() or self._clock.monotonic() >= ends, progress=on_progress)
        if report.stopped == ASKED_TO_STOP:
            report = replace(report, stopped="")
        if report.stopped or report.notices or report.sent + report.deferred + report.failed + report.cancelled:
            self._on_report(report, failed=report.went_wrong)
        if report.sent:
            with self._app.database.begin() as connection:
                for run in history.last_runs(connection, 1):
                    part = RunRecord(started_at=run.started_at, sent=report.sent)
                    history.add_to_run(connection, run.number, part)

    def _send_outputs(self, **_: int) -> None:
        """Send to outputs what is due."""
        report = self._app.send_outputs(stop=self._stop)
        if not report.outputs.is_empty:
            self._on_report(report, failed=report.went_wrong)

    def _tidy(self, **_: int) -> None:
        for hint in tidy(self._app.database).hints:
            log.warning("%s", hint)

    @contextmanager
    def _part_of(self, run: int, *jobs: Job) -> Iterator[Callable[..., None]]:
        """Yield what adds to the record of a run. If the worker was asked to stop, `jobs` are left to another one.

        With an error, the run has failed.
        """
        started_at = self._clock.now()

        def add(**done: Any) -> None:
            with self._app.database.begin() as connection:
                history.add_to_run(connection, run, RunRecord(started_at=started_at, **done))

        with run_scope():
            name_run(run)
            try:
                yield add
            except DigestmailError as error:
                add(outcome=RunOutcome.FAILED, detail=str(error), ended_at=self._clock.now())
                raise
            if self._stop():
                self._queue.put_now(*jobs)


def _guarded(function: Callable[..., Any], begin: Callable[[], None]) -> Callable[..., Any]:
    """Call `begin` before a job, and log why it failed: the next tick tries again. A deliberate error is one line."""
    if asyncio.iscoroutinefunction(function):

        async def run_async(**arguments: Any) -> None:
            begin()
            with _logged(function, arguments):
                await function(**arguments)

        return run_async

    def run(**arguments: Any) -> None:
        begin()
        with _logged(function, arguments):
            function(**arguments)

    return run


@contextmanager
def _logged(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Iterator[None]:
    job = " ".join([function.__name__.strip("_"), *(f"{name}={value}" for name, value in arguments.items())])
    try:
        yield
    except DigestmailError as error:
        log.error("job %s: %s", job, error)  # noqa: TRY400 - no bug
    except Exception:  # a bug in one job must not stop the others
        log.exception("job %s crashed", job)
