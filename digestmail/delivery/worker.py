"""A worker: send what is due over the first transport that works, and report what was done."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import uvloop

from digestmail.bounces.score import Scoring
from digestmail.clock import Clock
from digestmail.delivery import outcomes, takeover
from digestmail.delivery.claim_policy import ClaimPolicy
from digestmail.delivery.composers import Composers
from digestmail.delivery.dispatcher import Dispatcher
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outbox_writer import OutboxWriter
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.pacing import DomainLimits
from digestmail.delivery.process import this_process
from digestmail.delivery.standing import add_standing
from digestmail.delivery.tally import Tally
from digestmail.delivery.write_batch import Grant
from digestmail.model.deliveries import Delivery, DeliveryState, Notice
from digestmail.model.reports import DeliverReport
from digestmail.storage import due_times, history, rates, subscribers, workers
from digestmail.storage.database import Database
from digestmail.transports.base import Transport

log = logging.getLogger("digestmail.deliver")

LEASE = timedelta(minutes=30)
"""How long a claimed message belongs to one worker. If the worker dies, it is due again after this."""
_SENDING = timedelta(minutes=12)
"""How much of the lease must be left when a message is sent: the reply to the final dot may take ten minutes."""
_TRIES, _AGAIN = 6, 5.0
"""How often, and how many seconds apart, a worker tries to connect that others leave no room: they make some in ten."""
_FEWEST_AT_DOMAIN = 10
"""Messages of a run to one domain from which it is counted by its name. A domain with fewer may belong to a person."""


class Worker:
    """One worker on the outbox. Several may run at once, in several processes: no message is claimed twice."""

    def __init__(  # noqa: PLR0913 - everything a run needs comes together here
        self,
        database: Database,
        transports: Sequence[Transport],
        composers: Composers,
        clock: Clock,
        rules: Rules,
        epoch: EpochFile,
        *,
        limits: DomainLimits | None = None,
        scoring: Scoring = Scoring(),  # noqa: B008 - frozen
        random: Random,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Connect to nothing yet. `transports` in order of preference: the next one is used when one is broken.

        `stop` is asked between messages; `progress` is called with the number of finished ones.
        """
        self._database = database
        self._transports = transports
        self._composers = composers
        self._clock = clock
        self._rules = rules
        self._epoch = epoch
        self._limits = limits or DomainLimits()
        self._scoring = scoring
        self._random = random
        self._stop = stop
        self._tally = Tally(progress)
        self._name = str(UUID(int=random.getrandbits(128)))
        self._suppressed: set[int] = set()

    def deliver(self) -> DeliverReport:
        """Send until nothing is due, `stop` says so, or every transport is broken.

        Raises StorageError when the database is unreachable for too long, or was restored from a backup.
        """
        self._epoch.check_database(self._database)
        report = self._send(only_notices=False)
        names = [transport.name for transport in self._transports]
        report = add_standing(
            self._database,
            report,
            self._clock.now(),
            self._scoring,
            transports=names,
            worked_on=sorted(self._tally.editions),
        )
        return self._with_suppressed(report)

    def send_notices(self) -> DeliverReport:
        """Send the notices that are due, and nothing else. Raises StorageError as `deliver` does.

        The report says nothing about the rest of the outbox.
        """
        with self._database.connect() as connection:
            if not due_times.has_notices(connection, self._clock.now()):
                return DeliverReport()
        self._epoch.check_database(self._database)
        return self._with_suppressed(self._send(only_notices=True))

    def _send(self, *, only_notices: bool) -> DeliverReport:
        with self._database.begin() as connection:
            takeover.start(connection, self._name, this_process(), self._clock.now())
        try:
            return self._send_over_all(only_notices=only_notices)
        finally:
            with self._database.begin() as connection:
                workers.end(connection, self._name)
                history.count_messages(connection, self._clock.now(), self._tally.by_domain(), _FEWEST_AT_DOMAIN)

    def _send_over_all(self, *, only_notices: bool) -> DeliverReport:
        with self._database.connect() as connection:
            beyond = due_times.is_beyond(connection, self._clock.now())
            paused = {pause.key: pause for pause in rates.pauses(connection, self._clock.now())}
        if beyond:
            self._reset_beyond()
        stopped = ""
        usable = [transport for transport in self._transports if f"relay:{transport.name}" not in paused]
        for transport in self._transports:
            if (pause := paused.get(f"relay:{transport.name}")) is not None:
                stopped = str(pause)
                continue
            usable.remove(transport)
            # With another transport at hand, what was not sent is due at once.
            wait = timedelta(0) if usable else outcomes.PAUSE
            stopped, is_broken = self._send_over(transport, wait, only_notices=only_notices)
            if not is_broken:
                break
        return self._report(stopped)

    def _reset_beyond(self) -> None:
        """Send what a clock that was ahead has put off for longer than any message may wait."""
        with self._database.begin() as connection:
            changed = due_times.reset_beyond(connection, self._clock.now(), LEASE)
        log.warning("messages=%d were due too far in the future: they are due again", changed)

    def _send_over(self, transport: Transport, pause: timedelta, *, only_notices: bool) -> tuple[str, bool]:
        """Send over one transport; return why it ended early, and whether because the transport is broken."""
        policy = ClaimPolicy(self._name, transport, self._rules, self._limits, self._scoring, only_notices=only_notices)
        try:
            for _ in range(_TRIES):
                with self._database.begin() as connection:
                    grant = policy.lease_connections(connection, self._clock.now())
                if grant.pause is not None:
                    return str(grant.pause), True
                dispatcher = self._dispatch(transport, policy, grant, pause, only_notices=only_notices)
                if not dispatcher.is_crowded_out or self._stop():
                    return dispatcher.stopped, dispatcher.is_broken
                self._clock.sleep(_AGAIN)
            log.warning("%s accepts no connection beside those of other workers, which go on sending", transport.name)
            return "", False
        finally:
            self._suppressed |= policy.suppressed
            with self._database.begin() as connection:
                policy.release_connections(connection, self._clock.now())

    def _dispatch(
        self, transport: Transport, policy: ClaimPolicy, grant: Grant, pause: timedelta, *, only_notices: bool
    ) -> Dispatcher:
        """Send over one transport, and return what did."""
        writer = OutboxWriter(
            self._database,
            self._clock,
            self._epoch,
            policy,
            lease=LEASE,
            sending=_SENDING,
        )
        dispatcher = Dispatcher(
            writer,
            transport,
            self._composers,
            self._clock,
            self._rules,
            grant=grant,
            pause=pause,
            random=self._random,
            stop=self._stop,
            tally=self._tally,
            only_notices=only_notices,
        )
        # What is in memory now stays there: searching it again and again would cost a tenth of the speed.
        gc.freeze()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(dispatcher.run())
        finally:
            gc.unfreeze()
        if dispatcher.trouble is not None:
            raise dispatcher.trouble
        return dispatcher

    def _with_suppressed(self, report: DeliverReport) -> DeliverReport:
        """Add how many subscribers are suppressed because of this run, except those whose domain blocks us."""
        with self._database.connect() as connection:
            return replace(report, suppressed=subscribers.count_suppressed(connection, self._suppressed))

    def _report(self, stopped: str) -> DeliverReport:
        counts = self._tally.counts[Delivery]
        return DeliverReport(
            sent=counts[DeliveryState.SENT],
            deferred=counts[DeliveryState.DEFERRED],
            failed=counts[DeliveryState.FAILED],
            cancelled=counts[DeliveryState.CANCELLED],
            ambiguous=counts[DeliveryState.AMBIGUOUS],
            notices={str(state): count for state, count in sorted(self._tally.counts[Notice].items()) if count},
            stopped=stopped,
            trouble=self._tally.trouble,
        )
