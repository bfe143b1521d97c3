"""Which addresses may be fetched: web addresses before they are resolved, network addresses after. Pure."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urljoin, urlsplit

from w3lib.url import safe_url_string

from digestmail.errors import SourceRefusedError
from digestmail.text.credentials import masked_address

_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SHOWN = 200

Network = IPv4Network | IPv6Network

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
# No feed is there for every host alike: this machine, and the metadata of cloud machines.
_NEVER_OPENED = tuple(map(ip_network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/127", "fe80::/10")))
_FAKE_ADDRESSES = IPv4Network("198.18.0.0/15")
"""What a local proxy (Clash, sing-box, Surge) answers for every name (RFC 2544 reserves it for benchmarks)."""
_LOCAL_DOMAINS = frozenset({"localhost", "local", "internal", "home.arpa", "lan", "intranet"})
"""Top-level names that no public name server knows (RFC 6761, 6762, 8375, and ICANN's `internal`), or should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one fetch may connect to although it is private."""

    places: frozenset[tuple[str, int]] = frozenset()
    """Hosts as URLs name them, with their ports."""
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateHosts:
    """The private hosts and networks that the operator opened."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    """Hosts as URLs name them; without a port, those of the fetch and of http and https."""
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, hosts: Iterable[str], networks: Iterable[str] = ()) -> PrivateHosts:
        """Read `host`, `host:port` and networks in CIDR notation; a network counts as one in either list.

        Raises ValueError.
        """
        named = list(hosts)
        return cls(
            hosts=frozenset(parse_host(each) for each in named if "/" not in each),
            networks=tuple(parse_network(each) for each in (*networks, *(each for each in named if "/" in each))),
        )

    def reachable_from(self, start: Target) -> Allowance:
        """Return what a fetch that begins at `start` may connect to.

        Private hosts are open only to fetches that begin at one of them, so a public feed cannot redirect to them. A
        host without a port is open at the port of `start` and at those of http and https.
        """
        ports = {start.port, *_DEFAULT_PORTS.values()}
        places = frozenset((host, port) for host, given in self.hosts for port in ([given] if given else ports))
        begins_there = {(start.host, None), (start.host, start.port)} & self.hosts
        return Allowance(places=places if begins_there else frozenset(), networks=self.networks)

    def names(self, host: str) -> bool:
        """Return whether `host` is one of them, at any port."""
        return any(host == name for name, _ in self.hosts)


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
        return host if self.given_port is None else f"{host}:{self.port}"

    @property
    def given_port(self) -> int | None:
        """The port, if it is not the default one of the scheme."""
        return None if self.port == _DEFAULT_PORTS[self.scheme] else self.port

    @property
    def shown(self) -> str:
        """The address as messages name it: without the query, which may hold a key."""
        return f"{self.origin}{self.resource.partition('?')[0]}"[:_SHOWN]

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454): credentials and cookies belong to one."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The complete address."""
        return f"{self.origin}{self.resource}"

    def follow(self, location: str) -> Target:
        """Return where a redirect leads (RFC 9110 section 10.2.2). Raises SourceRefusedError."""
        try:
            joined = urljoin(self.url, location)
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
        raise SourceRefusedError(f"{masked_address(url)[:_SHOWN]!r} is not a web address") from error
    if split.scheme not in _DEFAULT_PORTS:
        raise SourceRefusedError(f"{masked_address(url)[:_SHOWN]!r} is neither http nor https")
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


def parse_host(text: str) -> tuple[str, int | None]:
    """Read `host`, `host:port`, an address or `[address]:port`. Raises ValueError."""
    bare = text.strip()
    if bare.count(":") > 1 and not bare.startswith("["):
        bare = f"[{bare}]"
    problem = f"{text!r} is neither a host nor host:port"
    try:
        split = urlsplit(f"//{bare}")
        host, port = _checked_host(split), split.port
    except (ValueError, SourceRefusedError) as error:
        raise ValueError(problem) from error
    if split.path or split.query or split.fragment or "@" in bare:
        raise ValueError(problem)
    return host, port


def parse_network(text: str) -> Network:
    """Read a network in CIDR notation. Raises ValueError if it is none, or would open this machine to every feed."""
    network = ip_network(text.strip(), strict=False)
    if any(network.version == closed.version and network.overlaps(closed) for closed in _NEVER_OPENED):
        raise ValueError(
            f"{text} contains addresses of this machine or of link-local services, which every feed could then reach; "
            "name the single host in allow_private_hosts"
        )
    return network


def check_addresses(host: str, port: int, addresses: Iterable[str], allowed: Allowance) -> None:
    """Refuse `host` unless everything it resolves to is public or allowed, or it is an allowed place itself.

    One private address among public ones is enough to refuse: a name under a stranger's control chooses freely which
    of them comes first. Raises SourceRefusedError.
    """
    if (host, port) in allowed.places:
        return
    for text in addresses:
        address = ip_address(text)
        if _is_permitted(address, allowed.networks):
            continue
        hint = "if it is in your own network, name it in allow_private_hosts"
        if address in _FAKE_ADDRESSES:
            hint = "if a proxy on this machine answers all names so, set allow_private_networks"
        raise SourceRefusedError(f"{host} is at {address}, which is not a public address; {hint}")


def check_name(host: str) -> None:
    """Refuse `host` if it is private by its name alone: all that can be checked if a proxy resolves it.

    Refused are private addresses, in every spelling that resolvers accept ("127.1", "0x7f000001"), names without a
    dot, and names in domains that exist only inside networks. Raises SourceRefusedError.
    """
    address = _literal(host)
    if address is not None and not is_public(address):
        raise SourceRefusedError(f"{host} is not a public address")
    labels = host.split(".")
    if address is None and (len(labels) == 1 or {labels[-1], ".".join(labels[-2:])} & _LOCAL_DOMAINS):
        raise SourceRefusedError(f"{host} is not the name of a public host")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    if ":" in host:
        return ip_address(host)
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_permitted(address: IPv4Address | IPv6Address, networks: tuple[Network, ...]) -> bool:
    if any(address.version == network.version and address in network for network in networks):
        return True
    wrapped = _wrapped(address) if isinstance(address, IPv6Address) else ()
    if wrapped:
        return all(_is_permitted(inner, networks) for inner in wrapped)
    return is_public(address)


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
