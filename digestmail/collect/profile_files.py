"""The reading lists of the configuration: which there are, and the papers of its BibTeX and RIS files."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.storage import reading_lists
from digestmail.storage.database import Database

if TYPE_CHECKING:
    from digestmail.sources.reference_file import ReferenceFile

log = logging.getLogger("digestmail.profile")
MOST_BYTES: Final = 20_000_000
"""The size of a file of the operator, which is trusted more than a reader's."""


def refresh(database: Database, wanted: Collection[tuple[ReadingListKind, str]], base: Path, now: datetime) -> None:
    """Store the lists `wanted`, each (kind, reference), and remove others; read the files, which are below `base`.

    A file that cannot be read keeps the papers it had; the problem is logged and stored with the list. Raises
    StorageError.
    """
    with database.connect() as connection:
        present = reading_lists.of(connection, None)
    if {(one.kind, one.reference) for one in present} != set(wanted):
        with database.begin() as connection:
            present = reading_lists.sync_operator_lists(connection, wanted, now)
    for one in present:
        if one.kind is ReadingListKind.FILE:
            _refresh_file(database, one, base / one.reference, now)


def read_file(path: Path) -> ReferenceFile:
    """Return the papers of a file. Raises SourceUnreadableError."""
    from digestmail.sources.reference_file import read_references

    try:
        # Opening a pipe would wait for its other end, and a device may never end.
        if not path.is_file() and path.exists() and not path.is_dir():
            raise SourceUnreadableError("is not a regular file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        found = read_references(content, most_bytes=MOST_BYTES)
    except OSError as error:
        raise SourceUnreadableError(f"cannot be read: {error.strerror or error}") from error
    if not found.papers:
        raise SourceUnreadableError("contains no entry with a title")
    return found


def _refresh_file(database: Database, stored: ReadingList, path: Path, now: datetime) -> None:
    try:
        found = read_file(path)
    except SourceUnreadableError as error:
        log.warning("profile.files: %s %s", path, error)
        with database.begin() as connection:
            reading_lists.record_failure(connection, stored.id, str(error), now)
        return
    with database.connect() as connection:
        papers = reading_lists.with_abstracts(connection, found.papers, found.ids)
        unchanged = stored.problem is None and reading_lists.papers_of(connection, stored.id) == papers
    if not unchanged:
        with database.begin() as connection:
            reading_lists.record_reading(connection, stored.id, papers, now)
