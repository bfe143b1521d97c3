"""Send one message, or only test a connection, for callers that wait: the preview and `digestmail check`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TypeVar

import uvloop

from digestmail.errors import TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.base import Receipt, Transport, Verdict
from digestmail.transports.wellformed import require_wellformed

_T = TypeVar("_T")


def send_one(transport: Transport, envelope: Envelope, message: bytes) -> Receipt:
    """Send one message over a connection of its own, and return the receipt.

    The message must have CRLF line ends and at most 998 octets a line. Raises DeliveryError when it was refused, an
    OutcomeUnknownError when it may have arrived, and TransportError when the connection failed.
    """
    require_wellformed(envelope, message)
    return _run(_send_one(transport, envelope, message))


def try_connection(transport: Transport) -> None:
    """Connect, log in and disconnect. Raises TransportError."""
    _run(_connect(transport))


def _run(coroutine: Coroutine[None, None, _T]) -> _T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


async def _connect(transport: Transport) -> None:
    async with transport.connect():
        pass


async def _send_one(transport: Transport, envelope: Envelope, message: bytes) -> Receipt:
    outbound = _Outbound(envelope, message)
    try:
        async with transport.connect() as connection:
            await connection.send_all(_Once(outbound))
    except TransportError:
        if outbound.verdict is None:
            raise
    match outbound.verdict:
        case Receipt():
            return outbound.verdict
        case None:
            raise TransportError("the connection ended before the message was sent")
        case error:
            raise error


@dataclass(slots=True)
class _Outbound:
    envelope: Envelope
    message: bytes
    verdict: Verdict | None = None
    needs_no_dot_stuffing: bool = False

    def resolve(self, verdict: Verdict) -> None:
        self.verdict = verdict


class _Once:
    """A source of one message."""

    def __init__(self, outbound: _Outbound) -> None:
        self._outbound: _Outbound | None = outbound

    async def take(self) -> _Outbound | None:
        return self.try_take()

    def try_take(self) -> _Outbound | None:
        outbound, self._outbound = self._outbound, None
        return outbound
