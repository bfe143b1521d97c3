"""Reading lists, embeddings of new papers, and learning of topics, after collecting."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digestmail.clock import Clock
from digestmail.config.embeddings import EmbeddingsTable
from digestmail.config.settings import Config
from digestmail.editions.topic_learning import refresh_models
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database
from digestmail.wiring.endpoints import connection_of
from digestmail.wiring.profile import refresh_lists
from digestmail.wiring.reading_lists import read_due_lists

if TYPE_CHECKING:
    from digestmail.sources.embeddings import EmbeddingsEndpoint

log = logging.getLogger("digestmail.embeddings")

_LONGEST = 300.0
"""Seconds that one run may spend on embeddings: editions wait for it."""


def learn_from_collected(
    collected: CollectReport, config: Config, base: Path, database: Database, clock: Clock, now: datetime, *, stop: Stop
) -> CollectReport:
    """Read reading lists, embed and learn; return the report of collecting with what came of it.

    Relative paths start at `base`. `clock` gives real time, `now` is when collecting began.
    """
    table, digests, today = config.embeddings, config.digest_values(), now.date()
    if stop():
        return collected
    refresh_lists(config, base, database, clock.now())
    collected = read_due_lists(collected, config, database, clock, stop=stop)
    if table is None:
        return collected.with_learning(refresh_models(database, digests, today, stop=stop))
    from digestmail.collect.embedding import embed_papers

    end = clock.monotonic() + _LONGEST
    with open_endpoint(config, table, database, clock) as endpoint:
        embedding = embed_papers(
            database,
            endpoint,
            most=table.papers_per_run,
            batch_size=table.batch_size,
            stop=lambda: stop() or clock.monotonic() >= end,
        )
        if embedding is not None and embedding.problem:
            log.warning("papers were not embedded: %s", embedding.problem)
        learning = None if stop() else refresh_models(database, digests, today, endpoint, stop=stop)
    return collected.with_learning(learning, embedding)


@contextmanager
def open_endpoint(
    config: Config, table: EmbeddingsTable, database: Database, clock: Clock
) -> Iterator[EmbeddingsEndpoint]:
    """Yield the endpoint of `[embeddings]`. Nothing is connected before it is used."""
    from digestmail.sources.embeddings import EmbeddingsEndpoint

    with EmbeddingsEndpoint(
        model=table.model,
        timeout=table.timeout,
        max_characters=table.max_characters,
        clock=clock,
        **connection_of(table, config, database),
    ) as endpoint:
        yield endpoint
