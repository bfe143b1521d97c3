"""What the operator does with the database as a whole: back up, check, tidy up."""

from __future__ import annotations

from digestmail.storage.backup import back_up
from digestmail.storage.maintenance import check, size, vacuum

__all__ = ["back_up", "check", "size", "vacuum"]
