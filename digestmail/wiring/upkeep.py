"""What the operator does with the database as a whole: back up, check, tidy up; and what `digestmail up` does daily."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from digestmail.storage.backup import back_up
from digestmail.storage.database import Database
from digestmail.storage.maintenance import check, optimize, size, unused, vacuum

__all__ = ["back_up", "check", "size", "vacuum"]

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


def tidy(database: Database) -> UpkeepReport:
    """Update the statistics of the query planner, and look for unused space. Raises StorageError."""
    optimize(database)
    return UpkeepReport(size=size(database), unused=unused(database))
