"""What all workers share about the servers they send to: rates, connections, pipelining."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, SmallInteger, Table, Text

from digestmail.model.deliveries import Manner
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

# How fast messages may be sent to a relay or a recipient domain, shared by all workers. Only limited ones have a row.
rates = Table(
    "rates",
    metadata,
    # `relay:NAME` or `domain:NAME`.
    Column("key", Text, primary_key=True),
    # When the next message may be sent (generic cell rate algorithm).
    Column("next_at", Moment, nullable=False),
    # 1 is full speed. It is halved when the server asks to slow down, and recovers over time.
    Column("factor", Float, nullable=False),
    Column("slowed_at", Moment),
    # The circuit breaker: no attempts until this time, and why.
    Column("paused_until", Moment),
    Column("reason", UntrustedText),
)

# Connections that each worker holds to a relay or a domain. The leases of a dead worker expire.
connection_leases = Table(
    "connection_leases",
    metadata,
    Column("key", Text, primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("connections", Integer, nullable=False),
    Column("until", Moment, nullable=False),
)

# The workers that are sending now, and their processes. A worker that is killed leaves its row behind.
workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    # The machine since its last start, and the container. The process ID and start time mean something only there.
    Column("machine", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Text, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

# How far a mail server supports pipelining. One name may stand for several machines, so the key includes what the
# server announces about itself.
servers = Table(
    "servers",
    metadata,
    # `host:port`, or the path of a socket.
    Column("server", Text, primary_key=True),
    # The software named in its greeting, if any, and its EHLO keywords.
    Column("face", Text, primary_key=True),
    Column("manner", Text, nullable=False),
    Column("since", Moment, nullable=False),
    # How often pipelining failed. The wait before the next try doubles each time.
    Column("failures", SmallInteger, nullable=False),
    one_of("manner", Manner),
)

# OAuth 2 tokens for mail servers. A row belongs to a table of the configuration that has a login.
oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    # "mail.smtp", "mail.fallback" or "bounces".
    Column("server", Text, primary_key=True),
    # A hash of what the tokens were issued for: client, endpoint, scope and user name.
    Column("account", Text, nullable=False),
    Column("access_token", Text, nullable=False),
    Column("refresh_token", Text),
    Column("obtained_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
