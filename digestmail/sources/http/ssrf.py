"""Which addresses may be asked at all: web addresses before they are resolved, network addresses after."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from w3lib.url import safe_url_string

from digestmail.errors import SourceRefusedError

_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHOWN = 200

_NAT64 = IPv6Network("64:ff9b::/96")
# All that IANA has given out for the open Internet; whatever else `is_global` lets through is not a feed's address.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# What older Pythons call global and IANA's special-purpose registries (RFC 6890) do not.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked web address, in the pieces a request is made of."""

    scheme: str
    host: str
    """ASCII, lower case; an IPv6 address without its brackets."""
    port: int
    resource: str
    """Path and query, percent-encoded; begins with a slash."""

    @property
    def authority(self) -> str:
        """The value of the Host field (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address as messages name it: without the query, which may hold a key."""
        return f"{self.scheme}://{self.authority}{self.resource.partition('?')[0]}"[:_SHOWN]

    def follow(self, location: str) -> Target:
        """Return where a redirect leads (RFC 9110 section 10.2.2). Raises SourceRefusedError."""
        try:
            joined = urljoin(f"{self.scheme}://{self.authority}{self.resource}", location)
        except ValueError as error:
            raise SourceRefusedError(f"{self.shown} leads to an address that cannot be read") from error
        target = parse_target(joined)
        if (self.scheme, target.scheme) == ("https", "http"):
            raise SourceRefusedError(f"{self.shown} leads from https to plain http")
        return target


def parse_target(url: str) -> Target:
    """Take `url` apart. Raises SourceRefusedError unless it is http or https, names a host and carries no login."""
    try:
        split = urlsplit(safe_url_string(url.strip()))
        port = split.port
    except ValueError as error:
        raise SourceRefusedError(f"{url[:_SHOWN]!r} is not a web address") from error
    if split.scheme not in _DEFAULT_PORTS:
        raise SourceRefusedError(f"{url[:_SHOWN]!r} is neither http nor https")
    if "@" in split.netloc:
        raise SourceRefusedError(f"an address on {split.hostname} carries a user name or password")
    return Target(
        scheme=split.scheme,
        host=_checked_host(split),
        port=_DEFAULT_PORTS[split.scheme] if port is None else port,
        resource=(split.path or "/") + (f"?{split.query}" if split.query else ""),
    )


def _checked_host(split: SplitResult) -> str:
    host = normal_host(split.hostname or "")
    try:
        if "[" in split.netloc:
            return str(_unzoned(IPv6Address(host)))
        # The codec refuses labels that are empty or longer than DNS allows (RFC 1035 section 2.3.4).
        host.encode("idna")
    except ValueError as error:
        raise SourceRefusedError(f"{host[:_SHOWN]!r} is not the name of a host") from error
    if not _HOST_NAME.fullmatch(host):
        raise SourceRefusedError(f"{host[:_SHOWN]!r} is not the name of a host")
    return host


def _unzoned(address: IPv6Address) -> IPv6Address:
    # A zone (RFC 4007) names a network card of this machine: no business of a web address.
    if address.scope_id is not None:
        raise ValueError("the address has a zone")
    return address


def normal_host(host: str) -> str:
    """Return a host's name or address in the one spelling it is compared in."""
    return host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")


def check_addresses(host: str, addresses: Iterable[str], *, allowed: frozenset[str]) -> None:
    """Refuse `host` unless everything it resolves to is public, or `host` itself stands in `allowed`.

    One private address among public ones is enough to refuse: a name under a stranger's control chooses freely which
    of them comes first. Raises SourceRefusedError.
    """
    if host in allowed:
        return
    for address in addresses:
        if not is_public(ip_address(address)):
            raise SourceRefusedError(f"{host} is at {address}, which is not a public address")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether `address` is on the open Internet; an IPv6 address that wraps IPv4 ones is judged by those."""
    wrapped = _wrapped(address) if isinstance(address, IPv6Address) else ()
    if wrapped:
        return all(is_public(inner) for inner in wrapped)
    if address.is_multicast or any(address in network for network in _SPECIAL):
        return False
    return address.is_global and (isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST)


def _wrapped(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses a packet to `address` may end at: mapped, NAT64 (RFC 6052), 6to4 or Teredo."""
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(address.packed[-4:]),)
    return ()
