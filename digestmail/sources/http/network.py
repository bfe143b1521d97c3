"""The sockets under the HTTP client: pinned to checked addresses, and never slower than the time that is left."""

from __future__ import annotations

import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import httpcore2

from digestmail.clock import Clock
from digestmail.errors import SourceHostUnknownError, SourceUnavailableError
from digestmail.sources.http.ssrf import Allowance, check_addresses

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""The name does not exist, or has no address; EAI_AGAIN is a resolver that could not find out."""


class Budget:
    """The time one fetch may still take."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none: `start` gives some."""
        self._clock = clock
        self._ends = clock.monotonic()

    def start(self, seconds: float) -> None:
        """Give the fetch that begins now `seconds` in all."""
        self._ends = self._clock.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; zero or less when the time is over."""
        return self._ends - self._clock.monotonic()

    def claim(self) -> float:
        """Return the seconds that are left, for a step about to begin. Raises httpcore2.TimeoutException if none."""
        left = self.left()
        if left <= 0:
            raise httpcore2.TimeoutException("the time is over")
        return left

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens inside out of the account."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._ends += self._clock.monotonic() - began


class TimedStream(httpcore2.NetworkStream):
    """A connection whose every step gets the time the fetch has left, whatever the caller asks for.

    A limit for each read would never end a server that sends one byte a second, in the body or in the header.
    """

    def __init__(self, inner: httpcore2.NetworkStream, budget: Budget) -> None:
        """Wrap `inner`. The budget is the client's and outlives this connection."""
        self._inner = inner
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read up to `max_bytes`, as soon as there are any."""
        del timeout
        return self._inner.read(max_bytes, self._budget.claim())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of `buffer`; a request fits into the socket's own buffer, so this is one step."""
        del timeout
        self._inner.write(buffer, self._budget.claim())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Shake hands for the name, not for the address: the certificate has to be the name's.

        Raises SourceUnavailableError when it is not, which trying again would not mend.
        """
        del timeout
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, self._budget.claim())
        except httpcore2.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                why = error.__cause__.verify_message
                raise SourceUnavailableError(f"the certificate of {server_hostname} is not valid: {why}") from error
            raise
        return TimedStream(inner, self._budget)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what the wrapped stream knows."""
        return self._inner.get_extra_info(info)


def trust() -> ssl.SSLContext:
    """Return what certificates are checked with: one for the process, because making it takes long.

    SSL_CERT_FILE and SSL_CERT_DIR replace the authorities of the system.
    """
    return _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=8)
def _trust(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


class GuardedBackend(httpcore2.NetworkBackend):
    """Opens connections: resolves a name once, checks every address it has, and connects to one of those.

    Nothing resolves the name again in between, so it cannot point elsewhere by then (DNS rebinding).
    """

    def __init__(self, budget: Budget, longest_connect: float | None = None) -> None:
        """Spend from `budget`. Nothing private may be connected to until `allow` says so.

        A name is resolved, and a connection opened, in `longest_connect` seconds each; None means within the budget.
        """
        self._budget = budget
        self._longest_connect = longest_connect
        self._allowed: Allowance | None = Allowance()
        self._inner = httpcore2.SyncBackend()

    def allow(self, allowed: Allowance | None) -> None:
        """Set what may be private from now on; None: everything, for the operator's own proxy."""
        self._allowed = allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of `host` that takes the connection.

        Raises SourceRefusedError for a host at a private address, SourceHostUnknownError for a name that does not
        exist, httpcore2.ConnectError or ConnectTimeout.
        """
        del timeout
        addresses = self._resolve(host, port)
        if self._allowed is not None:
            check_addresses(host, port, addresses, self._allowed)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for index, address in enumerate(addresses):
            # An address that swallows packets must leave time for the ones behind it.
            share = self._seconds() / (len(addresses) - index)
            try:
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(stream, self._budget)
        raise failure

    def _resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`, each once, in the order of the resolver.

        `getaddrinfo` takes no time-out and may hang for minutes: it runs in a thread that is left behind if it does.
        """
        answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
        threading.Thread(target=_look_up, args=(host, port, answers), name=f"resolve {host}", daemon=True).start()
        try:
            answer = answers.get(timeout=self._seconds())
        except queue.Empty:
            raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time") from None
        if isinstance(answer, socket.gaierror) and answer.errno in _NO_SUCH_NAME:
            raise SourceHostUnknownError(f"the name {host} was not resolved: {answer.strerror}") from answer
        if isinstance(answer, Exception):
            raise httpcore2.ConnectError(f"the name {host} was not resolved: {answer}") from answer
        return answer

    def _seconds(self) -> float:
        """Return how long the next step may take. Raises httpcore2.TimeoutException if no time is left."""
        left = self._budget.claim()
        return left if self._longest_connect is None else min(left, self._longest_connect)


def _look_up(host: str, port: int, answers: queue.SimpleQueue[list[str] | Exception]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        answers.put(error)
    else:
        answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
