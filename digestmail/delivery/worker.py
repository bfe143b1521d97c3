"""Deliver: claim what is due, send it, record what became of it, and say how the outbox stands."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import uvloop
from sqlalchemy import Connection

from digestmail.bounces import counting
from digestmail.bounces.counting import Recorded
from digestmail.bounces.score import Scoring
from digestmail.clock import Clock
from digestmail.delivery import outcomes
from digestmail.delivery.dispatcher import AHEAD, Dispatcher, MessageComposer
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outbox_writer import OutboxWriter, Policies, Triage
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.pacing import DomainLimits, pace, room, speeds
from digestmail.model.deliveries import Attempted, Delivery, DeliveryState, Manner
from digestmail.model.reports import DeliverReport
from digestmail.model.subscribers import BounceEvent
from digestmail.schedule.moments import is_recent
from digestmail.storage import deliveries, rates, servers
from digestmail.storage.database import Database
from digestmail.transports.base import Pipelining, Relay

log = logging.getLogger("digestmail.deliver")
mail_log = logging.getLogger("digestmail.mail")

LEASE = timedelta(minutes=30)
"""How long a claimed delivery stays with one worker; a worker that dies gives it back by letting this pass."""
_SENDING = timedelta(minutes=12)
"""How much of the lease must be left when a message goes out: the answer to the final dot may take ten minutes."""
_ALLOTTED = timedelta(minutes=5)
"""How long a worker's connections are its own after a claim; one that dies lets them lapse."""
_RENEWED = timedelta(minutes=1)
_TROUBLES = frozenset({DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.AMBIGUOUS})


