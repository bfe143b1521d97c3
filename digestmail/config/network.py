"""`[network]`: how feeds are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from digestmail.config.values import Password, Table


def _check_private_host(value: str) -> str:
    from digestmail.sources.http.ssrf import PrivateHosts

    PrivateHosts.parse([value])
    return value


def _check_private_network(value: str) -> str:
    from digestmail.sources.http.ssrf import parse_network

    parse_network(value)
    return value


def _check_proxy_address(value: str) -> str:
    from digestmail.sources.http.proxies import parse_proxy

    if parse_proxy(value).login is not None:
        raise ValueError("write the login as proxy_username and proxy_password_file, not into the address")
    return value


PrivateHost = Annotated[str, AfterValidator(_check_private_host)]
PrivateNetwork = Annotated[str, AfterValidator(_check_private_network)]
ProxyAddress = Annotated[str, AfterValidator(_check_proxy_address)]


class NetworkTable(Table):
    """`[network]`: how feeds are fetched."""

    user_agent_contact: str = ""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    max_body_bytes: int = Field(default=20_000_000, ge=1000)
    allow_private_hosts: tuple[PrivateHost, ...] = ()
    allow_private_networks: tuple[PrivateNetwork, ...] = ()
    proxy: ProxyAddress | None = None
    proxy_username: str | None = None
    proxy_password: Password | None = None
    proxy_password_file: Path | None = None
    no_proxy: tuple[str, ...] = ()
