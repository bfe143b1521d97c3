"""The messages one worker holds, and the state of each. Pure: nothing here waits, writes or sends.

    CLAIMED      leased to this worker; waits until its domain has room
       |
    READY        its intent is being committed
       |            -> given back: the lease is nearly over, the subscriber has left, or it was recalled
    INTENDED     the intent is committed, so a connection may take it
       |            -> READY: it waited so long that the intent must be renewed
    IN_FLIGHT    a connection has it
       |            -> INTENDED: the connection was lost before the message could have been accepted
    RESOLVED     the verdict is known; the result is being committed

Notices go ahead of deliveries. Otherwise messages leave in the order they came, except that a domain which is using
all connections it may use lets the others pass.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol

from digestmail.model.deliveries import Claim, ClaimedMessage, Envelope, Notice
from digestmail.text.addresses import domain_of
from digestmail.transports.base import Verdict

FRESH = timedelta(minutes=1)
"""An older intent is renewed, because the lease must outlast the reply to the final dot."""
_MOST_HELD = 10_000
"""Deliveries to limited domains kept in memory; with more than that, no further ones are claimed."""


class MessageState(Enum):
    """Where a message is between its claim and the commit of its result."""

    CLAIMED = auto()
    READY = auto()
    INTENDED = auto()
    IN_FLIGHT = auto()
    RESOLVED = auto()


class TakenBy(Protocol):
    """The connection that has a message."""

    crowded_in: int | None
    has_delivered: bool
    """Whether the server has accepted a message over it."""


@dataclass(slots=True)
class Composition:
    """What becomes of a message that is composed before a connection takes it."""

    is_done: bool = False
    composed: tuple[Envelope, bytes] | None = None
    error: Exception | None = None

    def result(self) -> tuple[Envelope, bytes] | None:
        """Return or raise what composing it did, once it is done."""
        if self.error is not None:
            raise self.error
        return self.composed


class QueuedMessage:
    """A message between its claim and its result; implements `OutboundMessage`."""

    __slots__ = (
        "_on_verdict",
        "ahead",
        "claimed",
        "envelope",
        "intended_at",
        "is_recalled",
        "losses",
        "message",
        "started",
        "state",
        "taken_by",
        "wave",
    )
    needs_no_dot_stuffing = True

    def __init__(self, claimed: ClaimedMessage, on_verdict: Callable[[QueuedMessage, Verdict], None]) -> None:
        """Start as CLAIMED. `envelope` and `message` are set just before the message is sent."""
        self._on_verdict = on_verdict
        self.claimed = claimed
        self.state = MessageState.CLAIMED
        self.intended_at: datetime
        self.is_recalled = False
        self.ahead: Composition | None = None
        self.losses = 0
        """How many connections were lost while they had it."""
        self.started = 0.0
        """When a connection took it, in seconds of the monotonic clock."""
        self.taken_by: TakenBy | None = None
        self.wave = 0
        """How often the number of connections had been reduced when one of them took it."""
        self.envelope: Envelope
        self.message: bytes

    def resolve(self, verdict: Verdict) -> None:
        """Report what became of the message."""
        self._on_verdict(self, verdict)


class MessageQueue:
    """Moves messages from one state to the next."""

    def __init__(self, limits: Mapping[str, int], on_verdict: Callable[[QueuedMessage, Verdict], None]) -> None:
        """Hold nothing yet. At most `limits[d]` messages to domain d are between READY and IN_FLIGHT at once."""
        self._limits = limits
        self._on_verdict = on_verdict
        self._claimed: deque[QueuedMessage] = deque()
        self._held: defaultdict[str, deque[QueuedMessage]] = defaultdict(deque)
        self._holding = 0
        self._busy: Counter[str] = Counter()
        self._ready: dict[Claim, QueuedMessage] = {}
        self._intended: deque[QueuedMessage] = deque()
        self.stale: list[ClaimedMessage] = []
        """READY messages whose intent must be renewed; see `pop_stale`."""
        self._in_flight = 0

    @property
    def claimed(self) -> int:
        """The number of CLAIMED messages."""
        return len(self._claimed) + self._holding

    @property
    def available(self) -> int:
        """The number of CLAIMED messages that no domain's limit holds back, as far as is known.

        When too many are held back already, those count as well, so that no more are claimed.
        """
        return len(self._claimed) if self._holding < _MOST_HELD else self.claimed

    @property
    def ready(self) -> int:
        """The number of READY messages."""
        return len(self._ready)

    @property
    def intended(self) -> int:
        """The number of INTENDED messages."""
        return len(self._intended)

    def next_intended(self) -> Iterator[QueuedMessage]:
        """Yield the INTENDED messages in the order in which they are taken."""
        return iter(self._intended)

    @property
    def ahead(self) -> int:
        """The number of messages between READY and IN_FLIGHT: what a crash now could leave ambiguous."""
        return len(self._ready) + len(self._intended) + self._in_flight

    def add(self, claimed: Iterable[ClaimedMessage]) -> None:
        """Add messages as CLAIMED."""
        notices: list[QueuedMessage] = []
        for one in claimed:
            message = QueuedMessage(one, self._on_verdict)
            (notices if isinstance(one, Notice) else self._claimed).append(message)
        self._claimed.extendleft(reversed(notices))

    def make_ready(self, most: int) -> list[ClaimedMessage]:
        """Move at most `most` messages, whose domains have room, from CLAIMED to READY, and return them."""
        ready: list[ClaimedMessage] = []
        while len(ready) < most and self._claimed:
            message = self._claimed.popleft()
            if not self._limits or self._has_room(message):
                message.state = MessageState.READY
                self._ready[message.claimed.claim] = message
                ready.append(message.claimed)
        return ready

    def _has_room(self, message: QueuedMessage) -> bool:
        domain = _domain(message)
        if domain not in self._limits:
            return True
        if self._busy[domain] >= self._limits[domain]:
            self._held[domain].append(message)
            self._holding += 1
            return False
        self._busy[domain] += 1
        return True

    def commit_intents(
        self, requested: Iterable[ClaimedMessage], intended: frozenset[Claim], at: datetime
    ) -> list[ClaimedMessage]:
        """Move messages from READY to INTENDED; return those that must be given back instead."""
        refused: list[ClaimedMessage] = []
        for claimed in requested:
            claim = claimed.claim
            message = self._ready.pop(claim, None)
            if message is None:
                refused.append(claimed)
            elif claim not in intended or message.is_recalled:
                self._leave(message)
                refused.append(claimed)
            else:
                message.state = MessageState.INTENDED
                message.intended_at = at
                self._intended.append(message)
        return refused

    def forget_ready(self) -> None:
        """Forget the READY messages: their intents could not be committed."""
        self._ready.clear()

    def take(self, now: datetime) -> QueuedMessage | None:
        """Move the next message from INTENDED to IN_FLIGHT and return it; those with an old intent become stale."""
        while self._intended:
            message = self._intended.popleft()
            if abs(now - message.intended_at) <= FRESH:
                message.state = MessageState.IN_FLIGHT
                self._in_flight += 1
                return message
            message.state = MessageState.READY
            self._ready[message.claimed.claim] = message
            self.stale.append(message.claimed)
        return None

    def pop_stale(self) -> list[ClaimedMessage]:
        """Return the READY messages whose intent must be renewed, once."""
        stale, self.stale = self.stale, []
        return stale

    def put_back(self, message: QueuedMessage) -> None:
        """Move a message from IN_FLIGHT back to INTENDED, ahead of the others: nothing was delivered."""
        self._in_flight -= 1
        message.state = MessageState.INTENDED
        self._intended.appendleft(message)

    def resolve(self, message: QueuedMessage) -> None:
        """Move a message from IN_FLIGHT to RESOLVED; the next one to its domain may go."""
        self._in_flight -= 1
        self._leave(message)

    def recall(self) -> list[ClaimedMessage]:
        """Remove and return what no connection has. READY messages follow when their intent is committed."""
        for message in self._ready.values():
            message.is_recalled = True
        return self._drain()

    def close(self) -> list[ClaimedMessage]:
        """Remove and return everything that no connection has."""
        ready = [message.claimed for message in self._ready.values()]
        self._ready.clear()
        return [*ready, *self._drain()]

    def _drain(self) -> list[ClaimedMessage]:
        waiting = [*self._claimed, *(message for held in self._held.values() for message in held)]
        self._claimed.clear()
        self._held.clear()
        self._holding = 0
        intended = [*self._intended]
        self._intended.clear()
        for message in intended:
            self._leave(message)
        return [message.claimed for message in (*waiting, *intended)]

    def set_limits(self, limits: Mapping[str, int]) -> None:
        """Replace the limits of those domains that have one."""
        self._limits = {domain: limits.get(domain, most) for domain, most in self._limits.items()}
        for domain, most in self._limits.items():
            for _ in range(min(most - self._busy[domain], len(self._held[domain]))):
                self._admit(domain)

    def _leave(self, message: QueuedMessage) -> None:
        message.state = MessageState.RESOLVED
        if not self._limits:
            return
        if (domain := _domain(message)) in self._limits:
            self._busy[domain] -= 1
            if self._held[domain]:
                self._admit(domain)

    def _admit(self, domain: str) -> None:
        self._claimed.appendleft(self._held[domain].popleft())
        self._holding -= 1


def _domain(message: QueuedMessage) -> str:
    return domain_of(message.claimed.address)
