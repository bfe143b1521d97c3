"""Deliver to servers that take less than they are given: how the pace settles, and whether anybody is lost.

One server takes so many messages a second, as Amazon SES does by default, and answers 454 to the others. One takes
messages over three connections at once, as Exchange Online does, and answers 432 to the others at the final dot. Both
run in a process of their own on loopback, the clock is real: with 5,000 recipients it takes seven minutes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import uvloop

from benchmarks.figures import Figure, figure, tell
from benchmarks.mailing import Mailing

RECIPIENTS = 5000
PER_SECOND = 14
CONNECTIONS = 3
SESSIONS = 16
"""What digestmail has by default, and knows no better."""
HELD = 0.02
"""Seconds a message takes the server with the limited connections."""


class Server:
    """What was accepted and refused, in seconds since the first message."""

    def __init__(self, manner: str) -> None:
        """Be like `rate` or like `connections`."""
        self.manner = manner
        self.arrived: Counter[str] = Counter()
        self.accepted: list[float] = []
        self.refused: list[float] = []
        self._tokens = float(PER_SECOND)
        self._filled_at = time.monotonic()
        self._carrying = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 mail.example.org\r\n")
            recipient = ""
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-mail.example.org\r\n250-SIZE 10000000\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go ahead\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    writer.write(await self._answer(recipient))
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    recipient = line.decode() if verb == b"RCPT" else recipient
                    writer.write(b"250 ok\r\n")
        writer.close()

    async def _answer(self, recipient: str) -> bytes:
        refusal = self._over_the_rate() if self.manner == "rate" else await self._over_the_connections()
        (self.refused if refusal else self.accepted).append(time.monotonic())
        if refusal:
            return refusal
        self.arrived[recipient] += 1
        return b"250 queued\r\n"

    def _over_the_rate(self) -> bytes:
        now = time.monotonic()
        self._tokens = min(self._tokens + (now - self._filled_at) * PER_SECOND, PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            return b"454 Throttling failure: Maximum sending rate exceeded.\r\n"
        self._tokens -= 1
        return b""

    async def _over_the_connections(self) -> bytes:
        self._carrying += 1
        try:
            full = self._carrying > CONNECTIONS
            await asyncio.sleep(HELD)
        finally:
            self._carrying -= 1
        return b"432 4.3.2 Concurrent connections limit exceeded.\r\n" if full else b""


async def _run(manner: str) -> None:
    server = Server(manner)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=200, limit=1 << 22)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    found = {"accepted": server.accepted, "refused": server.refused, "most": max(server.arrived.values(), default=0)}
    print(json.dumps(found | {"people": len(server.arrived)}), flush=True)


@contextmanager
def _serving(manner: str) -> Iterator[tuple[int, IO[str], IO[str]]]:
    command = [sys.executable, "-m", "benchmarks.pace", manner]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.stdin, process.stdout
        finally:
            process.terminate()


def measure(manner: str, name: str, best: float, aim: float, directory: Path) -> Iterator[Figure]:
    """Yield the figures of one server, which can take `best` messages a second if no time at all is lost."""
    home = directory / manner
    home.mkdir()
    mailing = Mailing("sqlite:///bench.db", home, RECIPIENTS)
    mailing.publish()
    with _serving(manner) as (port, to_server, from_server):
        report = mailing.deliver(port, sessions=SESSIONS, size=20_000)
        to_server.write("\n")
        to_server.flush()
        found = json.loads(from_server.readline())
    mailing.database.close()
    accepted, refused = found["accepted"], found["refused"]
    begun = min(accepted + refused)
    settled = begun + min(60.0, (accepted[-1] - begun) / 2)
    later = [at for at in accepted if at > settled]
    pace = len(later) / (accepted[-1] - settled)
    lost = RECIPIENTS - found["people"]
    yield figure(f"{name}: recipients lost", lost, "recipients", "<=", 0)
    yield figure(f"{name}: failed or not sent in one run", RECIPIENTS - report.sent, "recipients", "<=", 0)
    yield figure(f"{name}: most messages to one recipient", found["most"], "messages", "<=", 1)
    yield figure(f"{name}: pace once settled, of what is allowed", pace / best, "x", ">=", aim)
    still_refused = sum(at > settled for at in refused)
    yield figure(f"{name}: refusals once settled", still_refused / len(later), "a message", "<=", 0.1)
    yield Figure(f"{name}: refusals in all", len(refused), "messages", "-", holds=True)
    yield Figure(f"{name}: the whole run", round(accepted[-1] - begun, 1), "s", "-", holds=True)


def main() -> None:
    """Measure both, or be one of the servers."""
    if len(sys.argv) > 1:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        directory = Path(name)
        figures = list(measure("connections", "3 connections", CONNECTIONS / HELD, 0.7, directory))
        tell([*figures, *measure("rate", "14 a second", PER_SECOND, 0.9, directory)])


if __name__ == "__main__":
    main()
