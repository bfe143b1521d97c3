"""Other ways to bring the same number of messages of the same size to the same server, each in messages a second."""

from __future__ import annotations

import asyncio
import json
import shutil
import smtplib
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib
import uvloop

NODEMAILER = "10.6.1"
FROM, TO = "digest@example.org", "reader@example.org"
_LINE = "We look at how a model of modest size decides which of its layers needs.\r\n"
_HEAD = f"From: {FROM}\r\nTo: {TO}\r\nSubject: Trending papers\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What is to be sent: `count` messages of `size` octets over `sessions` connections to `port` of this machine."""

    port: int
    sessions: int
    size: int
    count: int

    @property
    def message(self) -> str:
        """The message, its line ends CRLF."""
        return _HEAD + _LINE * ((self.size - len(_HEAD)) // len(_LINE))

    @property
    def shares(self) -> list[int]:
        """How many messages each connection carries."""
        return [self.count // self.sessions + (number < self.count % self.sessions) for number in range(self.sessions)]


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many of `count` things a second `work` does."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def smtp_source(load: Load) -> float:
    """Postfix's own, in C: one message after the other over each connection, nothing pipelined."""
    command = ["smtp-source", "-d", "-s", load.sessions, "-l", load.size, "-m", load.count, "-f", FROM, "-t", TO]
    return rate(load.count, lambda: subprocess.run([*map(str, command), f"127.0.0.1:{load.port}"], check=True))


def with_smtplib(load: Load) -> float:
    """Python's own, a thread for each connection."""
    message = load.message.encode()

    def one(count: int) -> None:
        with smtplib.SMTP("127.0.0.1", load.port) as client:
            for _ in range(count):
                client.sendmail(FROM, [TO], message)

    def work() -> None:
        threads = [threading.Thread(target=one, args=(count,)) for count in load.shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return rate(load.count, work)


def with_aiosmtplib(load: Load) -> float:
    """One event loop (uvloop), a task for each connection."""
    message = load.message.encode()

    async def one(count: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=load.port) as client:
            for _ in range(count):
                await client.sendmail(FROM, [TO], message)

    return rate(load.count, lambda: _run([lambda count=count: one(count) for count in load.shares]))


def bare_pipelining(load: Load) -> float:
    """Do the least that an event loop can: fixed octets, replies counted by their line ends, nothing kept."""

    async def one(count: int) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        await loop.create_connection(lambda: _Bare(load.message.encode(), count, done), "127.0.0.1", load.port)
        await done

    return rate(load.count, lambda: _run([lambda count=count: one(count) for count in load.shares]))


class _Bare(asyncio.Protocol):
    _ENVELOPE = f"MAIL FROM:<{FROM}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()

    def __init__(self, message: bytes, count: int, done: asyncio.Future[None]) -> None:
        self._alone, self._chained = message + b".\r\n", message + b".\r\n" + self._ENVELOPE
        self._left = count
        self._done = done
        self._awaited = 1  # the greeting
        self._hello = b""
        self._greeted = self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(b"EHLO localhost\r\n")  # type: ignore[attr-defined] # asyncio names the base class

    def data_received(self, data: bytes) -> None:
        if not self._begun:
            self._hello += data
            if b"\n250 " not in self._hello or not self._hello.endswith(b"\n"):
                return
            self._begun = True
            self._awaited = 3
            self._transport.write(self._ENVELOPE)
            return
        self._awaited -= data.count(b"\n")
        if self._awaited > 0:
            return
        if not self._left:
            self._transport.close()
            self._done.set_result(None)
            return
        self._left -= 1
        self._awaited = 4 if self._left else 1
        self._transport.write(self._chained if self._left else self._alone)


def _run(jobs: list[Callable[[], object]]) -> None:
    async def together() -> None:
        await asyncio.gather(*(job() for job in jobs))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(together())


class Nodemailer:
    """The usual one of Node.js, with its pool of connections; its time is taken by itself, without the start."""

    _SCRIPT = """
    const [port, sessions, count, size] = process.argv.slice(2).map(Number);
    const mailer = require('nodemailer').createTransport(
      {pool: true, maxConnections: sessions, maxMessages: Infinity, host: '127.0.0.1', port, ignoreTLS: true});
    const line = %s, head = %s;
    const raw = Buffer.from(head + line.repeat((size - head.length) / line.length));
    const envelope = {from: %s, to: [%s]};
    (async () => {
      const began = process.hrtime.bigint();
      let left = count;
      const lane = async () => { while (left-- > 0) await mailer.sendMail({envelope, raw}); };
      await Promise.all(Array.from({length: sessions}, lane));
      console.log(count / (Number(process.hrtime.bigint() - began) / 1e9));
      mailer.close();
    })();
    """

    def __init__(self, directory: Path) -> None:
        """Install it into `directory`."""
        npm = [shutil.which("npm"), "install", "--silent", "--no-audit", "--no-fund", f"nodemailer@{NODEMAILER}"]
        subprocess.run(npm, cwd=directory, check=True, stdout=subprocess.DEVNULL)
        self._script = directory / "send.js"
        self._script.write_text(self._SCRIPT % tuple(map(json.dumps, (_LINE, _HEAD, FROM, TO))))

    def __call__(self, load: Load) -> float:
        """Send."""
        arguments = map(str, (load.port, load.sessions, load.count, load.size))
        done = subprocess.run(["node", self._script, *arguments], check=True, capture_output=True, text=True)
        return float(done.stdout)
