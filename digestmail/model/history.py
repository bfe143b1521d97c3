"""What happened on the last days, as the operator sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class RunOutcome(StrEnum):
    """How a run ended."""

    WELL = "well"
    TROUBLE = "trouble"
    """It ended, and something in it failed."""
    FAILED = "failed"
    """An error ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run. One without `ended_at` is at work, or was killed."""

    number: int | None = None
    """Its number in the log; None if it is not stored yet."""
    started_at: datetime
    ended_at: datetime | None = None
    outcome: RunOutcome | None = None
    detail: str = ""
    """What went wrong first."""
    new_papers: int = 0
    editions: int = 0
    sent: int = 0
    database_bytes: int | None = None
    """The size of the database at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDay:
    """How the readings of a source went on a day in UTC."""

    source: str
    day: date
    readings: int
    failures: int
    new_papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFigures:
    """Deliveries to the addresses at a domain, and what came back. The domain "" stands for those with few messages."""

    domain: str
    sent: int
    failed: int
    bounces: int = 0
    complaints: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionAccount:
    """An edition, and how many of its deliveries are in each state."""

    digest: str
    slot: str
    papers: int
    reason: str
    """Why it has no papers, or what it is without."""
    recipients: int
    deliveries: Mapping[str, int]
