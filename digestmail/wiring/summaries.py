"""Summaries of the papers of the next editions, after collecting and before publishing."""

from __future__ import annotations

import logging
from datetime import datetime

from digestmail.clock import Clock
from digestmail.config.settings import Config
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database
from digestmail.wiring.endpoints import connection_of

log = logging.getLogger("digestmail.summaries")


def summarize_upcoming(
    collected: CollectReport, config: Config, database: Database, clock: Clock, now: datetime, *, stop: Stop
) -> CollectReport:
    """Get summaries of the papers of the next editions; return the report of collecting with what came of it.

    `clock` gives real time, `now` is when collecting began.
    """
    table = config.summaries
    if table is None or stop():
        return collected
    from digestmail.collect.summarizing import SCHEMA, SummaryBudget, summarize_papers
    from digestmail.editions.upcoming import papers_to_summarize
    from digestmail.sources.chat import ChatEndpoint

    end = clock.monotonic() + table.seconds_per_run
    wanted = papers_to_summarize(database, config.digest_values(), now, max(now, clock.now()))
    with ChatEndpoint(
        model=table.model,
        timeout=table.timeout,
        max_tokens=table.max_tokens,
        schema=SCHEMA,
        clock=clock,
        **connection_of(table, config, database),
    ) as model:
        report = summarize_papers(
            database,
            model,
            wanted,
            SummaryBudget(
                requests_per_day=table.per_day,
                tokens_per_day=table.tokens_per_day,
                max_characters=table.max_characters,
            ),
            today=lambda: clock.now().date(),
            seconds_left=lambda: end - clock.monotonic(),
            stop=stop,
        )
    if report is not None and report.problem:
        log.warning("papers were not summarized: %s", report.problem)
    return collected.with_summaries(report)
