"""OAuth 2 tokens for mail servers, shared by all workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from digestmail.storage import schema
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTokens:
    """The tokens for one server."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    obtained_at: datetime
    expires_at: datetime


def find(connection: Connection, server: str, account: str) -> StoredTokens | None:
    """Return the tokens for `server`; None if there are none, or if they were issued for another `account`."""
    table = schema.oauth_tokens.c
    columns = (table.access_token, table.refresh_token, table.obtained_at, table.expires_at)
    row = connection.execute(select(*columns).where(table.server == server, table.account == account)).one_or_none()
    return None if row is None else StoredTokens(**row._mapping)  # noqa: SLF001 - SQLAlchemy's name for a public API


def put(connection: Connection, server: str, account: str, tokens: StoredTokens) -> None:
    """Store tokens. Without a refresh token, the one of the same account is kept (RFC 6749 section 6)."""
    table = schema.oauth_tokens
    before = find(connection, server, account)
    values = {
        "account": account,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token or (before.refresh_token if before else None),
        "obtained_at": tokens.obtained_at,
        "expires_at": tokens.expires_at,
    }
    row = insert(connection, table).values(server=server, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["server"], set_=values))
