"""Sources: creates them from the configuration, each with its own HTTP client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from random import Random

from digestmail import __version__
from digestmail.clock import Clock
from digestmail.config.settings import Config
from digestmail.model.papers import Validators
from digestmail.sources.base import Source
from digestmail.sources.factory import make_source
from digestmail.sources.http.client import Http
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits
from digestmail.storage.sources import find_validators


@contextmanager
def open_sources(
    config: Config, database: Database, clock: Clock, horizon: datetime, random: Random
) -> Iterator[list[Source]]:
    """Yield the sources. Their connections are closed at the end.

    `horizon` is the latest possible time. Validators stored later were stored with a clock that was ahead.
    """
    network = config.network
    own_hosts = frozenset(network.allow_private_hosts)
    contact = network.user_agent_contact or config.mail.sender_address
    with ExitStack() as opened:
        sources = []
        for table in config.sources:
            http = Http(
                clock=clock,
                gates=StoredHostLimits(database, own_hosts=own_hosts),
                validators=partial(_validators, database, table.name, horizon),
                user_agent=f"digestmail/{__version__} (+{contact})",
                timeout=network.timeout,
                max_body_bytes=network.max_body_bytes,
                allow_private_hosts=own_hosts,
                random=random,
            )
            sources.append(make_source(table.kind, opened.enter_context(http), **table.model_dump(exclude={"kind"})))
        yield sources


def _validators(database: Database, source: str, horizon: datetime, url: str) -> Validators:
    with database.connect() as connection:
        return find_validators(connection, source, url, horizon)
