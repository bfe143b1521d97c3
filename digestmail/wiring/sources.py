"""Sources: creates them from the configuration, each with its own HTTP client."""

from __future__ import annotations

import logging
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from random import Random

from digestmail import __version__
from digestmail.clock import Clock
from digestmail.config.fetched import FetchedTable
from digestmail.config.network import NetworkTable
from digestmail.config.settings import Config
from digestmail.config.sources import AnySource
from digestmail.model.papers import Validators
from digestmail.sources.base import Source
from digestmail.sources.factory import make_source
from digestmail.sources.http.client import Http
from digestmail.sources.http.host_locks import HostLocks
from digestmail.sources.http.proxies import Proxies, environment_proxies, parse_proxy
from digestmail.sources.http.ssrf import PrivateHosts
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits
from digestmail.storage.sources import find_validators

log = logging.getLogger("digestmail.sources")

_FOR_THE_CLIENT = frozenset({"kind", "urls", "opml", "api_key", "api_key_file"})
"""Keys of tables that say which source it is and what the client sends, and are not the source's own."""


@contextmanager
def open_sources(
    config: Config, database: Database, clock: Clock, horizon: datetime, random: Random
) -> Iterator[tuple[list[Source], Mapping[str, str]]]:
    """Yield the sources, and the address of each by name. Their connections are closed at the end.

    `horizon` is the latest possible time. Validators stored later were stored with a clock that was ahead.
    """
    proxies, problems = proxies_of(config.network)
    for problem in problems:
        log.warning("%s", problem)
    locks = HostLocks()
    with ExitStack() as opened:
        sources = []
        for table in config.sources:
            known = partial(_validators, database, table.name, horizon)
            http = _http(
                config,
                database,
                clock,
                random,
                headers=_headers(table),
                validators=known,
                proxies=proxies,
                locks=locks,
            )
            sources.append(_source(table, opened.enter_context(http)))
        yield sources, {table.name: table.address for table in config.sources}


def open_http(
    config: Config,
    database: Database,
    clock: Clock,
    random: Random,
    *,
    locks: HostLocks,
    headers: Mapping[str, str] | None = None,
) -> Http:
    """Return a client that belongs to no source and knows no validators. Close it, or use it in a `with`.

    `headers` are sent with every request, but only to the origin that a fetch begins at.
    """
    proxies = proxies_of(config.network)[0]
    return _http(
        config, database, clock, random, headers=headers or {}, validators=_unknown, proxies=proxies, locks=locks
    )


@contextmanager
def open_source(
    config: Config, database: Database, clock: Clock, random: Random, table: AnySource | None = None
) -> Iterator[tuple[Http, Source | None]]:
    """Yield what fetches for `table`, or for no source in particular, and the source; nothing is known of either."""
    proxies = proxies_of(config.network)[0]
    headers = _headers(table) if table else {}
    with _http(config, database, clock, random, headers=headers, validators=_unknown, proxies=proxies) as http:
        yield http, _source(table, http) if table else None


def proxies_of(network: NetworkTable, environment: Mapping[str, str] = os.environ) -> tuple[Proxies, tuple[str, ...]]:
    """Return the proxies of the configuration or else of the environment, and what is wrong with the latter."""
    if network.proxy is None:
        return environment_proxies(environment, network.no_proxy)
    password = network.proxy_password.get_secret_value() if network.proxy_password else ""
    login = (network.proxy_username, password) if network.proxy_username is not None else None
    proxy = parse_proxy(network.proxy, login)
    return Proxies(http=proxy, https=proxy, direct=network.no_proxy), ()


def _http(
    config: Config,
    database: Database,
    clock: Clock,
    random: Random,
    *,
    headers: Mapping[str, str],
    validators: Callable[[str], Validators],
    proxies: Proxies,
    locks: HostLocks | None = None,
) -> Http:
    network = config.network
    private = PrivateHosts.parse(network.allow_private_hosts, network.allow_private_networks)
    contact = network.user_agent_contact or config.mail.sender_address
    # Crossref and others look for "mailto:", and answer sooner if they know whom to write to.
    contact = f"mailto:{contact}" if "@" in contact and ":" not in contact else contact
    return Http(
        clock=clock,
        host_limits=StoredHostLimits(database, own_hosts=frozenset(host for host, _ in private.hosts)),
        validators=validators,
        user_agent=f"digestmail/{__version__} (+{contact})",
        timeout=network.timeout,
        max_body_bytes=network.max_body_bytes,
        random=random,
        private=private,
        proxies=proxies,
        headers=headers,
        locks=locks,
    )


def _headers(table: AnySource) -> dict[str, str]:
    """Return what the server of a source wants to see; a login is HTTP's basic one (RFC 7617)."""
    headers = table.sent_headers()
    if table.username is not None and table.password is not None:
        login = f"{table.username}:{table.password.get_secret_value()}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    return headers


def _source(table: AnySource, http: Http) -> Source:
    options = table.model_dump(exclude={*FetchedTable.model_fields, *_FOR_THE_CLIENT})
    return make_source(table.kind, http, name=table.name, **options)


def _validators(database: Database, source: str, horizon: datetime, url: str) -> Validators:
    with database.connect() as connection:
        return find_validators(connection, source, url, horizon)


def _unknown(_url: str) -> Validators:
    return Validators()
