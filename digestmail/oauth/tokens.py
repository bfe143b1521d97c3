"""Access tokens from a token endpoint, shared by all workers through the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from digestmail.clock import Clock
from digestmail.errors import StorageError, TransportError
from digestmail.oauth.answers import TokenGrant, parse_grant
from digestmail.oauth.endpoint import OAuthEndpoint
from digestmail.oauth.presets import Application, GrantType
from digestmail.schedule.moments import is_recent
from digestmail.storage import oauth_tokens
from digestmail.storage.database import Database
from digestmail.storage.oauth_tokens import StoredTokens

_MARGIN: Final = timedelta(minutes=5)
"""A token is renewed so long before it ends, for a clock that is behind and for connections that take a while."""
_FRESH: Final = timedelta(minutes=1)
"""A token this young that is refused is not replaced: the reason is another one."""
_AFTER_FAILURE: Final = 10.0
"""Seconds without requests after one that failed."""
_WAIT: Final = 0.2
"""Seconds between looks at whether another worker has renewed the token."""


class EndpointTokens:
    """The access tokens of one mail server.

    Only one worker at a time requests a token; the others wait for it. A new refresh token is committed before the
    access token that came with it is used.
    """

    def __init__(
        self,
        application: Application,
        endpoint: OAuthEndpoint,
        database: Database,
        clock: Clock,
        *,
        server: str,
        username: str,
        patience: float = 90.0,
    ) -> None:
        """Store the settings. `server` is the name of a table of the configuration ("mail.smtp").

        `patience` is how many seconds to wait for another worker that requests a token.
        """
        self._application = application
        self._endpoint = endpoint
        self._database = database
        self._clock = clock
        self._server = server
        self._account = account_of(application, username)
        self._patience = patience
        self._mutex = Lock()
        self._unsaved: StoredTokens | None = None
        self._failure: tuple[float, str] | None = None
        """Until when no request is made, and why the last one failed."""

    def get(self) -> str:
        """Return an access token that is valid for some time. Raises TransportError."""
        return self._usable(None) or self._obtain(None)

    def renew(self, refused: str) -> str | None:
        """Return another token than `refused`; None if that was issued within the last minute.

        Raises TransportError.
        """
        stored = self._stored()
        now = self._clock.now()
        if stored and stored.access_token == refused and is_recent(stored.obtained_at, now, _FRESH):
            return None
        return self._obtain(refused)

    def has_refresh_token(self) -> bool:
        """Return whether someone has signed in. Raises TransportError."""
        stored = self._stored()
        return stored is not None and stored.refresh_token is not None

    def accept(self, grant: TokenGrant) -> None:
        """Store the tokens of a sign-in. Raises StorageError."""
        self._put(grant_row(grant, self._clock.now()))

    def _put(self, tokens: StoredTokens) -> None:
        with self._database.begin() as connection:
            oauth_tokens.put(connection, self._server, self._account, tokens)

    def _usable(self, refused: str | None) -> str | None:
        stored = self._stored()
        if stored is None or stored.access_token in {None, refused}:
            return None
        return stored.access_token if is_valid(stored, self._clock.now()) else None

    def _stored(self) -> StoredTokens | None:
        with _as_ours(), self._database.connect() as connection:
            return oauth_tokens.find(connection, self._server, self._account)

    def _obtain(self, refused: str | None) -> str:
        with self._mutex, self._alone(refused) as found:
            if found is not None:
                return found
            issued, self._unsaved = self._unsaved or self._request(self._stored()), None
            try:
                with _as_ours():
                    self._put(issued)
            except TransportError:
                # The server may have revoked the refresh token that is still stored.
                self._unsaved = issued
                raise
            return issued.access_token

    @contextmanager
    def _alone(self, refused: str | None) -> Iterator[str | None]:
        """Hold the lock of this server. Yield a token instead if another worker has obtained one meanwhile."""
        ends = self._clock.monotonic() + self._patience
        while True:
            with _as_ours(), self._database.lock(f"oauth-{self._server}") as held:
                found = self._usable(refused)
                if held or found:
                    yield found
                    return
            if self._clock.monotonic() >= ends:
                raise TransportError(f"another worker has been requesting an access token for {self._patience:g} s")
            self._clock.sleep(_WAIT)

    def _request(self, stored: StoredTokens | None) -> StoredTokens:
        """Request tokens. Connections that wait for the same failure get it at once, instead of one after the other."""
        if self._failure is not None and self._clock.monotonic() < self._failure[0]:
            raise TransportError(self._failure[1])
        try:
            return grant_row(self._ask(stored), self._clock.now())
        except TransportError as error:
            self._failure = self._clock.monotonic() + _AFTER_FAILURE, str(error)
            raise

    def _ask(self, stored: StoredTokens | None) -> TokenGrant:
        application = self._application
        form = client_form(application) | {"grant_type": str(application.grant)}
        if application.scope:
            form["scope"] = application.scope
        if application.grant is GrantType.REFRESH_TOKEN:
            if stored is None or stored.refresh_token is None:
                raise TransportError(f"no one has signed in for {self._server}: run `{login_command(self._server)}`")
            form["refresh_token"] = stored.refresh_token
        return parse_grant(self._endpoint.post(application.token_url, form), application.token_url.partition("?")[0])


def is_valid(stored: StoredTokens, now: datetime) -> bool:
    """Return whether an access token can still be used.

    It is renewed five minutes before it ends, or earlier if it lives for less than ten minutes. One that was issued in
    the future was stored by a clock that was ahead.
    """
    lifetime = stored.expires_at - stored.obtained_at
    return is_recent(stored.obtained_at, now, lifetime - min(_MARGIN, lifetime / 2))


def grant_row(grant: TokenGrant, now: datetime) -> StoredTokens:
    """Return what to store of tokens that were issued at `now`."""
    return StoredTokens(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        obtained_at=now,
        expires_at=now + grant.lifetime,
    )


def client_form(application: Application) -> dict[str, str]:
    """Return the fields that identify the client (RFC 6749 section 2.3.1)."""
    form = {"client_id": application.client_id}
    return form | {"client_secret": application.client_secret} if application.client_secret else form


def account_of(application: Application, username: str) -> str:
    """Return a hash of everything that tokens are issued for. If it changes, stored tokens are not used."""
    parts = (application.grant, application.client_id, application.token_url, application.scope, username)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def login_command(server: str) -> str:
    """Return the command that signs in for a server."""
    return f"digestmail oauth login --server {server.rpartition('.')[2]}"


@contextmanager
def _as_ours() -> Iterator[None]:
    """Turn a failure of the database into one of the transport, for which no recipient is to blame."""
    try:
        yield
    except StorageError as error:
        raise TransportError(f"no access token: {error}") from error
