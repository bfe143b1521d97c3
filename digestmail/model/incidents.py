"""Problems that the operator is told about: once when they last, and once when they are over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A problem that `digestmail check` names, from the first time to the last."""

    key: str
    """The problem without what changes from day to day, such as counts and times."""
    text: str
    began_at: datetime
    announced_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was no longer there. It is kept until its end is announced."""
