"""The ledger: one thread that writes down intents and results, as many as there are in one transaction.

A commit that reaches the disk costs milliseconds, whether it holds one row or fifty. So the connections put down what
they want written and go on; the thread takes all there is, commits, and says what was committed. Each order can be
carried out twice with the same result, so that a commit whose answer was lost is simply tried again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.clock import Clock
from digestmail.delivery.epoch import EpochFile
from digestmail.errors import StorageError
from digestmail.model.deliveries import Attempted, Delivery, Manner
from digestmail.storage import claims, deliveries, rates, servers, settings
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.ledger")

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 10.0
_GATHERING = 0.003
"""Seconds a commit waits for company: about as long as it takes itself."""
_PATIENCE = timedelta(minutes=10)
"""How long a database that is gone is waited for."""


@dataclass(slots=True)
class WriteBatch:
    """What is to be written in one transaction."""

    results: list[tuple[Delivery, Attempted]] = field(default_factory=list)
    record_intent: list[Delivery] = field(default_factory=list)
    claim: int = 0
    slow: dict[str, float | None] = field(default_factory=dict)
    """Keys of relays and domains that asked for less, and what share of full speed they took, if it was measured."""
    reopen: list[tuple[Delivery, Attempted]] = field(default_factory=list)
    """Deliveries that had failed, and shall not have."""
    pause: list[rates.Pause] = field(default_factory=list)
    seen: list[servers.ServerObservation] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.results or self.record_intent or self.claim or self.slow or self.reopen or self.pause or self.seen
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """What was claimed: what goes out now, and what became of the rest already."""

    go: Sequence[Delivery] = ()
    rest: Sequence[tuple[Delivery, Attempted]] = ()
    next_due_at: datetime | None = None
    """When the next delivery is due, if nothing was."""
    granted: Mapping[str, int] = field(default_factory=dict)
    """How many connections of each key this worker may hold from now on, where that was asked anew."""
    manners: Mapping[str, Manner] = field(default_factory=dict)
    """What is on record of the relay's servers, where that was asked anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What was written."""

    results: Sequence[tuple[Delivery, Attempted]]
    lost: frozenset[tuple[int, int, int]]
    """Results nothing was written of: another worker has the delivery."""
    asked: Sequence[Delivery]
    intended: frozenset[tuple[int, int, int]]
    at: datetime
    """When the intents were written."""
    trials: Sequence[str]
    """The faces of servers that this worker may try."""
    claimed: Triage | None
    """None if nothing was to be claimed."""
    reopened: int = 0
    """How many deliveries that had failed are open again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the worker decides inside the ledger's transactions."""

    room: Callable[[Connection, datetime], tuple[int, datetime] | None]
    """How many deliveries may be claimed, and when the next ones may; None: any number."""
    sort: Callable[[Connection, Sequence[Delivery], datetime], Triage]
    """Which of the deliveries that were claimed go out now."""
    bounced: Callable[[Connection, Sequence[tuple[Delivery, Attempted]], datetime], None]
    """Count what servers refused for good, with the results."""


