"""The queue of jobs: Procrastinate on the database of digestmail. Jobs are queued in the caller's transaction.

https://procrastinate.readthedocs.io. Its tables are in a PostgreSQL schema of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from importlib.metadata import version
from typing import Final

from procrastinate import App as Procrastinate
from procrastinate import PsycopgConnector, SyncPsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job as LibraryJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection

from digestmail.cluster.plan import Job, JobKind
from digestmail.errors import StorageError
from digestmail.storage import job_schema
from digestmail.storage.database import Database

SILENT: Final = 30
"""Seconds after its last heartbeat at which a worker counts as dead; it gives one every ten seconds."""


class _Manager(JobManager):
    """Calls `on_look` before it looks for a job, and notes that the end of one could not be recorded.

    The library goes on as if it had been. The job would count as being done for as long as this worker lives, and no
    round would begin.
    """

    def __init__(self, connector: BaseConnector, on_look: Callable[[], None]) -> None:
        super().__init__(connector)
        self.problem: ConnectorException | None = None
        self._on_look = on_look

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> LibraryJob | None:
        self._on_look()
        return await super().fetch_job(queues, worker_id)

    async def finish_job(self, job: LibraryJob, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - as in the library
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException as error:
            self.problem = error


class JobQueue:
    """The queue in one database."""

    def __init__(self, database: Database, on_look: Callable[[], None] = lambda: None) -> None:
        """Connect to nothing yet. `on_look` is called each time a worker is about to look for a job."""
        self._database = database
        self.library = Procrastinate(
            connector=PsycopgConnector(
                conninfo=job_schema.address(database),
                kwargs={"options": f"-c search_path={job_schema.SCHEMA}", "application_name": "digestmail jobs"},
                min_size=1,
                max_size=2,
            )
        )
        self.library.job_manager = self._manager = _Manager(self.library.connector, on_look)
        # The other one has an asynchronous connector, which cannot use a connection of SQLAlchemy.
        self._in_transaction = Procrastinate(connector=SyncPsycopgConnector())

    def prepare(self) -> None:
        """Create the tables unless they are there. Raises StorageError."""
        job_schema.prepare(self._database, SchemaManager.get_schema(), version("procrastinate"))

    def put(self, connection: Connection, jobs: Iterable[Job]) -> None:
        """Queue jobs in the caller's transaction, except those of which one is to wait at a time and one does.

        Raises StorageError.
        """
        raw = job_schema.inside(connection)
        for job in jobs:
            deferrer = self._in_transaction.configure_task(
                f"digestmail:{job.kind}",
                queue=str(job.kind),
                priority=job.kind.priority,
                lock=job.lock,
                queueing_lock=job.once,
                schedule_in={"seconds": job.delay} if job.delay else None,
                connection=raw,
            )
            try:
                with connection.begin_nested() if job.once else nullcontext():
                    deferrer.defer(**job.names)
            except AlreadyEnqueued:
                continue
            except ConnectorException as error:
                raise StorageError(f"the job {job.kind} was not queued: {reason(error)}") from error

    def put_now(self, *jobs: Job) -> None:
        """Queue jobs in a transaction of their own. Raises StorageError."""
        with self._database.begin() as connection:
            self.put(connection, jobs)

    async def open_kinds(self) -> tuple[JobKind, ...]:
        """Return the kinds of the jobs that wait or are being done, one for each job."""
        jobs = await self._manager.list_jobs_async()
        return tuple(JobKind(job.queue) for job in jobs if job.status in {Status.TODO.value, Status.DOING.value})

    async def take_up_stalled(self) -> int:
        """Queue the jobs of dead workers again; return their number. Those that wait already are deleted."""
        stalled = list(await self._manager.get_stalled_jobs(seconds_since_heartbeat=SILENT))
        for job in stalled:
            with suppress(ConnectorException):  # another worker was faster
                try:
                    await self._manager.retry_job(job)
                except UniqueViolation:  # the same job waits already
                    await self._manager.finish_job_by_id_async(job.id or 0, Status.FAILED, delete_job=True)
        await self._manager.prune_stalled_workers(SILENT)
        return len(stalled)

    def check(self) -> None:
        """Raise StorageError if the end of a job could not be recorded: this worker has to start again."""
        if (problem := self._manager.problem) is not None:
            raise StorageError(f"the end of a job was not recorded: {reason(problem)}")


def reason(error: BaseException) -> str:
    """Return why something failed: the library's errors say nothing, but have a cause."""
    return str(error.__cause__ or error).strip() or type(error).__name__
