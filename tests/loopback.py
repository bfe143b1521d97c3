"""Servers on loopback that misbehave byte by byte, with host limits and clients for them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from fakes import FakeClock

from digestmail.clock import Clock
from digestmail.model.papers import Validators
from digestmail.sources.http.client import Http
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.ssrf import PrivateHosts

Talk = Callable[[socket.socket, threading.Event], None]
"""Acts as the server on one connection until the end of the test."""


class FakeHostLimits:
    """Host limits in memory, with every reservation."""

    def __init__(self) -> None:
        self.booked: list[tuple[str, datetime]] = []
        self.blocked: dict[str, datetime] = {}
        self._opens: dict[str, datetime] = {}

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        if self.blocked.get(host, now) > now:
            return self.blocked[host]
        moment = max(now, self._opens.get(host, now))
        self._opens[host] = moment + timedelta(seconds=min_interval)
        self.booked.append((host, moment))
        return moment

    def block(self, host: str, until: datetime) -> None:
        self.blocked[host] = until


def client(
    *,
    clock: Clock | None = None,
    host_limits: HostLimits | None = None,
    known: dict[str, Validators] | None = None,
    timeout: float = 10.0,
    max_body_bytes: int = 1_000_000,
    allowed: tuple[str, ...] = ("localhost", "127.0.0.1"),
    networks: tuple[str, ...] = (),
    **options: Any,
) -> Http:
    """Return a client with a clock that does not wait, by default."""
    stored = known or {}
    return Http(
        clock=clock or FakeClock(),
        host_limits=host_limits or FakeHostLimits(),
        validators=lambda url: stored.get(url, Validators()),
        user_agent="digestmail/0 (+digest@example.org)",
        timeout=timeout,
        max_body_bytes=max_body_bytes,
        random=Random(1),
        private=PrivateHosts.parse(allowed, networks),
        **options,
    )


@dataclass
class Listener:
    """A server on a free loopback port, with a talk for each connection in turn; the last one repeats."""

    port: int
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def listening(*talks: Talk, host: str = "127.0.0.1", family: int = socket.AF_INET) -> Iterator[Listener]:
    """Serve `talks` until the block ends."""
    over = threading.Event()
    with socket.create_server((host, 0), family=family) as server:
        listener = Listener(server.getsockname()[1])
        acceptor = threading.Thread(target=_accept, args=(server, listener, talks, over))
        acceptor.start()
        try:
            yield listener
        finally:
            over.set()
            # Wakes the acceptor, which a bare close would not.
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            acceptor.join()


def _accept(server: socket.socket, listener: Listener, talks: tuple[Talk, ...], over: threading.Event) -> None:
    threads = []
    while not over.is_set():
        try:
            connection, _ = server.accept()
        except OSError:
            break
        talk = talks[min(listener.connections, len(talks) - 1)]
        listener.connections += 1
        threads.append(threading.Thread(target=_play, args=(connection, talk, over)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _play(connection: socket.socket, talk: Talk, over: threading.Event) -> None:
    with connection, suppress(OSError):
        connection.settimeout(5)
        talk(connection, over)


def read_request(connection: socket.socket) -> bytes:
    """Read up to the empty line; empty when the client hung up instead."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        request += piece
    return request


def answering(*answers: bytes, log: list[bytes] | None = None) -> Talk:
    """Answer one request after the other on a connection, then hang up."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        del over
        for answer in answers:
            request = read_request(connection)
            if not request:
                return
            if log is not None:
                log.append(request)
            connection.sendall(answer)

    return talk


def dripping(head: bytes, drop: bytes = b"x", *, every: float = 0.05) -> Talk:
    """Answer `head` at once, then `drop` after `drop`, for ever."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        read_request(connection)
        connection.sendall(head)
        while not over.wait(every):
            connection.sendall(drop)

    return talk


def stalling(connection: socket.socket, over: threading.Event) -> None:
    """Take the connection and say nothing."""
    over.wait(20)
    del connection


def resetting(connection: socket.socket, over: threading.Event) -> None:
    """Hang up as soon as the request is there."""
    del over
    read_request(connection)


def ok(body: bytes, *fields: str) -> bytes:
    """Return a complete response with status 200."""
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
