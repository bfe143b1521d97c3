"""Where the tests put their files: in memory, where the machine has enough of it.

Tests kill processes, never the machine: what a process wrote is there for the next one with or without a disk. Creating
and dropping a PostgreSQL database for each test costs more on a disk than all that the tests do with it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - only the parent of directories that are created with mode 0700
"""A tmpfs on Linux (https://www.kernel.org/doc/html/latest/filesystems/tmpfs.html)."""
NEEDED = 2 << 30
"""Free bytes; containers often have 64 MiB."""


def memory() -> Path | None:
    """Return a directory in memory with enough room; none if there is none, or if TMPDIR says where files belong."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= NEEDED else None


def use_memory() -> None:
    """Have pytest create its temporary directories in memory."""
    if directory := memory():
        # https://docs.pytest.org/en/stable/reference/reference.html#envvar-PYTEST_DEBUG_TEMPROOT
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(directory))
