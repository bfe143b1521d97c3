"""What follows collecting: reading lists, embeddings of new papers, and learning of topics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from digestmail import __version__
from digestmail.clock import Clock
from digestmail.config.embeddings import EmbeddingsTable
from digestmail.config.settings import Config
from digestmail.editions.topic_learning import refresh_models
from digestmail.model.reports import CollectReport, Stop
from digestmail.sources.http.ssrf import PrivateHosts, parse_target
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits
from digestmail.text.hosts import is_local
from digestmail.wiring.profile import refresh_lists
from digestmail.wiring.reading_lists import read_due_lists
from digestmail.wiring.sources import proxies_of

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

    network, target = config.network, parse_target(table.url)
    own = is_local(target.host) or PrivateHosts.parse(network.allow_private_hosts).names(target.host)
    contact = network.user_agent_contact or config.mail.sender_address
    with EmbeddingsEndpoint(
        url=table.url,
        model=table.model,
        api_key=table.api_key.get_secret_value() if table.api_key else None,
        timeout=table.timeout,
        max_body_bytes=network.max_body_bytes,
        max_characters=table.max_characters,
        clock=clock,
        host_limits=StoredHostLimits(database),
        user_agent=f"digestmail/{__version__} (+{contact})",
        proxy=None if own else proxies_of(network)[0].of(target),
    ) as endpoint:
        yield endpoint
