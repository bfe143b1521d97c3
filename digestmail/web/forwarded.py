"""Who the client is, behind proxies: reads `X-Forwarded-For` and `X-Forwarded-Proto` of trusted proxies only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_Address = IPv4Address | IPv6Address
_WITH_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})")
_MOST_HOPS: Final = 50
_LONGEST_HOP: Final = 64


def parse_hop(text: str) -> _Address | None:
    """Return the address in one element of X-Forwarded-For, which may have a port; None for anything else. Pure."""
    text = text.strip()
    if len(text) > _LONGEST_HOP:
        return None
    with_port = _WITH_PORT.fullmatch(text)
    try:
        found = ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return None
        return found.ipv4_mapped or found
    return found


class TrustedProxies:
    """The addresses and networks of proxies that may say who their client is."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Use `networks`: addresses, or networks like 192.0.2.0/24."""
        self._networks = tuple(ip_network(one, strict=False) for one in networks)

    def trusts(self, address: _Address) -> bool:
        """Return whether `address` is one of these proxies."""
        return any(address in network for network in self._networks)

    def client(self, peer: str, fields: Sequence[str]) -> str:
        """Return the address of the client that connected through `peer`. Pure.

        `fields` are the values of all X-Forwarded-For headers. Each proxy appends the address it got the request from,
        so they are read backwards while a trusted proxy wrote them. What an untrusted client wrote in front is never
        reached, and an element that is not an address ends the reading.
        """
        current = parse_hop(peer)
        if current is None:
            return peer
        hops = ",".join(fields).split(",")
        for hop in list(reversed(hops))[:_MOST_HOPS]:
            if not self.trusts(current):
                break
            found = parse_hop(hop)
            if found is None:
                break
            current = found
        return str(current)


class ForwardedHeaders:
    """ASGI middleware that replaces the client's address and the scheme by what trusted proxies report."""

    def __init__(self, app: ASGIApp, *, trusted: Iterable[str]) -> None:
        """Wrap `app`."""
        self._app = app
        self._trusted = TrustedProxies(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI 3)."""
        if scope["type"] == "http" and scope.get("client"):
            scope = {**scope, **self._reported(scope)}
        await self._app(scope, receive, send)

    def _reported(self, scope: Scope) -> dict[str, object]:
        host, port = scope["client"]
        fields = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        changed: dict[str, object] = {"client": (self._trusted.client(host, fields), port)}
        peer = parse_hop(host)
        if peer is not None and self._trusted.trusts(peer):
            schemes = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
            if len(schemes) == 1 and (scheme := schemes[0].strip().lower()) in {b"http", b"https"}:
                changed["scheme"] = scheme.decode()
        return changed
