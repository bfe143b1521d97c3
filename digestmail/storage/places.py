"""Folders and files that the database is written to: what is wrong with one, and who may not write there."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import Final

_LITTLE: Final = 1_000_000
"""With so few free bytes, a disk is as good as full."""


def place_problem(path: Path, key: str = "database") -> str | None:
    """Return a sentence if this process cannot write the file `path` or beside it; None if it can.

    SQLite writes two more files beside a database, so that its folder has to be writable, too. `key` is the key of the
    configuration that names the place.
    """
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}: create it, or name another place in `{key}`"
    if path.is_dir():
        return f"{path} is a folder: name a file in it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{_user()} may not write in the folder {folder}{_remedy(folder, key)}"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return f"{_user()} may not write the file {path}: give it to this user"
    return None


def trouble_hint(path: Path, said: str) -> str | None:
    """Return what helps when SQLite cannot use the file `path` and `said` why; None if that is not known.

    SQLite reports a full disk as SQLITE_FULL or, for its write-ahead log, SQLITE_IOERR (https://sqlite.org/rescode.html).
    """
    if problem := place_problem(path):
        return problem
    if "is full" in said or ("disk I/O error" in said and shutil.disk_usage(path.parent).free < _LITTLE):
        return f"free some space on the disk of {path.parent}; nothing is lost"
    if "is locked" in said:
        return f"another program locks it for longer than digestmail waits; `fuser -v {path}` shows which"
    return None


def _user() -> str:
    try:
        return f"the user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:  # as in a container
        return f"the user with the number {os.geteuid()}"


def _remedy(folder: Path, key: str) -> str:
    """Return what helps: /etc is never for writing, and a read-only file system no permission makes writable."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f", which is read-only: name another place in `{key}`, and under systemd allow it by StateDirectory="
    if Path("/etc") in folder.resolve().parents:
        return f": set `{key}` to a place below /var/lib/digestmail, or `data_dir` to it, as docs/operations.md shows"
    return f": give it to this user, or name another place in `{key}`"
