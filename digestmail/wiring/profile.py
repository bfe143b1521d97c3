"""`[profile]`: the reading lists of the configuration, and what is wrong with its files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digestmail.config.settings import Config
from digestmail.errors import SourceUnreadableError
from digestmail.storage.database import Database
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.sources.reference_file import ReferenceFile


def refresh_lists(config: Config, base: Path, database: Database, now: datetime) -> None:
    """Store the reading lists of the configuration, and read its files. Raises StorageError."""
    from digestmail.collect.profile_files import refresh

    refresh(database, config.profile.reading_lists() if config.profile else (), base, now)


def file_problems(config: Config, base: Path) -> Iterator[str]:
    """Name the files that cannot be used."""
    for path, found in _files(config, base):
        if isinstance(found, SourceUnreadableError):
            yield f"profile.files: {path} {found}"


def file_notes(config: Config, base: Path) -> Iterator[str]:
    """Name the files that are used in part."""
    for path, found in _files(config, base):
        if isinstance(found, SourceUnreadableError):
            continue
        if found.broken:
            yield f"profile.files: {path}: {counted(found.broken, 'entry')} could not be read"
        if found.over:
            over = counted(found.over, "entry")
            yield f"profile.files: {path}: {over} over the limit of {len(found.papers)} papers; the newest count"


def _files(config: Config, base: Path) -> Iterator[tuple[Path, ReferenceFile | SourceUnreadableError]]:
    """Yield each file with its content, or with the reason why it cannot be read."""
    from digestmail.collect.profile_files import read_file

    for path in dict.fromkeys(config.profile.files if config.profile else ()):
        try:
            yield base / path, read_file(base / path)
        except SourceUnreadableError as error:
            yield base / path, error
