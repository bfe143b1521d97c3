"""`digestmail up` as a process: a configuration for it, its log, its pages, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

NOW = "--now=2026-04-02T12:00:00Z"
CONFIG = """
{top}
[mail]
sender = "digest@example.org"
bounce_address = "bounce@example.org"
{mail}
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "papers"
{source}
[[digests]]
name = "daily"
title = "Made-up papers"
schedule = "{schedule}"
sources = ["papers"]
[web]
port = 0
"""
MAILDIR = 'transport = "maildir"'
SOURCE = 'kind = "huggingface"\nbase_url = "{}"'


def configure(site: Path, source: str, *, mail: str = MAILDIR, top: str = "", more: str = "", **values: str) -> None:
    text = CONFIG.format(source=source, mail=mail, top=top, schedule=values.get("schedule", "0 7 * * *"))
    (site / "config.toml").write_text(text + more, "utf-8")


class Running:
    """A running command and the lines it logs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def until(self, pattern: str) -> str:
        """Read the log up to a line that `pattern` matches; return that line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"{pattern!r} was not logged: {''.join(self.lines)}")

    def page(self) -> str:
        """Return the address of the pages, which is printed when they are served."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        """Ask the process to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.lines += self.process.communicate(timeout=60)[1].splitlines(keepends=True)
        return self.process.returncode

    @property
    def log(self) -> str:
        """Everything read so far."""
        return "".join(self.lines)


@contextmanager
def running(site: Path, *words: str, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Run `digestmail`, and kill it at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "digestmail", *words],
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


@contextmanager
def service_manager(watchdog_seconds: float) -> Iterator[tuple[dict[str, str], socket.socket]]:
    """Yield the environment that systemd gives to a service, and the socket that hears its states."""
    name = f"digestmail-test-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(60)
        yield {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": f"{watchdog_seconds * 1_000_000:.0f}"}, manager


def states_until(manager: socket.socket, last: str) -> list[str]:
    """Return what the service manager hears up to what begins with `last`, without the signs of life."""
    heard = [manager.recv(4096).decode()]
    while not heard[-1].startswith(last):
        heard.append(manager.recv(4096).decode())
    return [each for each in heard if each != "WATCHDOG=1"]


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())
