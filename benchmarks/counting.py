"""A mail server that accepts everything, and writes the address of each message it accepted to a file.

    python -m benchmarks.counting PORT FILE

smtp-sink counts no addresses. This one shows whether a message arrived twice.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO, cast

import uvloop

_END = b"\r\n.\r\n"
_REPLIES = {
    b"EHLO": b"250-sink.example.org\r\n250-SIZE 10000000\r\n250 PIPELINING\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, accepted: BinaryIO) -> None:
        """Write to `accepted`."""
        self._accepted = accepted
        self._rest = b""
        self._recipient = b""
        self._in_message = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is no subclass
        transport.write(b"220 sink.example.org\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each command, and each message once it is written down."""
        self._rest += data
        replies = []
        while reply := self._next():
            replies.append(reply)
        self._accepted.flush()  # before the reply: a message counts as soon as the client may believe it
        self._transport.write(b"".join(replies))

    def _next(self) -> bytes:
        if self._in_message:
            _, end, rest = self._rest.partition(_END)
            if not end:
                return b""
            self._rest, self._in_message = rest, False
            self._accepted.write(self._recipient + b"\n")
            return b"250 2.0.0 accepted\r\n"
        line, end, rest = self._rest.partition(b"\r\n")
        if not end:
            return b""
        self._rest = rest
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0]
        self._in_message = verb == b"DATA"
        return _REPLIES.get(verb, b"502 5.5.1 not known\r\n")


async def serve(port: int, path: Path) -> None:
    """Serve until the process ends."""
    with path.open("ab") as accepted:
        server = await asyncio.get_running_loop().create_server(
            lambda: Session(accepted), "127.0.0.1", port, backlog=200
        )
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
