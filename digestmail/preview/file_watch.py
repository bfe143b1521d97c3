"""Detects changes of the configuration and templates."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path


def fingerprint(paths: Iterable[Path]) -> str:
    """Return 16 characters that change when a file in or under `paths` is written, created, renamed or removed."""
    digest = sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
            try:
                status = file.stat()
            except OSError:
                digest.update(f"{file} is missing\n".encode())
                continue
            digest.update(f"{file} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]