class Worker:
    """One worker on the outbox. Several may run at once, in several processes: a claim is never handed out twice."""

    def __init__(  # noqa: PLR0913 - its collaborators, put together in one place
        self,
        database: Database,
        relays: Sequence[Relay],
        letters: MessageComposer,
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
        """Connect nothing yet. `relays` in the order of preference: the next one serves when one is broken.

        `stop` is asked between deliveries; `progress` is told how many are finished.
        """
        self._database = database
        self._relays = relays
        self._letters = letters
        self._clock = clock
        self._rules = rules
        self._epoch = epoch
        self._limits = limits or DomainLimits()
        self._scoring = scoring
        self._random = random
        self._stop = stop
        self._progress = progress
        self._worker = str(UUID(int=random.getrandbits(128)))
        self._tally: Counter[DeliveryState] = Counter()
        self._finished = 0
        self._suppressed = 0
        self._trouble = ""

    def deliver(self) -> DeliverReport:
        """Deliver until nothing is due, somebody says stop, or every relay is broken.

        Raises StorageError when the database is gone for too long, or is one put back from a backup.
        """
        self._epoch.check_database(self._database)
        with self._database.connect() as connection:
            beyond = deliveries.is_beyond(connection, self._clock.now())
            paused = {pause.key: pause for pause in rates.pauses(connection, self._clock.now())}
        if beyond:
            self._settle()
        stopped = ""
        usable = [relay for relay in self._relays if f"relay:{relay.name}" not in paused]
        for relay in self._relays:
            if (pause := paused.get(f"relay:{relay.name}")) is not None:
                stopped = f"{relay.name} is left alone until {pause.until:%Y-%m-%d %H:%M} UTC: {pause.reason}"
                continue
            usable.remove(relay)
            # With another relay at hand, what was not sent is due at once.
            stopped, broken = self._over(relay, timedelta(0) if usable else outcomes.PAUSE)
            if not broken:
                break
        return self._report(stopped)

    def _settle(self) -> None:
        """Deliver what a clock that was ahead has put off for longer than anything may be."""
        with self._database.begin() as connection:
            settled = deliveries.settle_due(connection, self._clock.now(), LEASE)
        log.warning("deliveries=%d were due further ahead than any may be: they are due again", settled)

    def _over(self, relay: Relay, pause: timedelta) -> tuple[str, bool]:
        """Deliver over one relay; return why it ended early, and whether the relay is what broke."""
        with self._database.begin() as connection:
            now = self._clock.now()
            granted = self._allot(connection, relay, now)
            manners = _known(connection, relay, now)
        try:
            return self._dispatch(relay, granted, manners, pause)
        finally:
            with self._database.begin() as connection:
                rates.give_up(connection, self._worker, self._clock.now())

    def _allot(self, connection: Connection, relay: Relay, now: datetime) -> dict[str, int]:
        keys = {f"relay:{relay.name}": relay.connections} | {
            f"domain:{name}": limit.connections for name, limit in self._limits.domains.items() if limit.connections
        }
        self._allotted_at = now
        return rates.lease_connections(connection, self._worker, keys, now, _ALLOTTED)

    def _dispatch(
        self, relay: Relay, granted: dict[str, int], manners: dict[str, Manner], pause: timedelta
    ) -> tuple[str, bool]:
        ledger = OutboxWriter(
            self._database,
            self._clock,
            self._epoch,
            lease=LEASE,
            sending=_SENDING,
            policies=Policies(
                room=lambda connection, now: room(connection, self._speeds(connection, relay, now), relay.name, now),
                sort=lambda connection, claimed, now: self._sort(connection, claimed, relay, now),
                bounced=self._count_bounces,
            ),
            # Half of what may be armed: while its results and the next intents are committed, the other half goes out.
            enough=AHEAD * granted[f"relay:{relay.name}"],
        )
        dispatch = Dispatcher(
            ledger,
            relay,
            self._letters,
            self._clock,
            self._rules,
            connections=granted[f"relay:{relay.name}"],
            domains={key.removeprefix("domain:"): count for key, count in granted.items() if key.startswith("domain:")},
            manners=manners,
            pause=pause,
            random=self._random,
            stop=self._stop,
            recorded=self._recorded,
            reopened=self._reopened,
        )
        # What is in memory now is there to stay: looking through it again and again costs a tenth of the pace.
        gc.freeze()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(dispatch.run())
        finally:
            gc.unfreeze()
        if dispatch.trouble is not None:
            raise dispatch.trouble
        return dispatch.stopped, dispatch.relay_broke

    def _sort(self, connection: Connection, claimed: Sequence[Delivery], relay: Relay, now: datetime) -> Triage:
        """Say what goes out now; end what nobody wants, settle what a dead worker left, put off what a rate holds."""
        rest: list[tuple[Delivery, Attempted]] = []
        wanted: list[Delivery] = []
        for delivery in claimed:
            if delivery.state is DeliveryState.SENDING:
                rest.append((delivery, outcomes.after_worker_crash(self._rules, now)))
            elif (end := outcomes.no_longer_eligible(delivery, self._rules, now)) is not None:
                rest.append((delivery, end))
            else:
                wanted.append(delivery)
        speed = self._speeds(connection, relay, now)
        renew = not is_recent(self._allotted_at, now, _RENEWED)
        granted = self._allot(connection, relay, now) if renew else {}
        manners = _known(connection, relay, now) if renew else {}
        if not speed:
            return Triage(go=wanted, rest=rest, granted=granted, manners=manners)
        go, wait = pace(connection, wanted, speed, relay.name, now)
        rest += ((delivery, outcomes.released(delivery, moment)) for delivery, moment in wait)
        return Triage(go=go, rest=rest, granted=granted, manners=manners)

    def _count_bounces(
        self, connection: Connection, results: Sequence[tuple[Delivery, Attempted]], now: datetime
    ) -> None:
        """Count what was refused for good as a report of it would be; doing it again counts nothing twice."""
        for delivery, attempted in results:
            if attempted.bounce is None:
                continue
            event = BounceEvent(
                report="smtp",
                subscriber_id=delivery.subscriber_id,
                edition_id=delivery.edition_id,
                kind=attempted.bounce,
                status=attempted.status,
                detail=outcomes.said(attempted),
            )
            self._suppressed += counting.count(connection, event, now, self._scoring) is Recorded.SUPPRESSED

    def _speeds(self, connection: Connection, relay: Relay, now: datetime) -> dict[str, float]:
        return speeds(self._limits, relay.name, relay.messages_per_second, rates.factors(connection, now))

    def _reopened(self, count: int) -> None:
        self._tally[DeliveryState.FAILED] -= count
        self._tally[DeliveryState.DEFERRED] += count

    def _recorded(self, delivery: Delivery, result: Attempted, kept: bool) -> None:  # noqa: FBT001 - a callback
        if not result.begun and result.state is not DeliveryState.CANCELLED:
            return
        if mail_log.isEnabledFor(logging.INFO):
            self._note(delivery, result, kept)
        if kept:
            self._tally[result.state] += 1
            self._finished += 1
        if result.state in _TROUBLES:
            self._trouble = result.text
        self._progress(self._finished)

    @staticmethod
    def _note(delivery: Delivery, result: Attempted, kept: bool) -> None:  # noqa: FBT001 - as above
        mail_log.info(
            "edition=%d subscriber=%d attempt=%d state=%s code=%s ms=%s recorded=%s text=%r",
            delivery.edition_id,
            delivery.subscriber_id,
            delivery.attempts,
            result.state,
            result.code or "-",
            "-" if result.milliseconds is None else result.milliseconds,
            "yes" if kept else "no, another worker holds it",
            result.text,
        )

    def _report(self, stopped: str) -> DeliverReport:
        with self._database.connect() as connection:
            standing = outbox_report(connection)
            blocks = counting.list_blocks(connection, self._clock.now())
            paused = {pause.key: pause.until for pause in rates.pauses(connection, self._clock.now())}
        if blocks:
            with self._database.begin() as connection:
                blocks = counting.hold_blocks(connection, self._clock.now(), self._scoring)
        next_due_at = standing.next_due_at
        untils = [paused.get(f"relay:{relay.name}") for relay in self._relays]
        closed = [until for until in untils if until is not None]
        if next_due_at is not None and closed and len(closed) == len(untils):
            next_due_at = max(next_due_at, min(closed))
        return replace(
            standing,
            suppressed=self._suppressed,
            blocks=blocks,
            next_due_at=next_due_at,
            sent=self._tally[DeliveryState.SENT],
            deferred=self._tally[DeliveryState.DEFERRED],
            failed=self._tally[DeliveryState.FAILED],
            cancelled=self._tally[DeliveryState.CANCELLED],
            ambiguous=self._tally[DeliveryState.AMBIGUOUS],
            stopped=stopped,
            trouble=self._trouble,
        )


def _known(connection: Connection, relay: Relay, now: datetime) -> dict[str, Manner]:
    return servers.known(connection, relay.server, now) if isinstance(relay, Pipelining) else {}


def outbox_report(connection: Connection) -> DeliverReport:
    """Return how the outbox stands, with nothing delivered."""
    return DeliverReport(
        outbox={str(state): count for state, count in deliveries.counts(connection).items()},
        next_due_at=deliveries.next_due(connection),
        unbalanced=deliveries.unbalanced(connection),
    )
