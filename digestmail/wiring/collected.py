"""What follows collecting: reading lists, learning of topics, summaries of papers, and citations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from digestmail.clock import Clock
from digestmail.config.settings import Config
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database
from digestmail.wiring.enrichment import enrich_recent
from digestmail.wiring.learning import learn_from_collected
from digestmail.wiring.summaries import summarize_upcoming


def titled(collected: CollectReport, config: Config) -> CollectReport:
    """Return the report with what people know the sources by."""
    known_as = {table.name: table.known_as for table in config.sources}
    named = (replace(one, known_as=known_as.get(one.source, "")) for one in collected.sources)
    return replace(collected, sources=tuple(named))


def follow_up(
    collected: CollectReport,
    config: Config,
    base: Path,
    database: Database,
    clock: Clock,
    now: datetime,
    *,
    stop: Stop,
) -> CollectReport:
    """Do all that needs the collected papers; return the report of collecting with what came of it.

    Topics are learned before papers are summarized, because they decide which papers the next editions contain.
    Relative paths start at `base`. `clock` gives real time, `now` is when collecting began.
    """
    report = learn_from_collected(titled(collected, config), config, base, database, clock, now, stop=stop)
    report = summarize_upcoming(report, config, database, clock, now, stop=stop)
    return enrich_recent(report, config, database, clock, stop=stop)
