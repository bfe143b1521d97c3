"""Tells systemd how the service is doing (sd_notify(3)): a datagram of `NAME=value` lines."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger("digestmail.service")

_MICROSECONDS = 1_000_000


class Notifier:
    """Sends states to the socket that systemd names in NOTIFY_SOCKET. Without one, it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> None:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID (sd_watchdog_enabled(3)); `pid` is this process."""
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._failed = False
        self.watchdog_seconds = _watchdog_seconds(environment, os.getpid() if pid is None else pid)
        """The longest time in seconds between two pings; None without a watchdog."""

    def ready(self, status: str) -> None:
        """Say that the service has started, or has taken up a new configuration."""
        self._send(READY="1", STATUS=status)

    def reloading(self, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        """Say that the configuration is read again. `ready` must follow. `monotonic` is CLOCK_MONOTONIC in ns."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(monotonic() // 1000))

    def stopping(self) -> None:
        """Say that the service has begun to stop."""
        self._send(STOPPING="1")

    def alive(self) -> None:
        """Ping the watchdog, if there is one."""
        if self.watchdog_seconds is not None:
            self._send(WATCHDOG="1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(STATUS=text)

    def _send(self, **states: str) -> None:
        if self._address is None:
            return
        lines = "\n".join(f"{name}={' '.join(value.split())}" for name, value in states.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
                opened.settimeout(1)
                opened.sendto(lines.encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("NOTIFY_SOCKET cannot be reached, so systemd does not know our state: %s", error)
            self._failed = True


def _address(name: str) -> str | bytes | None:
    """Return the address of a socket; one that begins with @ is abstract (unix(7)). Others are of no use here."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return name if name.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    given = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", "")
    if not given.isdecimal() or int(given) == 0 or (meant and meant != str(pid)):
        return None
    return int(given) / _MICROSECONDS
