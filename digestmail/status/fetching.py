"""What `digestmail check` notes about how sources are fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from digestmail.model.papers import Health, SourceHealth
from digestmail.wiring.sources import proxies_of

if TYPE_CHECKING:
    from digestmail.app import App


def notes(app: App, health: Iterable[SourceHealth]) -> Iterator[str]:
    """Name the sources that are parked or in no digest, and the proxies that requests to sources go through."""
    names = {table.name: table.shown_name for table in app.config.sources}
    for row in health:
        if not row.category and row.health is Health.PARKED:
            yield f"source {names.get(row.source, row.source)} is parked: {row.detail}"
    used = {name for digest in app.digests for name in digest.sources}
    for table in app.config.sources:
        if table.name not in used:
            yield f"source {table.shown_name} is in no digest: add it to sources of a [[digests]] table"
    proxies, problems = proxies_of(app.config.network)
    for scheme, proxy in (("http", proxies.http), ("https", proxies.https)):
        if proxy is not None:
            yield f"requests to {scheme}:// sources go through the proxy {proxy.shown}"
    yield from problems
