"""A mail server that only exists in the fake clock: it takes so many a second, or over so many connections at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fakes import FakeClock

from digestmail.transports.base import MessageSource, NotTakenError, Receipt
from digestmail.transports.smtp.replies import Step, judge_refusal


@dataclass
class SimulatedRelay:
    """A `Relay` without a socket. Each message takes `seconds` of the clock, whatever the reply."""

    clock: FakeClock
    name: str = "relay"
    connections: int = 16
    messages_per_second: float | None = None
    per_second: float | None = None
    """A token bucket with a capacity of one second."""
    submissions: int | None = None
    """So many connections may carry messages; the others hear `crowded` after each."""
    crowded: int = 432
    """With 421, the server closes the connection then."""
    seconds: float = 0.001
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)
    _open: list[object] = field(default_factory=list)
    _tokens: float | None = None
    _filled_at: float = 0.0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_Connection]:
        """Open a connection."""
        connection = _Connection(self)
        self._open.append(connection)
        try:
            yield connection
        finally:
            self._open.remove(connection)

    def answer(self, connection: object) -> tuple[int, str]:
        """Take a message, or not."""
        self.clock.sleep(self.seconds)
        at = self.clock.monotonic()
        if self.submissions is not None and self._open.index(connection) >= self.submissions:
            return self.crowded, "4.3.2 Concurrent connections limit exceeded."
        if self.per_second is not None:
            tokens = self.per_second if self._tokens is None else self._tokens
            tokens = min(tokens + (at - self._filled_at) * self.per_second, self.per_second)
            self._filled_at = at
            self._tokens = tokens
            if tokens < 1:
                return 454, "Throttling failure: Maximum sending rate exceeded."
            self._tokens = tokens - 1
        return 250, "queued"


class _Connection:
    def __init__(self, relay: SimulatedRelay) -> None:
        self._relay = relay

    async def send_all(self, supply: MessageSource) -> None:
        relay = self._relay
        while (outgoing := await supply.take()) is not None:
            await asyncio.sleep(0)
            code, text = relay.answer(self)
            relay.codes[code] += 1
            at = relay.clock.monotonic()
            if code == 250:
                relay.accepted.append(at)
                relay.arrived[outgoing.envelope.recipient] += 1
                outgoing.resolve(Receipt(code=code, text=text))
            else:
                relay.refused.append(at)
                outgoing.resolve(judge_refusal(Step.CONTENT, code, text))
            if code == 421:
                raise NotTakenError(text)
