"""OpenAI-compatible endpoints: how they are connected to."""

from __future__ import annotations

from typing import TypedDict

from digestmail import __version__
from digestmail.config.embeddings import EndpointTable
from digestmail.config.settings import Config
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.ssrf import PrivateHosts, parse_target
from digestmail.storage.database import Database
from digestmail.storage.host_limits import StoredHostLimits
from digestmail.text.hosts import is_local
from digestmail.wiring.sources import proxies_of


class EndpointConnection(TypedDict):
    """The arguments that the clients of all endpoints have in common."""

    url: str
    api_key: str | None
    max_body_bytes: int
    host_limits: StoredHostLimits
    user_agent: str
    proxy: ProxyServer | None


def connection_of(table: EndpointTable, config: Config, database: Database) -> EndpointConnection:
    """Return how to connect to the endpoint of a table. Local and private hosts are never reached through the proxy."""
    network, target = config.network, parse_target(table.url)
    own = is_local(target.host) or PrivateHosts.parse(network.allow_private_hosts).names(target.host)
    return EndpointConnection(
        url=table.url,
        api_key=table.api_key.get_secret_value() if table.api_key else None,
        max_body_bytes=network.max_body_bytes,
        host_limits=StoredHostLimits(database),
        user_agent=user_agent(config),
        proxy=None if own else proxies_of(network)[0].of(target),
    )


def user_agent(config: Config) -> str:
    """Return the User-Agent of all requests: the program, and whom to contact about it (RFC 9110 section 10.1.5)."""
    contact = config.network.user_agent_contact or config.mail.sender_address
    return f"digestmail/{__version__} (+{contact})"
