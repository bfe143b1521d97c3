"""`[web]`: the pages and the API."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from digestmail.config.values import Guard, PathPrefix, ProxyNetwork, Table


class WebTable(Table):
    """`[web]`: the pages and the API."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    prefix: PathPrefix | None = None
    trusted_proxies: tuple[ProxyNetwork, ...] = ("127.0.0.1", "::1")
    thumbnails: bool = False
    access_log: bool = False
    feedback: bool = True
    searches_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    admin_token: Guard | None = None
    admin_token_file: Path | None = None
    metrics_token: Guard | None = None
    metrics_token_file: Path | None = None
    webhook_secret: Guard | None = None
    webhook_secret_file: Path | None = None
