"""Which reading lists are due. Imports little, because it is asked in every run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.storage import reading_lists
from digestmail.storage.database import Database

MOST_LISTS: Final = 50
"""Lists that are read in one run."""
EVERY: Final = timedelta(days=7)
AFTER_FAILURE: Final = timedelta(days=1)


def due_lists(database: Database, now: datetime) -> tuple[ReadingList, ...]:
    """Return the lists to read at `now` (real time), those that waited longest first."""
    with database.connect() as connection:
        return reading_lists.due(connection, now - EVERY, MOST_LISTS, now=now, failed_before=now - AFTER_FAILURE)


def failing_lists_of_profile(database: Database) -> tuple[ReadingList, ...]:
    """Return the lists of `[profile]` whose last reading failed. Files are not among them."""
    with database.connect() as connection:
        return tuple(
            one for one in reading_lists.of(connection, None) if one.problem and one.kind is not ReadingListKind.FILE
        )
