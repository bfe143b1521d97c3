"""What a worker decides inside the outbox writer's transactions: how much to claim, and what may be sent of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.bounces import counting
from digestmail.bounces.counting import Recorded
from digestmail.bounces.score import Scoring
from digestmail.delivery import outcomes, pacing
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.pacing import DomainLimits
from digestmail.delivery.takeover import HEARTBEAT
from digestmail.delivery.write_batch import Grant, Result, Triage
from digestmail.model.deliveries import ClaimedMessage, Delivery, DeliveryState, Notice, NoticeKind
from digestmail.model.subscribers import BounceEvent
from digestmail.schedule.moments import is_recent
from digestmail.storage import rates, servers, workers
from digestmail.transports.base import Pipelining, Transport

_GRANTED = timedelta(minutes=5)
"""How long a worker may use its connections after a claim. Those of a worker that dies are free after this."""
_RENEWED = timedelta(seconds=10)
"""So soon after another worker started or ended, this one leaves it its share, or takes it."""
_FOR_NOTICES = 2
"""Connections for a run that sends only notices: the others stay free for a mailing that starts meanwhile."""


class ClaimPolicy:
    """The decisions of one worker for one transport."""

    def __init__(
        self,
        worker: str,
        transport: Transport,
        rules: Rules,
        limits: DomainLimits,
        scoring: Scoring,
        *,
        only_notices: bool = False,
    ) -> None:
        """`worker` is the name under which connections are leased; for notices alone, only a few are."""
        self._worker = worker
        self._transport = transport
        self._key = f"relay:{transport.name}"
        self._most = min(transport.connections, _FOR_NOTICES) if only_notices else transport.connections
        self._rules = rules
        self._limits = limits
        self._scoring = scoring
        self._granted_at: datetime | None = None
        self._seen_at: datetime | None = None
        self.suppressed: set[int] = set()
        """The subscribers who were suppressed, because servers refused their addresses for good."""

    def lease_connections(self, connection: Connection, now: datetime) -> Grant:
        """Lease the connections this worker may use, and look up what is known of the mail server."""
        keys = {self._key: self._most} | {
            f"domain:{name}": limit.connections for name, limit in self._limits.domains.items() if limit.connections
        }
        granted = rates.lease_connections(connection, self._worker, keys, now, _GRANTED)
        self._granted_at = now
        pauses = {pause.key: pause for pause in rates.pauses(connection, now)}
        return Grant(
            connections=granted.pop(self._key),
            domains={key.removeprefix("domain:"): most for key, most in granted.items()},
            manners=servers.known(connection, self._transport.server, now)
            if isinstance(self._transport, Pipelining)
            else {},
            is_shared=rates.are_shared(connection, self._worker, self._key, now, _GRANTED),
            pause=pauses.get(self._key),
        )

    def renew(self, connection: Connection, now: datetime) -> Grant | None:
        """Return a new grant from time to time: other workers may have come or gone."""
        if self._granted_at is not None and is_recent(self._granted_at, now, _RENEWED):
            return None
        return self.lease_connections(connection, now)

    def heartbeat(self, connection: Connection, now: datetime) -> None:
        """Record from time to time that this worker is alive."""
        if self._seen_at is None or not is_recent(self._seen_at, now, HEARTBEAT):
            workers.heartbeat(connection, self._worker, now)
            self._seen_at = now

    def release_connections(self, connection: Connection, now: datetime) -> None:
        """Let other workers use the connections."""
        rates.release_connections(connection, self._worker, now)

    def room(self, connection: Connection, now: datetime) -> tuple[int, datetime] | None:
        """Return how many messages may be claimed now, and when the next one; None for no limit."""
        return pacing.room(connection, self._speeds(connection, now), self._transport.name, now)

    def triage(self, connection: Connection, claimed: Sequence[ClaimedMessage], now: datetime) -> Triage:
        """Divide what was claimed.

        What is no longer wanted ends here, what a dead worker left gets its outcome, and what a rate limit holds back
        is given back.
        """
        rest: list[Result] = []
        go: list[ClaimedMessage] = []
        for message in claimed:
            if message.state is DeliveryState.SENDING:
                rest.append((message, outcomes.after_worker_crash(self._rules, now)))
            elif (end := outcomes.no_longer_eligible(message, self._rules, now)) is not None:
                rest.append((message, end))
            else:
                go.append(message)
        if speeds := self._speeds(connection, now):
            go, wait = pacing.pace(connection, go, speeds, self._transport.name, now)
            rest += ((message, outcomes.released(message, moment)) for message, moment in wait)
        return Triage(go=go, rest=rest)

    def count_bounces(self, connection: Connection, results: Sequence[Result], now: datetime) -> None:
        """Count final refusals as a bounce message would be counted. Repeating it counts nothing twice."""
        for message, result in results:
            if result.bounce is None or not _says_something_of_a_reader(message):
                continue
            event = BounceEvent(
                report="smtp" if isinstance(message, Delivery) else f"smtp:notice:{message.id}",
                subscriber_id=message.subscriber_id,
                edition_id=message.edition_id if isinstance(message, Delivery) else None,
                kind=result.bounce,
                status=result.status,
                detail=outcomes.said(result),
            )
            if counting.count(connection, event, now, self._scoring) is Recorded.SUPPRESSED:
                self.suppressed.add(event.subscriber_id)

    def _speeds(self, connection: Connection, now: datetime) -> dict[str, float]:
        transport = self._transport
        factors = rates.factors(connection, now)
        return pacing.speeds(self._limits, transport.name, transport.messages_per_second, factors)


def _says_something_of_a_reader(message: ClaimedMessage) -> bool:
    """Return whether a refusal counts: not that of an address which a visitor typed, and which may not be theirs."""
    return not isinstance(message, Notice) or message.kind not in {NoticeKind.CONFIRM, NoticeKind.ADDRESS}
