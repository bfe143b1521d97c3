"""The wire below SMTP: octets out, replies in, and a watch on how long they take. Knows no command."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from digestmail.errors import TransportError
from digestmail.transports.base import NotSentError
from digestmail.transports.smtp.replies import reply_text

_LONGEST_LINE = 4096
"""RFC 5321 section 4.5.3.1.5 says 512; servers that explain themselves go beyond."""
_MOST_LINES = 200
_MOST_REPLIES = 100
"""Replies kept until somebody asks; nobody ever waits for so many."""
_code = attrgetter("code")
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*?))?\r?", re.DOTALL)


class ProtocolError(TransportError):
    """The server said something that is no SMTP reply."""


class ReplyTimeoutError(TransportError):
    """The server said nothing for too long."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply (RFC 5321 section 4.2): its code, and its text on one printable line."""

    code: int
    text: str

    @property
    def positive(self) -> bool:
        """Whether it is a 2yz reply."""
        return self.code // 100 == 2  # noqa: PLR2004 - the first digit is the verdict (RFC 5321 section 4.2.1)


class ReplyReader(asyncio.Protocol):
    """One end of a connection. Replies are kept in the order they come until somebody asks for them."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over `transport`, which somebody else has set up."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._rest = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._broken: TransportError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._patience = 0.0
        self._unsent = 0
        transport.set_protocol(self)

    # -- what asyncio calls -------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Cut what came into lines, and lines into replies."""
        if self._broken is not None:
            return
        known = len(self._replies)
        *lines, self._rest = (self._rest + data if self._rest else data).split(b"\n")
        for line in lines:
            if not self._lines and len(line) <= _LONGEST_LINE and (reply := _whole(line)) is not None:
                self._replies.append(reply)
            else:
                self._line(line)
            if len(self._replies) > _MOST_REPLIES:
                self._break(ProtocolError("the mail server answers what nobody asked"))
            if self._broken is not None:
                return
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""
            self._break(ProtocolError("the mail server's answer is not intelligible: a line without end"))
        if self._deadline and len(self._replies) > known:
            self._deadline = self._loop.time() + self._patience  # each reply has a time of its own
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._break(NotSentError(f"the mail server hung up{f': {exc}' if exc else ''}"))

    # -- what a conversation calls ------------------------------------------------------------------------------------

    def write(self, *octets: bytes) -> None:
        """Send octets, or keep them until the other side takes them."""
        if self._broken is None:
            self._transport.writelines(octets)

    @property
    def unsent(self) -> int:
        """How many of the octets written last never left, as far as is known; asked for after a break."""
        return self._unsent

    async def reply(self, patience: float) -> Reply:
        """Return the next reply, which must come within `patience` seconds.

        Raises NotSentError when the server hangs up, ProtocolError and ReplyTimeoutError.
        """
        while not self._replies:
            if self._broken is not None:
                raise self._broken
            self._waiter = self._loop.create_future()
            self._watch(patience)
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._deadline = 0.0
        return self._replies.popleft()

    def had(self, codes: tuple[int, ...]) -> bool:
        """Take all replies there are, if they are just as many as `codes` and have these codes; never waits."""
        if len(self._replies) != len(codes) or tuple(map(_code, self._replies)) != codes:
            return False
        self._replies.clear()
        return True

    def leftover(self) -> Reply | None:
        """Return the next reply that came, if one did; never waits."""
        return self._replies.popleft() if self._replies else None

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _line(self, line: bytes) -> None:
        """Take a line of a reply that has several, or is none."""
        found = _REPLY_LINE.fullmatch(line)
        if found is None or len(line) > _LONGEST_LINE or len(self._lines) > _MOST_LINES:
            self._break(ProtocolError(f"the mail server's answer is not intelligible: {reply_text(line[:80])!r}"))
            return
        code, mark, text = found.groups(b"")
        if self._lines:
            if self._lines[0][:3] != code:
                self._break(ProtocolError("the mail server's answer is not intelligible: it changes its code half-way"))
                return
            text = b" ".join((*(kept[4:] for kept in self._lines), text)) if mark != b"-" else text
        if mark == b"-":
            self._lines.append(line)
            return
        self._lines.clear()
        self._replies.append(Reply(int(code), reply_text(text)))

    def _break(self, error: TransportError) -> None:
        if self._broken is None:
            self._broken = error
            if not isinstance(error, NotSentError):
                self._unsent = self._transport.get_write_buffer_size()
                self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._replies or self._broken is not None:
            waiter.set_result(None)

    def _watch(self, patience: float) -> None:
        """Set the deadline; one timer a connection looks at it, for a timer a message would cost more than sending."""
        self._patience = patience
        self._deadline = self._loop.time() + patience
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._deadline:
            return
        if self._loop.time() >= self._deadline:
            self._break(ReplyTimeoutError("the mail server did not answer in time"))
        else:
            self._timer = self._loop.call_at(self._deadline, self._look)


@lru_cache(maxsize=64)
def _whole(line: bytes) -> Reply | None:
    """Return the reply that `line` is all of; None if it is part of one, or none. Servers repeat themselves."""
    found = _REPLY_LINE.fullmatch(line)
    if found is None or found[2] == b"-":
        return None
    return Reply(int(found[1]), reply_text(found[3] or b""))
