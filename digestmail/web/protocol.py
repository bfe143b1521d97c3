"""HTTP/1.1 with limits on how long a client may take: uvicorn has none, except between two requests."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_TIMEOUT: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Phase(Enum):
    """What a connection waits for. Each phase of each request has one deadline, whatever arrives in between."""

    HEADERS = auto()
    BODY = auto()
    NOTHING = auto()
    """The server is working."""


def phase_of(their_state: object) -> Phase:
    """Return the phase for h11's state of the client."""
    if their_state is h11.IDLE:
        return Phase.HEADERS
    return Phase.BODY if their_state is h11.SEND_BODY else Phase.NOTHING


class TimedProtocol(H11Protocol):
    """A connection. Requests must be complete in time, and responses must be read in time."""

    header_seconds = 20.0
    """From the first octet of a request, or from connecting, to the end of its headers."""
    body_seconds = 30.0
    """From the end of the headers to the end of the body. At most 1 MB is accepted."""
    write_seconds = 60.0
    """From the end of a response, or from the moment when the client stops reading, until it has read everything."""

    _deadline: asyncio.TimerHandle | None = None
    _flushing: asyncio.TimerHandle | None = None
    _phase: tuple[Phase, int] = (Phase.NOTHING, 0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self._follow()

    def data_received(self, data: bytes) -> None:
        """Process what arrived, and start the deadline of the next phase."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self.transport.close()
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines."""
        super().connection_lost(exc)
        for timer in (self._deadline, self._flushing):
            if timer is not None:
                timer.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request, unless the response has begun. The app sees that the client is gone."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()
        self._disconnect()

    def on_response_complete(self) -> None:
        """Give the client some time to read the response."""
        super().on_response_complete()
        self._flush_in_time()

    def pause_writing(self) -> None:
        """Give a client that does not read some time."""
        super().pause_writing()
        self._flush_in_time()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore it (RFC 9110 section 7.8): clients offer HTTP/2 this way, and it would be logged twice."""

    def _follow(self) -> None:
        phase = (phase_of(self.conn.their_state), id(self.cycle))
        if phase == self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if phase[0] is not Phase.NOTHING:
            seconds = self.header_seconds if phase[0] is Phase.HEADERS else self.body_seconds
            self._deadline = self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        """Close the connection, with status 408 if the request has begun and no response has."""
        begun = self._phase[0] is Phase.BODY or bool(self.conn.trailing_data[0])
        answered = self._phase[0] is Phase.BODY and self.cycle.response_started
        if begun and not answered and not self.transport.is_closing():
            self.transport.write(_TIMEOUT)
        self.transport.close()
        self._disconnect()
        self._flush_in_time()

    def _disconnect(self) -> None:
        """Tell the app that nothing else will come."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _flush_in_time(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
        self._flushing = self.loop.call_later(self.write_seconds, self._abort_unread)

    def _abort_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
