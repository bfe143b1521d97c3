"""What the worker tells of its progress, with the total it does not know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from digestmail.model.reports import Progress, no_progress
from digestmail.storage.database import Database
from digestmail.storage.stuck import count_due


def deliver_progress(database: Database, tell: Progress, now: datetime) -> Callable[[int], None]:
    """Return what takes how many deliveries are finished; `tell` hears it with how many are due at `now`."""
    if tell is no_progress:
        return lambda _: None
    with database.connect() as connection:
        total = count_due(connection, now)
    # What becomes due meanwhile is delivered, too.
    return lambda done: tell("deliver", done, max(total, done))
