"""Which reading lists are due. Imports little, because it is asked in every run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.storage import reading_lists
from digestmail.storage.database import Database

MOST_LISTS: Final = 50
"""Lists that are read in one run."""
EVERY: Final = timedelta(days=7)
AFTER_FAILURE: Final = timedelta(days=1)


def sync_lists_of_profile(
    database: Database, wanted: Collection[tuple[ReadingListKind, str]], now: datetime
) -> tuple[ReadingList, ...]:
    """Make the stored lists of `[profile]` those in `wanted`, each (kind, reference).

    Nothing is written if they are the same already.
    """
    with database.connect() as connection:
        stored = reading_lists.of(connection, None)
    if {(one.kind, one.reference) for one in stored} == set(wanted):
        return stored
    with database.begin() as connection:
        return reading_lists.sync_operator_lists(connection, wanted, now)


def due_lists(database: Database, now: datetime) -> tuple[ReadingList, ...]:
    """Return the lists to read at `now` (real time), those that waited longest first."""
    with database.connect() as connection:
        return reading_lists.due(connection, now - EVERY, MOST_LISTS, now=now, failed_before=now - AFTER_FAILURE)
