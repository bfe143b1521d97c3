"""Which reading lists are due. Imports little, because it is asked in every run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.storage import reading_lists
from digestmail.storage.database import Database
from digestmail.storage.reading_lists import Sooner

MOST_LISTS: Final = 50
"""Lists that are read in one run."""
EVERY: Final = timedelta(days=7)
AFTER_FAILURE: Final = timedelta(days=1)
DAILY_FOR: Final = timedelta(days=14)
"""A list that was not read for so long, because it always failed, is tried as seldom as the others."""


def due_lists(database: Database, now: datetime) -> tuple[ReadingList, ...]:
    """Return the lists to read at `now` (real time), those that waited longest first."""
    with database.connect() as connection:
        failed = Sooner(tried_before=now - AFTER_FAILURE, read_since=now - DAILY_FOR)
        return reading_lists.due(connection, now - EVERY, MOST_LISTS, now=now, failed=failed)


def failing_lists_of_profile(database: Database) -> tuple[ReadingList, ...]:
    """Return the lists of `[profile]` whose last reading failed. Files are not among them."""
    with database.connect() as connection:
        return tuple(
            one for one in reading_lists.of(connection, None) if one.problem and one.kind is not ReadingListKind.FILE
        )
