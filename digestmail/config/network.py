"""`[network]`: how feeds are fetched."""

from __future__ import annotations

from pydantic import Field

from digestmail.config.values import Table


class NetworkTable(Table):
    """`[network]`: how feeds are fetched."""

    user_agent_contact: str = ""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    max_body_bytes: int = Field(default=20_000_000, ge=1000)
    allow_private_hosts: tuple[str, ...] = ()
