"""The outbox writer: one thread that commits claims, intents and results, as many as possible in one transaction.

A commit that reaches the disk costs milliseconds, whether it holds one row or fifty. The dispatcher submits what it
wants written and goes on; the thread takes all there is, commits it, and reports what was committed. Each batch can be
repeated with the same result, so a commit whose answer was lost is simply tried again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.clock import Clock
from digestmail.delivery.claim_policy import ClaimPolicy
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.takeover import HEARTBEAT
from digestmail.delivery.write_batch import ClaimRequest, Committed, Triage, WriteBatch
from digestmail.errors import StorageError
from digestmail.logs.runs import in_same_run
from digestmail.storage import claims, due_times, rates, servers, settings
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.outbox")

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 10.0
_PATIENCE = timedelta(minutes=10)
"""How long to wait for a database that is locked, full or gone."""


class OutboxWriter:
    """Commits what a dispatcher submits. The dispatcher starts and stops it, and hears of every commit."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        epoch: EpochFile,
        policy: ClaimPolicy,
        *,
        lease: timedelta,
        sending: timedelta,
    ) -> None:
        """`lease` is how long a claim lasts, `sending` how much of it must be left when a message is sent."""
        self._database = database
        self._clock = clock
        self._epoch = epoch
        self._policy = policy
        self._lease = lease
        self._sending = sending
        self._batch = WriteBatch()
        self._lock = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self, on_commit: Callable[[Committed | StorageError], None]) -> None:
        """Start writing; `on_commit` is called in the writer's thread after every commit, or once when it gives up."""
        self._thread = threading.Thread(
            target=in_same_run(self._work), args=(on_commit,), name="outbox writer", daemon=True
        )
        self._thread.start()

    def submit(self, batch: WriteBatch) -> None:
        """Add to what the next transaction writes. It begins when the one before is committed. Returns at once."""
        with self._lock:
            self._batch.merge(batch)
            self._lock.notify()

    def finish(self) -> None:
        """Write what is left, and end."""
        with self._lock:
            self._ending = True
            self._lock.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self, on_commit: Callable[[Committed | StorageError], None]) -> None:
        while (batch := self._next_batch()) is not None:
            began = self._clock.monotonic()
            try:
                committed = self._commit_with_retries(batch)
            except StorageError as error:
                on_commit(error)
                return
            except Exception as error:
                # A bug. If the thread ended silently, its dispatcher would wait for ever.
                log.exception("the outbox writer ended by a bug")
                on_commit(StorageError(f"unexpected {type(error).__name__}: {error}"))
                return
            on_commit(replace(committed, seconds=self._clock.monotonic() - began))

    def _next_batch(self) -> WriteBatch | None:
        """Wait for something to write; None means the end.

        If there is nothing for a while, the batch is empty: its commit shows that this worker is alive.
        """
        with self._lock:
            while not self._batch and not self._ending and self._lock.wait(HEARTBEAT.total_seconds()):
                pass
            if self._ending and not self._batch:
                return None
            batch, self._batch = self._batch, WriteBatch()
            return batch

    def _commit_with_retries(self, batch: WriteBatch) -> Committed:
        """Commit `batch`; wait for a database that is locked, full or gone, and try again."""
        wait, until = _FIRST_WAIT, self._clock.monotonic() + _PATIENCE.total_seconds()
        committed: Committed | None = None
        while True:
            try:
                # Nothing is claimed again when only the file beside the database could not be written.
                committed = committed or self._commit(batch)
                if committed.triage.epoch is not None:
                    self._epoch.note(committed.triage.epoch)
            except StorageError as error:
                if self._clock.monotonic() >= until:
                    raise
                log.warning("the outbox writer retries in %.2f s, nothing is lost: %s", wait, error)
            else:
                return committed
            self._clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _commit(self, batch: WriteBatch) -> Committed:
        with self._database.begin() as connection:
            now = self._clock.now()
            self._policy.heartbeat(connection, now)
            lost = frozenset(one.claim for one in claims.record(connection, batch.results, now))
            if bounced := [result for result in batch.results if result[1].bounce and result[0].claim not in lost]:
                self._policy.count_bounces(connection, bounced, now)
            intended = claims.record_intent(connection, batch.record_intent, now + self._sending)
            reopened = claims.reopen(connection, batch.reopen, now) if batch.reopen else {}
            for key, measured in sorted(batch.slow.items()):
                rates.slow_down(connection, key, now, measured)
            for pause in batch.pause:
                rates.pause(connection, pause.key, pause.until, pause.reason, now)
            # Rates, then the epoch, then servers: workers that lock them in one order do not wait for each other.
            grant = self._policy.renew(connection, now)
            triage = self._claim(connection, batch.claim, now) if batch.claim is not None else Triage()
            return Committed(
                results=batch.results,
                lost=lost,
                requested=batch.record_intent,
                intended=intended,
                at=now,
                trials=[one.face for one in batch.observed if servers.note(connection, one, now)],
                claim=batch.claim,
                triage=triage,
                grant=grant,
                reopened=reopened,
            )

    def _claim(self, connection: Connection, request: ClaimRequest, now: datetime) -> Triage:
        limit = request.limit
        if (room := self._policy.room(connection, now)) is not None:
            count, next_at = room
            if not count:
                due_at = due_times.next_due(connection, only_notices=request.only_notices)
                return Triage(next_due_at=max(due_at, next_at) if due_at is not None else None)
            limit = min(limit, count)
        claimed = claims.claim(connection, now, self._lease, limit, only_notices=request.only_notices)
        if not claimed:
            return Triage(next_due_at=due_times.next_due(connection, only_notices=request.only_notices))
        found = self._policy.triage(connection, claimed, now)
        claims.record(connection, found.rest, now)
        return replace(found, epoch=settings.bump_epoch(connection))
