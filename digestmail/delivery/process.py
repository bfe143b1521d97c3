"""Recognize a process, and find out whether it is still running."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from digestmail.model.deliveries import ProcessIdentity

_PROC = Path("/proc")
_ENDED = frozenset("ZX")
"""States of a process that has ended and whose parent does not know yet."""
_START_TIME = 22 - 3
"""Which field of /proc/PID/stat, behind the name in parentheses, is the start time (proc(5))."""


def this_process() -> ProcessIdentity:
    """Return the identity of the process that calls this."""
    return ProcessIdentity(machine=_machine(), pid=os.getpid(), started=_started(os.getpid()))


def is_running(process: ProcessIdentity) -> bool | None:
    """Return whether a process is running; None if that is unknown.

    It is if the process runs on another machine or in another container, or where /proc hides it (hidepid in proc(5),
    systemd's ProtectProc=).
    """
    if process.machine != _machine():
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, as another user
    if process.started and not (_PROC / str(process.pid)).exists():
        return None
    return _started(process.pid) == process.started


@lru_cache(maxsize=1)
def _machine() -> str:
    """Name the machine, its last start and the container: where a process ID means the same process."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip())
    with suppress(OSError):
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str:
    """Return when a process started, in ticks since the machine did; nothing if it has ended, or without /proc."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in _ENDED else fields[_START_TIME]
