"""Lanes: the connections to one relay, each carrying message after message for as long as there are any."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from digestmail.errors import TransportError
from digestmail.model.deliveries import Delivery, Envelope
from digestmail.transports import base
from digestmail.transports.base import NotSentError, NotTakenError, OutcomeUnknownError, Relay, Verdict

log = logging.getLogger("digestmail.deliver")

LOST_TWICE = 2
"""After so many lost connections one message is put off, and the server is left alone for a while."""
_NARROWER = 4
"""With each step there are a fourth fewer lanes: from sixteen to three in seven steps, and hardly ever one too few."""
_REMEMBERED = 16
"""Messages of a connection that are looked through for those not settled; there are never more than two."""


class TrackedMessage(base.OutboundMessage, Protocol):
    """A message that remembers whether it was settled."""

    delivery: Delivery
    envelope: Envelope
    message: bytes
    settled: bool
    crowded: bool
    """Whether the server had too many connections for it."""
    wave: int
    """How often the lanes had become fewer when it was taken."""


class PoolListener(Protocol):
    """Who has the messages, and hears how the lanes fare."""

    async def take(self) -> TrackedMessage | None:
        """Wait for the next message; None when this connection is to end."""
        ...

    def try_take(self) -> TrackedMessage | None:
        """Return the next message if one is ready this moment."""
        ...

    def over(self) -> bool:
        """Return whether there is nothing a connection could wait for."""
        ...

    def crowded(self) -> None:
        """Hear that the relay has connections enough."""
        ...

    def narrowed(self, most: int) -> None:
        """Hear that the relay takes messages over no more than `most` connections at once."""
        ...

    def broken(self, error: TransportError) -> None:
        """Hear that the relay is of no use for now."""
        ...

    def on_closed(self, error: BaseException | None) -> None:
        """Hear that a lane is closed, by a bug if there is an `error`."""
        ...


class ConnectionPool:
    """Keeps connections open; every message one of them takes is settled, whatever happens."""

    def __init__(self, relay: Relay, host: PoolListener, *, most: int) -> None:
        """Open nothing yet, and at no time more than `most`."""
        self._relay = relay
        self._host = host
        self._lanes: set[asyncio.Task[None]] = set()
        self._most = most
        self._connected = 0
        self._losses = 0
        self._most_losses = LOST_TWICE
        self._wave = 0
        self._leaving = 0

    def __len__(self) -> int:
        """How many there are, connected or about to be."""
        return len(self._lanes)

    def grow_to(self, wanted: int) -> None:
        """Open lanes until there are `wanted`."""
        self._most_losses = LOST_TWICE * max(wanted, len(self._lanes), 1)
        while len(self._lanes) < wanted:
            lane = asyncio.get_running_loop().create_task(self._lane())
            self._lanes.add(lane)
            lane.add_done_callback(self._ended)

    def set_limit(self, most: int) -> None:
        """Have no more than `most` from now on; a lane too many ends with the connection it has."""
        self._most = most

    @property
    def wave(self) -> int:
        """How often they have become fewer."""
        return self._wave

    def narrow(self, refused: int) -> None:
        """Have a quarter fewer, one at least, for the server took a message of wave `refused` over one too many.

        What was taken while surplus lanes were still open says nothing of those that stay.
        """
        if refused != self._wave or len(self._lanes) > self._most:
            return
        self._most = max(len(self._lanes) - max(len(self._lanes) // _NARROWER, 1), 1)
        self._wave += 1
        self._host.narrowed(self._most)

    def may_let_go(self) -> bool:
        """Return whether the lane that asks is to end, as one of too many."""
        if len(self._lanes) - self._leaving <= self._most:
            return False
        self._leaving += 1
        return True

    async def closed(self) -> None:
        """Wait until all of them have ended."""
        while self._lanes:
            await asyncio.wait(self._lanes)

    def reset_failures(self) -> None:
        """Hear that the relay answered: losses are counted anew."""
        self._losses = 0

    def _ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        self._host.on_closed(None if lane.cancelled() else lane.exception())

    async def _lane(self) -> None:
        """Keep one connection going as long as there is work for it."""
        while not self._host.over():
            if len(self._lanes) > self._most and (lane := asyncio.current_task()) is not None:
                self._lanes.discard(lane)
                self._leaving = max(self._leaving - 1, 0)
                if len(self._lanes) <= self._most:
                    self._wave += 1
                return
            try:
                async with self._relay.connect() as connection:
                    self._connected += 1
                    try:
                        await self._converse(connection)
                    finally:
                        self._connected -= 1
            except NotTakenError as error:
                log.info("%s: %s", self._relay.name, error)
            except NotSentError as error:
                self._losses += 1
                if self._losses > self._most_losses:
                    self._host.broken(error)
            except TransportError as error:
                # A server with connections enough turns further ones away; those that work go on.
                if self._connected and error.code is not None and error.code // 100 == 4:  # noqa: PLR2004 - RFC 5321 4.2.1
                    self._host.crowded()
                    return
                self._host.broken(error)

    async def _converse(self, connection: base.Connection) -> None:
        watched = _Watched(self._host, self)
        try:
            await connection.send_all(watched)
        except TransportError:
            raise
        except Exception as error:
            # A bug met on one delivery must not cost the others theirs; it is logged whole.
            log.exception("a conversation ended by a bug")
            watched.settle(OutcomeUnknownError(f"unexpected {type(error).__name__}: {error}"))
        finally:
            watched.settle(NotSentError("the connection ended"))


class _Watched:
    """A connection's view of the host, which remembers what it has taken and not settled."""

    def __init__(self, host: PoolListener, lanes: ConnectionPool) -> None:
        self._host = host
        self._lanes = lanes
        self._taken: list[TrackedMessage] = []
        self._is_leaving = False

    async def take(self) -> TrackedMessage | None:
        return None if self._leaves() else self._kept(await self._host.take())

    def try_take(self) -> TrackedMessage | None:
        return None if self._leaves() else self._kept(self._host.try_take())

    def _leaves(self) -> bool:
        """Return whether this connection is to end, because the server said over it that there are too many."""
        last = next((one for one in reversed(self._taken) if one.settled), None)
        if not self._is_leaving and last is not None and last.crowded:
            self._lanes.narrow(last.wave)
            self._is_leaving = self._lanes.may_let_go()
        return self._is_leaving

    def _kept(self, outgoing: TrackedMessage | None) -> TrackedMessage | None:
        if len(self._taken) > _REMEMBERED:
            self._taken = [one for one in self._taken if not one.settled]
        if outgoing is not None:
            outgoing.wave = self._lanes.wave
            self._taken.append(outgoing)
        return outgoing

    def settle(self, verdict: Verdict) -> None:
        """Settle what the connection took and never settled."""
        for outgoing in self._taken:
            if not outgoing.settled:
                outgoing.settle(verdict)
