"""Access tokens of mail servers, and signing in: from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from digestmail import __version__
from digestmail.clock import Clock
from digestmail.config.bounces import BouncesTable
from digestmail.config.mail import SmtpTable
from digestmail.config.settings import Config
from digestmail.errors import ConfigError
from digestmail.oauth.endpoint import OAuthEndpoint
from digestmail.oauth.local import CommandTokens, FileTokens
from digestmail.oauth.presets import Application, GrantType
from digestmail.oauth.tokens import EndpointTokens, login_command
from digestmail.sources.http.exchange import HttpExchange
from digestmail.storage.database import Database
from digestmail.transports.sasl import AccessTokens
from digestmail.wiring.sources import proxies_of

_LONGEST_REQUEST: Final = 30.0
"""Seconds for one request."""


def access_tokens(config: Config, base: Path, database: Database, clock: Clock, key: str) -> AccessTokens | None:
    """Return the access tokens for the server of the table `key` ("mail.smtp"); None if it uses a password."""
    table = _table(config, key)
    if table is None or table.oauth is None:
        return None
    if table.oauth.token_file is not None:
        return FileTokens(base / table.oauth.token_file)
    if table.oauth.token_command is not None:
        return CommandTokens(table.oauth.token_command, clock)
    return endpoint_tokens(config, database, clock, key)[0]


def endpoint_tokens(
    config: Config, database: Database, clock: Clock, key: str
) -> tuple[EndpointTokens, Application, OAuthEndpoint]:
    """Return the tokens from the token endpoint of the table `key`, and what requests them. Raises ConfigError."""
    table = _table(config, key)
    oauth = table.oauth if table is not None else None
    application = oauth.application("smtp" if isinstance(table, SmtpTable) else "imap") if oauth else None
    if table is None or application is None:
        raise ConfigError([f"{key}.oauth: no token endpoint is configured: set provider or token_url"])
    endpoint = OAuthEndpoint(open_exchange(config, clock), login_command=login_command(key))
    tokens = EndpointTokens(application, endpoint, database, clock, server=key, username=table.username or "")
    return tokens, application, endpoint


def sign_in_application(
    config: Config, database: Database, clock: Clock, key: str
) -> tuple[EndpointTokens, Application, OAuthEndpoint]:
    """Return what signing in needs. Raises ConfigError if the configuration leaves no way to sign in."""
    found = endpoint_tokens(config, database, clock, key)
    application = found[1]
    if application.grant is not GrantType.REFRESH_TOKEN:
        raise ConfigError([f"{key}.oauth.grant: with {application.grant.value!r}, no one has to sign in"])
    if application.device_url is None and application.authorization_url is None:
        raise ConfigError([f"{key}.oauth.device_url: to sign in, set device_url or authorization_url"])
    return found


def sign_in_problems(config: Config, database: Database, clock: Clock) -> Iterator[str]:
    """Name the servers that someone has to sign in to first."""
    for key in ("mail.smtp", "mail.fallback", "bounces"):
        table = _table(config, key)
        if table is None or table.oauth is None or table.oauth.application("smtp") is None:
            continue
        tokens, application, _ = endpoint_tokens(config, database, clock, key)
        if application.grant is GrantType.REFRESH_TOKEN and not tokens.has_refresh_token():
            yield f"{key}.oauth: no one has signed in: run `{login_command(key)}`"


def open_exchange(config: Config, clock: Clock) -> HttpExchange:
    """Return a client for single requests, with the proxies of the configuration."""
    contact = config.network.user_agent_contact or config.mail.sender_address
    return HttpExchange(
        clock=clock,
        user_agent=f"digestmail/{__version__} (+{contact})",
        proxies=proxies_of(config.network)[0],
        timeout=_LONGEST_REQUEST,
    )


def _table(config: Config, key: str) -> SmtpTable | BouncesTable | None:
    tables = {"mail.smtp": config.mail.smtp, "mail.fallback": config.mail.fallback, "bounces": config.bounces}
    return tables[key]
