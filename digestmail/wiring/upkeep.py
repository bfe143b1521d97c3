"""What the operator does with the complete database: back up, restore, check, tidy up; `digestmail up` tidies daily."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from digestmail.config.settings import Config
from digestmail.delivery import restore as restoring
from digestmail.delivery.epoch import EpochFile
from digestmail.storage.backup import back_up
from digestmail.storage.database import Database
from digestmail.storage.maintenance import check, optimize, size, unused, vacuum

__all__ = ["back_up", "check", "restore", "size", "vacuum"]

_SHARE: Final = 0.25
_BYTES: Final = 100_000_000
"""Less than this, or than that share of the database, is not worth the time for which nothing else can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepReport:
    """What the daily upkeep found."""

    size: int
    """Of the database, in bytes."""
    unused: int
    """Bytes of it that hold nothing."""

    @property
    def hints(self) -> tuple[str, ...]:
        """What the operator may want to do."""
        if self.unused < max(_BYTES, self.size * _SHARE):
            return ()
        hint = (
            f"{self.unused:,} of the {self.size:,} bytes of the database are unused: `digestmail database vacuum` "
            "gives them back to the disk; nothing else can write meanwhile"
        )
        return (hint,)


def restore(
    config: Config, base: Path, guard: Callable[[], EpochFile], source: Path, now: datetime
) -> tuple[Path | None, int]:
    """Replace the database by the backup `source`; return where its content before is, and the cancelled deliveries.

    The content before goes beside the SQLite file, or beside the epoch file for PostgreSQL: this user may write there.
    The database may be damaged or of a newer version, so it is not upgraded before. Raises StorageError.
    """
    with closing(Database.open(config.database, base=base)) as database:
        (beside, *_) = database.files() or (base / config.epoch_file,)
        return restoring.restore(database, guard, source, beside.parent, now)


def tidy(database: Database) -> UpkeepReport:
    """Update the statistics of the query planner, and look for unused space. Raises StorageError."""
    optimize(database)
    return UpkeepReport(size=size(database), unused=unused(database))