class OutboxWriter:
    """Writes orders; started and stopped by a dispatch, which hears of every commit in its event loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        epoch: EpochFile,
        *,
        lease: timedelta,
        sending: timedelta,
        policies: Policies,
        enough: int,
    ) -> None:
        """`lease` is how long a claim holds, `sending` how much of it must be left when a message may go out.

        With `enough` rows to write, a commit begins at once; with fewer, it waits some milliseconds for more.
        """
        self._database = database
        self._clock = clock
        self._epoch = epoch
        self._lease = lease
        self._sending = sending
        self._policies = policies
        self._enough = enough
        self._idle = False
        self._orders = WriteBatch()
        self._lock = threading.Condition()
        self._unnoted: int | None = None
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self, tell: Callable[[Committed | StorageError], None]) -> None:
        """Begin to write; `tell` is called in the ledger's thread after every commit, or once when it gives up."""
        self._thread = threading.Thread(target=self._work, args=(tell,), name="ledger", daemon=True)
        self._thread.start()

    def order(
        self,
        *,
        results: Sequence[tuple[Delivery, Attempted]] = (),
        record_intent: Sequence[Delivery] = (),
        claim: int = 0,
        slow: str | None = None,
        measured: float | None = None,
        reopen: Sequence[tuple[Delivery, Attempted]] = (),
        pause: rates.Pause | None = None,
        seen: servers.ServerObservation | None = None,
    ) -> None:
        """Put down what is to be written; returns at once."""
        with self._lock:
            self._orders.results.extend(results)
            self._orders.record_intent.extend(record_intent)
            self._orders.claim = max(self._orders.claim, claim)
            if slow is not None:
                self._orders.slow[slow] = measured
            self._orders.reopen.extend(reopen)
            if pause is not None:
                self._orders.pause.append(pause)
            if seen is not None:
                self._orders.seen.append(seen)
            if self._idle or len(self._orders.results) + len(self._orders.record_intent) >= self._enough:
                self._lock.notify()

    def finish(self) -> None:
        """Write what is left, and end."""
        with self._lock:
            self._ending = True
            self._lock.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self, tell: Callable[[Committed | StorageError], None]) -> None:
        while True:
            orders = self._next_orders()
            if not orders:
                return
            try:
                committed = self._commit_somehow(orders)
            except StorageError as error:
                tell(error)
                return
            except Exception as error:
                # A bug: a ledger that died in silence would leave its dispatch waiting for ever.
                log.exception("the ledger ended by a bug")
                tell(StorageError(f"unexpected {type(error).__name__}: {error}"))
                return
            tell(committed)

    def _next_orders(self) -> WriteBatch:
        """Wait for orders, and a moment longer for enough of them; none when it is to end."""
        with self._lock:
            self._idle = True
            while not self._orders and not self._ending:
                self._lock.wait()
            self._idle = False
            if len(self._orders.results) + len(self._orders.record_intent) < self._enough and not self._ending:
                self._lock.wait(_GATHERING)
            orders, self._orders = self._orders, WriteBatch()
            return orders

    def _commit_somehow(self, orders: WriteBatch) -> Committed:
        """Commit `orders`; wait for a database that is locked, full or gone, and try again."""
        wait, until = _FIRST_WAIT, self._clock.monotonic() + _PATIENCE.total_seconds()
        committed: Committed | None = None
        while True:
            try:
                # Not claimed again when only the file beside the database could not be written.
                committed = committed or self._commit(orders)
                if self._unnoted is not None:
                    self._epoch.note(self._unnoted)
                    self._unnoted = None
            except StorageError as error:
                if self._clock.monotonic() >= until:
                    raise
                log.warning("the ledger waits %.2f s, nothing is lost: %s", wait, error)
            else:
                return committed
            self._clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _commit(self, orders: WriteBatch) -> Committed:
        with self._database.begin() as connection:
            now = self._clock.now()
            lost = claims.record(connection, orders.results, now)
            if bounced := [result for result in orders.results if result[1].bounce is not None]:
                gone = {delivery.claim for delivery in lost}
                self._policies.bounced(connection, [one for one in bounced if one[0].claim not in gone], now)
            intended = frozenset[tuple[int, int, int]]()
            if orders.record_intent:
                intended = claims.record_intent(connection, orders.record_intent, now + self._sending)
            reopened = claims.reopen(connection, orders.reopen, now)
            for key, measured in sorted(orders.slow.items()):
                rates.slow_down(connection, key, now, measured)
            for pause in orders.pause:
                rates.pause(connection, pause.key, pause.until, pause.reason, now)
            trials = [one.face for one in orders.seen if servers.note(connection, one, now)]
            claimed = None
            if orders.claim:
                claimed, self._unnoted = self._claim(connection, orders.claim, now)
        return Committed(
            results=orders.results,
            lost=frozenset(one.claim for one in lost),
            asked=orders.record_intent,
            intended=intended,
            at=now,
            trials=trials,
            claimed=claimed,
            reopened=reopened,
        )

    def _claim(self, connection: Connection, limit: int, now: datetime) -> tuple[Triage, int | None]:
        if (room := self._policies.room(connection, now)) is not None:
            count, next_at = room
            if not count:
                due_at = deliveries.next_due(connection)
                return Triage(next_due_at=max(due_at, next_at) if due_at is not None else None), None
            limit = min(limit, count)
        claimed = claims.claim(connection, now, self._lease, limit)
        if not claimed:
            return Triage(next_due_at=deliveries.next_due(connection)), None
        found = self._policies.sort(connection, claimed, now)
        claims.record(connection, found.rest, now)
        return found, settings.bump_epoch(connection)
