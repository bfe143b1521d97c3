"""What follows the reading of sources."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from digestmail.clock import Clock
from digestmail.config.settings import Config
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database
from digestmail.wiring.learning import learn_from_collected
from digestmail.wiring.reading_lists import read_due_lists


def follow_up(
    collected: CollectReport, config: Config, base: Path, database: Database, clock: Clock, *, today: date, stop: Stop
) -> CollectReport:
    """Read reading lists, embed and learn; return the report of collecting with what came of it.

    `clock` gives real time. Files in `[profile]` begin at `base`.
    """
    collected = read_due_lists(collected, config, base, database, clock, stop=stop)
    return learn_from_collected(collected, config, database, clock, today=today, stop=stop)
