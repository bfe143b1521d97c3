"""Lanes: the connections to one relay, each carrying message after message for as long as there are any."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from digestmail.errors import TransportError
from digestmail.model import Delivery, Envelope
from digestmail.transports import base
from digestmail.transports.base import NotSentError, NotTakenError, OutcomeUnknownError, Relay, Verdict

log = logging.getLogger("digestmail.deliver")

LOST_TWICE = 2
"""After so many lost connections one message is put off, and the server is left alone for a while."""
_REMEMBERED = 16
"""Messages of a connection that are looked through for those not settled; there are never more than two."""


class Outgoing(base.Outgoing, Protocol):
    """A message that remembers whether it was settled."""

    delivery: Delivery
    envelope: Envelope
    message: bytes
    settled: bool


class Host(Protocol):
    """Who has the messages, and hears how the lanes fare."""

    async def take(self) -> Outgoing | None:
        """Wait for the next message; None when this connection is to end."""
        ...

    def take_now(self) -> Outgoing | None:
        """Return the next message if one is ready this moment."""
        ...

    def over(self) -> bool:
        """Return whether there is nothing a connection could wait for."""
        ...

    def crowded(self) -> None:
        """Hear that the relay has connections enough."""
        ...

    def broken(self, error: TransportError) -> None:
        """Hear that the relay is of no use for now."""
        ...

    def lane_ended(self, error: BaseException | None) -> None:
        """Hear that a lane is closed, by a bug if there is an `error`."""
        ...


class Lanes:
    """Keeps connections open; every message one of them takes is settled, whatever happens."""

    def __init__(self, relay: Relay, host: Host, *, most: int) -> None:
        """Open nothing yet, and at no time more than `most`."""
        self._relay = relay
        self._host = host
        self._lanes: set[asyncio.Task[None]] = set()
        self._most = most
        self._connected = 0
        self._losses = 0
        self._most_losses = LOST_TWICE

    def __len__(self) -> int:
        """How many there are, connected or about to be."""
        return len(self._lanes)

    def widen(self, wanted: int) -> None:
        """Open lanes until there are `wanted`."""
        self._most_losses = LOST_TWICE * max(wanted, len(self._lanes), 1)
        while len(self._lanes) < wanted:
            lane = asyncio.get_running_loop().create_task(self._lane())
            self._lanes.add(lane)
            lane.add_done_callback(self._ended)

    def keep_to(self, most: int) -> None:
        """Have no more than `most` from now on; a lane too many ends with the connection it has."""
        self._most = most

    async def closed(self) -> None:
        """Wait until all of them have ended."""
        while self._lanes:
            await asyncio.wait(self._lanes)

    def went_well(self) -> None:
        """Hear that the relay answered: losses are counted anew."""
        self._losses = 0

    def _ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        self._host.lane_ended(None if lane.cancelled() else lane.exception())

    async def _lane(self) -> None:
        """Keep one connection going as long as there is work for it."""
        while not self._host.over():
            if len(self._lanes) > self._most and (lane := asyncio.current_task()) is not None:
                self._lanes.discard(lane)
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
                if self._connected and error.code == 421:  # noqa: PLR2004 - service not available (RFC 5321 4.2.3)
                    self._host.crowded()
                    return
                self._host.broken(error)

    async def _converse(self, connection: base.Connection) -> None:
        watched = _Watched(self._host)
        try:
            await connection.converse(watched)
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

    def __init__(self, host: Host) -> None:
        self._host = host
        self._taken: list[Outgoing] = []

    async def take(self) -> Outgoing | None:
        return self._kept(await self._host.take())

    def take_now(self) -> Outgoing | None:
        return self._kept(self._host.take_now())

    def _kept(self, outgoing: Outgoing | None) -> Outgoing | None:
        if len(self._taken) > _REMEMBERED:
            self._taken = [one for one in self._taken if not one.settled]
        if outgoing is not None:
            self._taken.append(outgoing)
        return outgoing

    def settle(self, verdict: Verdict) -> None:
        """Settle what the connection took and never settled."""
        for outgoing in self._taken:
            if not outgoing.settled:
                outgoing.settle(verdict)
