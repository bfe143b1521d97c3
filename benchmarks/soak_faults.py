"""Sources and a mail server on loopback that fail by a seeded table, at the time of a manual clock.

Every fault ends: a source answers again after at most three failed requests a day, and a mail server takes a message at
the third attempt at the latest, unless the recipient does not exist.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from benchmarks.soak_serve import ManualClock, announcements, blog, daily_papers

SOURCE_FAULTS = ("429", "500", "truncated", "stall", "refused")
MAIL_FAULTS = ("deferred", "dropped before the message", "dropped after the message")
STALL = 0.05
"""Real seconds that an answer stops in its middle."""
EMPTY_SHARE, FAULT_SHARE, MAIL_SHARE = 0.12, 0.4, 0.06
_MESSAGE_ID = re.compile(rb"^Message-ID: *(?:\r\n )?<([^>]+)>", re.IGNORECASE | re.MULTILINE)


def is_empty(seed: int, day: date) -> bool:
    """Return whether no source has anything new on a day."""
    return Random(f"{seed} empty {day}").random() < EMPTY_SHARE


def source_faults(seed: int, day: date, source: str) -> list[str]:
    """Return what happens to the first requests to a source on a day; the others succeed."""
    chance = Random(f"{seed} source {day} {source}")
    return chance.choices(SOURCE_FAULTS, k=chance.randint(1, 3)) if chance.random() < FAULT_SHARE else []


def mail_faults(seed: int, day: date, recipient: str) -> list[str]:
    """Return what happens to the first attempts to send to a recipient on a day."""
    chance = Random(f"{seed} mail {day} {recipient}")
    return chance.choices(MAIL_FAULTS, k=chance.randint(1, 2)) if chance.random() < MAIL_SHARE else []


@dataclass
class FaultySources:
    """Three sources with new papers every day, except on empty days."""

    clock: ManualClock
    seed: int
    port: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    asked: Counter[tuple[date, str]] = field(default_factory=Counter)

    def body(self, path: str, query: str, today: date) -> bytes:
        """Return what a source shows."""
        while is_empty(self.seed, today):
            today -= timedelta(days=1)  # as yesterday
        if path == "/api/daily_papers":
            day = date.fromisoformat(parse_qs(query)["date"][0])
            return b"[]" if day > today or is_empty(self.seed, day) else daily_papers(day)
        return blog(today) if path == "/feed.xml" else announcements(today)

    def next_fault(self, path: str) -> str:
        """Return what happens to this request; empty if nothing does."""
        today = self.clock.now().date()
        faults = source_faults(self.seed, today, path)
        number = self.asked[today, path]
        self.asked[today, path] += 1
        fault = faults[number] if number < len(faults) else ""
        self.faults[fault or "none"] += 1
        return fault


@contextmanager
def faulty_sources(clock: ManualClock, seed: int) -> Iterator[FaultySources]:
    """Serve the sources on a free port."""
    sources = FaultySources(clock, seed)

    class Handler(BaseHTTPRequestHandler):
        timeout = 5
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            fault = sources.next_fault(url.path)
            body = sources.body(url.path, url.query, clock.now().date())
            tag = f'"{sha256(body).hexdigest()[:32]}"'
            if fault == "refused":
                self.close_connection = True
                return
            status = {"429": 429, "500": 500}.get(fault, 304 if self.headers.get("If-None-Match") == tag else 200)
            sent = body if status == 200 else b""
            self.send_response(status)
            self.send_header("ETag", tag)
            if fault == "429":
                self.send_header("Retry-After", str(60 + 60 * (len(sent) % 29)))
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            half = len(sent) // 2
            self.wfile.write(sent[:half])
            if fault == "truncated" and sent:
                self.close_connection = True
                return
            if fault == "stall":
                self.wfile.flush()
                time.sleep(STALL)
            self.wfile.write(sent[half:])

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sources.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield sources
        finally:
            server.shutdown()
            thread.join()


@dataclass
class FaultyMailServer:
    """Takes messages, except when the table says otherwise. Recipients in `gone` do not exist from then on."""

    clock: ManualClock
    seed: int
    port: int = 0
    gone: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    tried: Counter[tuple[date, str]] = field(default_factory=Counter)
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each message, by its Message-ID, arrived for a recipient."""
    return_paths: dict[str, str] = field(default_factory=dict)
    """The sender of the last message for a recipient."""
    unanswered: set[tuple[str, str]] = field(default_factory=set)
    """Messages that arrived, while the sender did not hear so."""

    def next_fault(self, recipient: str) -> str:
        """Return what happens to this attempt; empty if nothing does."""
        today = self.clock.now().date()
        if recipient in self.gone:
            fault = "refused"
        else:
            faults = mail_faults(self.seed, today, recipient)
            number = self.tried[today, recipient]
            self.tried[today, recipient] += 1
            fault = faults[number] if number < len(faults) else ""
        self.faults[fault or "none"] += 1
        return fault


class _Handler:
    """Called by aiosmtpd."""

    def __init__(self, server: FaultyMailServer) -> None:
        self._server = server

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        fault = self._server.next_fault(address)
        if fault == "refused":
            return "550 5.1.1 no such user here"
        if fault == "deferred":
            return "451 4.3.0 try again later"
        if fault == "dropped before the message":
            server.transport.abort()
            return "250 ok"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.append(fault)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        found = _MESSAGE_ID.search(envelope.original_content or b"")
        assert found
        message_id = found[1].decode()
        for recipient, fault in zip(envelope.rcpt_tos, envelope.rcpt_options, strict=True):
            self._server.arrived[recipient][message_id] += 1
            self._server.return_paths[recipient] = (envelope.mail_from or "").strip("<>")
            if fault == "dropped after the message":
                self._server.unanswered.add((recipient, message_id))
                server.transport.abort()
        return "250 2.0.0 kept"


@contextmanager
def faulty_mail_server(clock: ManualClock, seed: int) -> Iterator[FaultyMailServer]:
    """Receive on a free port."""
    found, started = FaultyMailServer(clock, seed), Event()
    loop = asyncio.new_event_loop()
    handler = _Handler(found)

    async def serve() -> asyncio.Server:
        listening = await loop.create_server(
            lambda: SMTP(handler, hostname="mx.example.org", loop=loop), "127.0.0.1", 0
        )
        found.port = listening.sockets[0].getsockname()[1]
        started.set()
        return listening

    server = loop.run_until_complete(serve())
    thread = Thread(target=loop.run_forever, name="mail server")
    thread.start()
    started.wait()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
