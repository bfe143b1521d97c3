"""Citations and venues of recent papers, after collecting."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

from digestmail.clock import Clock
from digestmail.config.enrichment import EnrichmentTable
from digestmail.config.settings import Config
from digestmail.model.literature import IndexName, LiteratureIndex
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits
from digestmail.wiring.endpoints import user_agent

log = logging.getLogger("digestmail.enrichment")

_LONGEST: Final = 30.0
"""Seconds that one run may spend on it: editions wait for it."""
_TIMEOUT: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAddresses:
    """Where the indexes are."""

    semantic_scholar: str = "https://api.semanticscholar.org"
    openalex: str = "https://api.openalex.org"


def enrich_recent(
    collected: CollectReport, config: Config, database: Database, clock: Clock, *, stop: Stop
) -> CollectReport:
    """Ask the indexes of `[enrichment]` about recent papers; return the report of collecting with what came of it."""
    table = config.enrichment
    if table is None or stop():
        return collected
    from digestmail.collect.enriching import EnrichmentLimits, enrich_papers

    end = clock.monotonic() + _LONGEST
    reports = []
    with ExitStack() as opened:
        for index in _indexes(config, table, database, clock, opened):
            report = enrich_papers(
                database,
                index,
                EnrichmentLimits(days=table.days, requests_per_day=table.per_day),
                clock.now(),
                today=lambda: clock.now().date(),
                stop=lambda: stop() or clock.monotonic() >= end,
            )
            if report is not None:
                reports.append(report)
                if report.problem:
                    log.warning("%s was not asked about all papers: %s", report.index, report.problem)
    return collected.with_enrichment(tuple(reports))


def _indexes(
    config: Config, table: EnrichmentTable, database: Database, clock: Clock, opened: ExitStack
) -> Iterator[LiteratureIndex]:
    """Yield the indexes in the order of the configuration. Nothing is connected before it is used."""
    from digestmail.sources.http.host_locks import HostLocks
    from digestmail.sources.http.ssrf import parse_target
    from digestmail.sources.json_endpoint import JsonEndpoint
    from digestmail.sources.openalex import OpenAlex
    from digestmail.sources.semantic_scholar import MIN_INTERVAL, SemanticScholar, batch_address
    from digestmail.wiring.sources import open_http, proxies_of

    at, random = IndexAddresses(), Random()  # noqa: S311 - spreads retries; it need not be secret
    for name in dict.fromkeys(table.indexes):
        if name is IndexName.OPENALEX:
            http = opened.enter_context(open_http(config, database, clock, random, locks=HostLocks()))
            key = table.openalex_key
            yield OpenAlex(fetcher=http, api_key=key.get_secret_value() if key else None, base_url=at.openalex)
            continue
        key = table.semantic_scholar_key
        address = batch_address(at.semantic_scholar)
        endpoint = JsonEndpoint(
            table="enrichment",
            address=address,
            api_key=key.get_secret_value() if key else None,
            timeout=_TIMEOUT,
            max_body_bytes=config.network.max_body_bytes,
            clock=clock,
            host_limits=StoredHostLimits(database),
            user_agent=user_agent(config),
            proxy=proxies_of(config.network)[0].of(parse_target(address)),
            min_interval=MIN_INTERVAL,
            key_header="x-api-key",
            key_file="semantic_scholar_key_file",
        )
        yield SemanticScholar(opened.enter_context(endpoint))
