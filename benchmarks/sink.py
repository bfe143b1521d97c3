"""Mail servers that take everything: Postfix's smtp-sink, a lighter one, and a proxy that delays every reply."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

DELAY = 0.02


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def sink() -> Iterator[int]:
    """Run smtp-sink and yield its port."""
    if shutil.which("smtp-sink") is None:
        sys.exit("benchmarks: smtp-sink and smtp-source (Debian: postfix) are not at hand; nothing was measured")
    port = free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with running(["smtp-sink", *user, f"127.0.0.1:{port}", "200"], port):
        yield port


@contextmanager
def light_sink(directory: Path) -> Iterator[int | None]:
    """Compile and run `light_sink.c`, and yield its port; None if there is no C compiler."""
    if (compiler := shutil.which("cc")) is None:
        yield None
        return
    program, port = directory / "light_sink", free_port()
    subprocess.run([compiler, "-O2", "-o", program, Path(__file__).with_name("light_sink.c")], check=True)
    with running([str(program), str(port)], port):
        yield port


@contextmanager
def delayed(port: int) -> Iterator[int]:
    """Run a proxy before `port` in a separate process, and yield the proxy's port."""
    front = free_port()
    with running([sys.executable, "-m", "benchmarks.sink", str(front), str(port)], front):
        yield front


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server, from when it takes connections at `port` until the end of the block."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


class _End(asyncio.Protocol):
    """One end of a connection through the proxy."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.other: asyncio.Transport | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._pass, data)
        else:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        if self.other is None:
            self._early += data
        else:
            self.other.write(data)

    def join(self, other: asyncio.Transport) -> None:
        self.other = other
        other.write(self._early)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        if self.other is not None:
            asyncio.get_running_loop().call_later(self._delay, self.other.close)


class _Front(_End):
    def __init__(self, behind: int) -> None:
        super().__init__(0)
        self._behind = behind

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        back, end = await loop.create_connection(lambda: _End(DELAY), "127.0.0.1", self._behind)
        end.join(self.transport)  # type: ignore[arg-type] # asyncio names the base class
        self.join(back)


async def _serve(front: int, behind: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Front(behind), "127.0.0.1", front, backlog=200)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
