"""Rooms: a Debian package runs in an overlay over this machine's own root, and leaves no trace when it ends.

Mail servers conflict with each other as packages, so each has a room of its own: a mount and process namespace with a
root that begins as a copy of ours. Only the network is shared, which is how the tests reach it.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_END = "-- end of what the room said --"
_ROOM = f"""
mount -t tmpfs none "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
mount --bind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
printf '#!/bin/sh\\nexit 101\\n' > "$1/root/usr/sbin/policy-rc.d"
chmod +x "$1/root/usr/sbin/policy-rc.d"
while read -r command; do
  echo "$command" | base64 -d > "$1/root/command"
  status=0
  DEBIAN_FRONTEND=noninteractive chroot "$1/root" sh -e /command 2>&1 < /dev/null || status=$?
  echo "{_END} $status"
done
"""


def missing() -> str:
    """Return what this machine lacks for isolated rooms; empty if they are available."""
    if os.geteuid() != 0:
        return "only root can mount"
    tools = [tool for tool in ("unshare", "chroot", "apt-get") if shutil.which(tool) is None]
    if tools:
        return f"{', '.join(tools)} is missing"
    probe = subprocess.run(
        ["unshare", "-m", "-p", "-f", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return "" if probe.returncode == 0 else probe.stderr.decode().strip()


class Room:
    """Runs shell commands in the room, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, command: str) -> str:
        """Run a script and return its output; its daemons keep running. Raises AssertionError if it fails."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(base64.b64encode(command.encode()).decode() + "\n")
        self._process.stdin.flush()
        said = []
        for line in self._process.stdout:
            if line.startswith(_END):
                assert line.split()[-1] == "0", f"{command}\n{''.join(said)}"
                return "".join(said)
            said.append(line)
        raise AssertionError(f"the room ended\n{''.join(said)}")


@contextmanager
def room(directory: Path, *packages: str) -> Iterator[Room]:
    """Yield a room with these packages; every process in it ends with it."""
    command = ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-e", "-c", _ROOM, "sh", str(directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            found = Room(process)
            found.run("dpkg --configure -a")
            if packages:
                found.run(f"apt-get install -y --no-install-recommends {' '.join(packages)}")
            yield found
        finally:
            process.kill()
