"""A fast receiving server: keeps who got which Message-ID, counts who talks at once, may kill whom it talks with."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ID = re.compile(rb"^Message-ID: <([^>]+)>", re.MULTILINE)
_WORKER = re.compile(rb"worker-(\d+)\.")
_REPLIES = {
    b"EHLO": b"250-mail.example.org\r\n250-SIZE 10000000\r\n250 PIPELINING\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"DATA": b"354 go ahead\r\n",
}


class Receiver:
    """What arrived, and the deed that is wanted next."""

    def __init__(self) -> None:
        self.port = 0
        self.arrived: Counter[str] = Counter()
        self.talking: Counter[str] = Counter()
        """How many connections there are (""), and how many of them carry a message to each domain."""
        self.most: Counter[str] = Counter()
        self.hangs_up_after: int | None = None
        """After how many messages it closes a connection, without a word."""
        self.deed = ""
        self.turn = 0

    def begins(self, domain: str) -> None:
        """Count one more."""
        self.talking[domain] += 1
        self.most |= self.talking

    def wanted(self, deed: str) -> bool:
        """Return whether this is the moment for `deed`; once."""
        if self.deed != deed:
            return False
        self.turn -= 1
        if self.turn:
            return False
        self.deed = ""
        return True


class _Session(asyncio.Protocol):
    def __init__(self, receiver: Receiver, body: str, dot: str) -> None:
        self._receiver = receiver
        self._body, self._dot = body, dot
        self._rest = b""
        self._in_body = False
        self._received = 0
        self._pid = 0
        self._domain = ""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.begins("")
        transport.write(b"220 mail.example.org\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.talking[""] -= 1

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while not self._transport.is_closing() and (self._message() if self._in_body else self._command()):
            pass

    def _command(self) -> bool:
        line, found, rest = self._rest.partition(b"\r\n")
        if not found:
            return False
        self._rest = rest
        verb = line[:4].upper()
        if worker := _WORKER.search(line):
            self._pid = int(worker[1])
        if verb == b"RCPT":
            self._domain = line.decode().rpartition("@")[2].rstrip(">")
            self._receiver.begins(self._domain)
        self._in_body = verb == b"DATA"
        self._transport.write(_REPLIES.get(verb, b"221 bye\r\n"))
        if verb == b"QUIT":
            self._transport.close()
        return True

    def _message(self) -> bool:
        if self._rest and self._receiver.wanted(self._body):
            self._kill()
            return False
        message, found, rest = self._rest.partition(b"\r\n.\r\n")
        if not found:
            return False
        self._rest, self._in_body = rest, False
        (name,) = _ID.findall(message)
        self._receiver.arrived[name.decode()] += 1
        self._receiver.talking[self._domain] -= 1
        if self._receiver.wanted(self._dot):
            self._kill()
            return False
        self._transport.write(b"250 2.0.0 queued\r\n")
        self._received += 1
        if self._received == self._receiver.hangs_up_after:
            self._transport.close()
        return True

    def _kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._transport.abort()


@contextmanager
def receiver(body: str, dot: str) -> Iterator[Receiver]:
    """Receive on a free loopback port; `body` and `dot` are the names of the two deeds."""
    loop = asyncio.new_event_loop()
    found = Receiver()
    server = loop.run_until_complete(loop.create_server(lambda: _Session(found, body, dot), "127.0.0.1", 0))
    found.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="receiver")
    thread.start()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
