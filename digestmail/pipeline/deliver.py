"""Deliver: claim what is due, send it, record what became of it, one recipient at a time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from sqlalchemy import Connection

from digestmail.clock import Clock
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.model import Attempted, Delivery, DeliveryState, Envelope
from digestmail.pipeline.reports import DeliverReport
from digestmail.retry import next_attempt
from digestmail.storage import deliveries
from digestmail.storage.database import Database
from digestmail.transports.base import Session, Transport

log = logging.getLogger("digestmail.deliver")
mail_log = logging.getLogger("digestmail.mail")

LEASE = timedelta(minutes=15)
"""How long a claimed delivery stays with one worker; a worker that dies gives it back by letting this pass."""
_BATCH = 20
_PAUSE = timedelta(minutes=5)
"""How long the rest of a batch waits when the way out itself is broken."""
_LONGEST_PAUSE = timedelta(hours=4)
_FEWEST_ATTEMPTS = 4
"""Nobody is given up before so many attempts, however long they waited for our own server to come back."""


class Letters(Protocol):
    """Writes the message of one delivery."""

    def write(self, delivery: Delivery, now: datetime) -> tuple[Envelope, bytes]:
        """Return the envelope and the message. Raises RenderError or DeliveryError."""
        ...


class Deliverer:
    """One worker on the outbox. Several may run at once, in several processes: a claim is never handed out twice."""

    def __init__(
        self,
        database: Database,
        transport: Transport,
        letters: Letters,
        clock: Clock,
        *,
        give_up: timedelta,
        random: Random,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Connect nothing yet. `stop` is asked between deliveries; `progress` is told how many are finished."""
        self._database = database
        self._transport = transport
        self._letters = letters
        self._clock = clock
        self._give_up = give_up
        self._random = random
        self._stop = stop
        self._progress = progress
        self._tally: Counter[DeliveryState] = Counter()
        self._trouble = ""

    def deliver(self) -> DeliverReport:
        """Deliver until nothing is due, somebody says stop, or the way out breaks."""
        stopped = ""
        with ExitStack() as stack:
            session: Session | None = None
            try:
                while not stopped and (claimed := self._claim()):
                    if session is None and any(delivery.wanted for delivery in claimed):
                        session = self._open(stack, claimed)
                    stopped = self._deliver_batch(session, claimed)
            except (TransportError, RenderError) as error:
                stopped = str(error)
        return self._report(stopped)

    def _claim(self) -> Sequence[Delivery]:
        with self._database.begin() as connection:
            return deliveries.claim(connection, self._clock.now(), LEASE, _BATCH)

    def _open(self, stack: ExitStack, claimed: Sequence[Delivery]) -> Session:
        try:
            return stack.enter_context(self._transport.open())
        except TransportError:
            self._give_back(claimed, _PAUSE)
            raise

    def _deliver_batch(self, session: Session | None, claimed: Sequence[Delivery]) -> str:
        """Deliver `claimed` one by one; return why it stopped short, or an empty string."""
        for index, delivery in enumerate(claimed):
            if self._stop():
                self._give_back(claimed[index:], timedelta(0))
                return "asked to stop"
            try:
                attempted = self._attempt(session, delivery)
            except (TransportError, RenderError) as error:
                self._put_off(delivery, error)
                self._give_back(claimed[index + 1 :], _PAUSE)
                raise
            self._record(delivery, attempted)
        return ""

    def _attempt(self, session: Session | None, delivery: Delivery) -> Attempted:
        """Send one message and return what became of it."""
        if not delivery.wanted or session is None:
            return Attempted(state=DeliveryState.CANCELLED, text="no longer subscribed")
        now = self._clock.now()
        try:
            envelope, message = self._letters.write(delivery, now)
            receipt = session.send(envelope, message)
        except DeliveryError as error:
            return self._after_error(delivery, error.code, str(error), permanent=error.permanent)
        except (TransportError, RenderError):
            raise
        except Exception as error:
            # A bug met on one recipient's mail must not cost the others theirs; it is logged whole and tried again.
            log.exception("edition=%d subscriber=%d", delivery.edition_id, delivery.subscriber_id)
            return self._after_error(delivery, None, f"unexpected {type(error).__name__}: {error}", permanent=False)
        return Attempted(state=DeliveryState.SENT, code=receipt.code, text=receipt.text)

    def _put_off(self, delivery: Delivery, error: TransportError | RenderError) -> None:
        """Put the delivery in hand behind the others: if it is what stops the run, it must not block them."""
        code = error.code if isinstance(error, TransportError) else None
        pause = _PAUSE * min(2**delivery.attempts, _LONGEST_PAUSE // _PAUSE)
        due_at = self._clock.now() + pause
        self._record(delivery, Attempted(state=DeliveryState.DEFERRED, code=code, text=str(error), due_at=due_at))

    def _after_error(self, delivery: Delivery, code: int | None, text: str, *, permanent: bool) -> Attempted:
        now = self._clock.now()
        due_at = None
        if not permanent:
            first_at = delivery.queued_at if delivery.attempts >= _FEWEST_ATTEMPTS else now
            due_at = next_attempt(delivery.attempts, first_at, now, self._give_up, self._random)
        if due_at is None:
            return Attempted(state=DeliveryState.FAILED, code=code, text=text)
        return Attempted(state=DeliveryState.DEFERRED, code=code, text=text, due_at=due_at)

    def _record(self, delivery: Delivery, attempted: Attempted) -> None:
        with self._database.begin() as connection:
            kept = deliveries.record(connection, delivery, attempted, self._clock.now())
        mail_log.info(
            "edition=%d subscriber=%d attempt=%d state=%s code=%s recorded=%s text=%r",
            delivery.edition_id,
            delivery.subscriber_id,
            delivery.attempts,
            attempted.state,
            attempted.code or "-",
            "yes" if kept else "no, another worker holds it",
            attempted.text,
        )
        if kept:
            self._tally[attempted.state] += 1
        if attempted.state in {DeliveryState.DEFERRED, DeliveryState.FAILED}:
            self._trouble = attempted.text
        self._progress(sum(self._tally.values()))

    def _give_back(self, rest: Sequence[Delivery], pause: timedelta) -> None:
        with self._database.begin() as connection:
            deliveries.release(connection, rest, self._clock.now() + pause)

    def _report(self, stopped: str) -> DeliverReport:
        with self._database.connect() as connection:
            standing = outbox_report(connection)
        return replace(
            standing,
            sent=self._tally[DeliveryState.SENT],
            deferred=self._tally[DeliveryState.DEFERRED],
            failed=self._tally[DeliveryState.FAILED],
            cancelled=self._tally[DeliveryState.CANCELLED],
            stopped=stopped,
            trouble=self._trouble,
        )


def outbox_report(connection: Connection) -> DeliverReport:
    """Return how the outbox stands, with nothing delivered."""
    return DeliverReport(
        outbox={str(state): count for state, count in deliveries.counts(connection).items()},
        next_due_at=deliveries.next_due(connection),
    )
