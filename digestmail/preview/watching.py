"""Which files a mail is made of, and whether one of them changed."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from digestmail.rendering import templates_directory


def watched(config: Path, own_templates: Path | None, others: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return the files and directories to look at: the configuration, the operator's templates and the house's."""
    own = () if own_templates is None else (own_templates,)
    return (config, *own, templates_directory(), *others)


def fingerprint(paths: Iterable[Path]) -> str:
    """Return 16 characters that change when a file in or under `paths` is written, made, renamed or removed."""
    digest = sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
            try:
                status = file.stat()
            except OSError:
                digest.update(f"{file} is gone\n".encode())
                continue
            digest.update(f"{file} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()[:16]
