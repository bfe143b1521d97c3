"""Which process listens on a port, as far as the system tells us (Linux: proc(5))."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
_LOCAL, _STATE, _INODE = 1, 3, 9
"""Columns of /proc/net/tcp."""


def holder_of(port: int, proc: Path = Path("/proc")) -> str | None:
    """Return "name (process 123)" of a process that listens on the TCP port, or None if that cannot be found.

    Processes of other users cannot be seen without privileges.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return None
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text('utf-8', 'replace').strip()} (process {process.name})"
        except OSError:  # it has ended, or belongs to someone else
            continue
    return None


def _inodes(port: int, proc: Path) -> set[str]:
    """Return the inodes of the sockets that listen on the port."""
    found: set[str] = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        rows = [line.split() for line in lines]
        found |= {row[_INODE] for row in rows if row[_STATE] == _LISTEN and int(row[_LOCAL].split(":")[1], 16) == port}
    return found
