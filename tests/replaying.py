"""Starts the replay server of recorded days, where it is there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data"

needs_shared = pytest.mark.skipif(
    not DATA.is_dir(), reason="recorded days are not here (../shared/data): real-input tests are skipped"
)


@dataclass(frozen=True)
class Replay:
    """A running replay server."""

    url: str

    def control(self, **change: object) -> None:
        """Move its day, or break a route."""
        request = urllib.request.Request(f"{self.url}/_control", json.dumps(change).encode(), method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - loopback
            pass

    def log(self) -> list[dict[str, object]]:
        """Return every request it saw."""
        with urllib.request.urlopen(f"{self.url}/_log", timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextmanager
def replaying(today: str) -> Iterator[Replay]:
    """Run the replay server on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(SHARED / "tools" / "replay.py"), "--port", str(port), "--today", today]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"replaying")
            _wait_until_it_listens(port)
            yield Replay(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _wait_until_it_listens(port: int) -> None:
    """Connect as soon as the server is ready; it announces itself slightly earlier."""
    for _ in range(10_000):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise TimeoutError("the replay server does not listen")
