"""A worker: does jobs until it is stopped. When the database is gone, it waits for it and starts again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from random import SystemRandom
from typing import Final, Protocol

from procrastinate.exceptions import ConnectorException
from psycopg import Error

from digestmail.app import App
from digestmail.cluster.plan import CHORES, JobKind
from digestmail.cluster.queue import JobQueue, reason
from digestmail.cluster.work import Tell, Work
from digestmail.errors import DigestmailError, StorageError

log = logging.getLogger("digestmail.worker")

_LONGEST_WAIT: Final = 60.0
_LOOK: Final = 0.25
"""Seconds between two looks whether to stop."""
_POLL: Final = 2.0
"""Seconds after which a worker that has nothing to do looks for jobs."""
_FOLLOW: Final = 60.0
"""Seconds between two looks at the epoch of the database."""


class WorkerControl(Protocol):
    """What a worker asks whether to stop, and what hears how it is doing."""

    def stopping(self) -> bool:
        """Return whether to stop. Each question is a sign of life."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait until the worker is to stop, at most `seconds`; return whether it is. This is no sign of life."""
        ...

    def say(self, doing: str) -> None:
        """Note what the worker is doing."""
        ...


def run_worker(app: App, kinds: Collection[JobKind], control: WorkerControl, *, on_report: Tell) -> None:
    """Do jobs of these `kinds`, and chores, until `control` says to stop; the job in hand is finished first.

    While the database is not available, or was restored from a backup, the worker logs that and tries again.
    """
    clock, failures = app.wall_clock, 0
    while not control.stopping():
        began = clock.monotonic()
        try:
            asyncio.run(_do_jobs(app, kinds, control, on_report))
        except (DigestmailError, ConnectorException, Error) as error:
            failures = 1 if clock.monotonic() - began > _LONGEST_WAIT else failures + 1
            seconds = min(2.0 ** (failures - 1), _LONGEST_WAIT)
            log.warning("the worker starts again in %.0f s: %s", seconds, reason(error))
            control.say("waiting for the database")
            until = clock.monotonic() + seconds
            while clock.monotonic() < until and not control.stopping():
                clock.sleep(_LOOK)


async def _do_jobs(app: App, kinds: Collection[JobKind], control: WorkerControl, on_report: Tell) -> None:
    """Do jobs until `control` says to stop. Raises an error if the library ends by itself, as without the database.

    Looking for a job is a sign of life, and during a job its questions are: watching is none, so that a job or library
    that hangs is noticed.
    """

    def look() -> None:
        control.stopping()
        control.say("waiting for jobs")

    def begin(kind: JobKind) -> None:
        control.say(f"job {kind}")

    queue = JobQueue(app.database, look)
    queue.prepare()
    Work(app, queue, on_report=on_report, stop=control.stopping, random=SystemRandom(), on_job=begin)
    async with queue.library.open_async():
        queues = sorted(map(str, CHORES.union(kinds)))
        working = asyncio.create_task(
            queue.library.run_worker_async(
                queues=queues,
                delete_jobs="always",
                install_signal_handlers=False,
                # What the library listens with ends for good when PostgreSQL restarts, and then it no longer notices
                # when its other tasks end (version 3.10.0).
                listen_notify=False,
                fetch_job_polling_interval=_POLL,
            )
        )
        try:
            await _watch(working, app, queue, control)
        finally:
            working.cancel()  # asks for the end after the job in hand
            with suppress(asyncio.CancelledError):
                await working
    if not control.stopping():
        raise StorageError("the connection to the database was lost")


async def _watch(working: asyncio.Task[None], app: App, queue: JobQueue, control: WorkerControl) -> None:
    """Return when the worker is to end, or has ended.

    Meanwhile, follow the epoch of the database: this machine may claim nothing for days, and still has to notice when
    the database is put back from a backup. Raises StorageError then.
    """
    clock = app.wall_clock
    next_at = clock.monotonic()
    while not working.done() and not control.wait(0):
        queue.check()
        if clock.monotonic() >= next_at:
            await asyncio.to_thread(app.epoch().follow, app.database)
            next_at = clock.monotonic() + _FOLLOW
        await asyncio.wait([working], timeout=_LOOK)
