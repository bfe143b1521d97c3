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
FILES_EVERY: Final = timedelta(hours=1)
"""How often the files of `[profile]` are looked at; they are read only if they changed."""


def due_lists(
    database: Database, wanted: Collection[tuple[ReadingListKind, str]], now: datetime
) -> tuple[ReadingList, ...]:
    """Return the lists to read at `now` (real time), those that waited longest first.

    First the stored lists of `[profile]` are made those in `wanted`, each (kind, reference). Without any list this is
    two queries of an empty table.
    """
    files = [one for one in _synced(database, wanted, now) if one.kind is ReadingListKind.FILE and _is_old(one, now)]
    with database.connect() as connection:
        due = reading_lists.due(connection, now - EVERY, MOST_LISTS, now=now, failed_before=now - AFTER_FAILURE)
    return (*files, *due)


def failing_lists_of_profile(database: Database) -> tuple[ReadingList, ...]:
    """Return the lists of `[profile]` whose last reading failed."""
    with database.connect() as connection:
        return tuple(one for one in reading_lists.of(connection, None) if one.problem)


def _synced(
    database: Database, wanted: Collection[tuple[ReadingListKind, str]], now: datetime
) -> tuple[ReadingList, ...]:
    with database.connect() as connection:
        stored = reading_lists.of(connection, None)
    if {(one.kind, one.reference) for one in stored} == set(wanted):
        return stored
    with database.begin() as connection:
        return reading_lists.sync_operator_lists(connection, wanted, now)


def _is_old(one: ReadingList, now: datetime) -> bool:
    """Return whether a file is to be looked at again; one whose time is in the future is."""
    return one.tried_at is None or not timedelta() <= now - one.tried_at < FILES_EVERY
