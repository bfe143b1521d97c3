"""A proxy before a PostgreSQL server, which can cut every connection and refuse new ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Lock, Thread

from sqlalchemy import make_url

_COMMIT = b"COMMIT\0"


class Proxy:
    """Passes octets on; `cut_at` is the commit, counted from now on, at which it goes down."""

    def __init__(self, url: str) -> None:
        """`url` is the database's own address."""
        self._server = make_url(url)
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._threads: list[Thread] = []
        self.port = 0
        self.cut_at = 0
        self.after = False
        """Whether the commit that is cut at still reaches the server, and only its answer is lost."""
        self.cuts = 0

    @property
    def url(self) -> str:
        """The database's address by way of the proxy."""
        by_proxy = self._server.set(host="127.0.0.1", port=self.port, query={})
        return by_proxy.render_as_string(hide_password=False)

    def up(self) -> None:
        """Let connections in."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def down(self) -> None:
        """Cut every connection, and refuse further ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            opened, self._open = self._open, []
        if listener is None:
            return
        self.cuts += 1
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread out of accept
        listener.close()
        for one in opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.down()
        for thread in self._threads:
            thread.join()

    def _start(self, target, *args) -> None:
        self._threads.append(Thread(target=target, args=args))
        self._threads[-1].start()

    def _connect(self) -> socket.socket:
        directory = self._server.query.get("host", self._server.host) or ""
        if not str(directory).startswith("/"):
            return socket.create_connection((str(directory), self._server.port or 5432))
        upstream = socket.socket(socket.AF_UNIX)
        upstream.connect(f"{directory}/.s.PGSQL.{self._server.port or 5432}")
        return upstream

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, self._connect() as server, suppress(OSError):
            with self._lock:
                self._open += [client, server]
            while True:
                for ready in select([client, server], [], [])[0]:
                    octets = ready.recv(65536)
                    if not octets:
                        return
                    if ready is client and _COMMIT in octets and self._is_the_one():
                        if self.after:
                            server.sendall(octets)
                            server.recv(65536)
                        self.down()
                        return
                    (server if ready is client else client).sendall(octets)

    def _is_the_one(self) -> bool:
        self.cut_at -= 1
        return self.cut_at == 0


@contextmanager
def proxying(url: str) -> Iterator[Proxy]:
    """Stand before the server of the database at `url`."""
    proxy = Proxy(url)
    proxy.up()
    try:
        yield proxy
    finally:
        proxy.close()
