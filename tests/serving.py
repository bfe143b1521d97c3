"""Pages on loopback, served by uvicorn in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class PageServer(uvicorn.Server):
    """A server that ends when it is asked to: uvicorn looks for that every tenth of a second, and waits another."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.is_busy():  # noqa: ASYNC110 - uvicorn's sets have no event
            await asyncio.sleep(0.001)

    def end(self) -> None:
        """End the server from another thread, after the requests that it has accepted."""
        self._loop.call_soon_threadsafe(self._end.set)

    def is_busy(self) -> bool:
        """Return whether a request, or what is done behind its answer, is not finished."""
        return bool(self.server_state.tasks)


@contextmanager
def serving(config: uvicorn.Config, sockets: list[socket.socket] | None = None) -> Iterator[PageServer]:
    """Serve pages in a thread during the context."""
    server = PageServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, name="pages")
    thread.start()
    assert server.ready.wait(20)
    try:
        yield server
    finally:
        server.end()
        thread.join()
