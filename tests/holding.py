"""A mail server that keeps one message without an answer: the moment at which a test kills its sender."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, Envelope, Session

_MESSAGE_ID = re.compile(rb"^Message-ID: *(?:\r\n )?<([^>]+)>", re.IGNORECASE | re.MULTILINE)


@dataclass
class HoldingServer:
    """Takes every message. The one with the number `turn` of a sender in `held` gets no answer until `release`."""

    held: frozenset[str]
    """EHLO names."""
    turn: int
    port: int = 0
    holds: str = ""
    """The EHLO name of the sender that waits."""
    reached: threading.Event = field(default_factory=threading.Event)
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each message, by its Message-ID, arrived for a recipient."""
    sent: Counter[str] = field(default_factory=Counter)
    """Messages by EHLO name."""
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message."""
        found = _MESSAGE_ID.search(envelope.original_content or b"")
        assert found
        for recipient in envelope.rcpt_tos:
            self.arrived[recipient][found[1].decode()] += 1
        sender = str(session.host_name)
        self.sent[sender] += 1
        if sender in self.held and self.sent[sender] == self.turn and not self.holds:
            self.holds = sender
            self.reached.set()
            await self._released.wait()
        return "250 2.0.0 kept"


@contextmanager
def holding(held: frozenset[str], turn: int) -> Iterator[HoldingServer]:
    """Receive on a free loopback port."""
    loop, found = asyncio.new_event_loop(), HoldingServer(held, turn)
    listening = loop.run_until_complete(
        loop.create_server(lambda: SMTP(found, hostname="mx.example.org", loop=loop), "127.0.0.1", 0)
    )
    found.port = listening.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="mail server")
    thread.start()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(found._released.set)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        listening.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
