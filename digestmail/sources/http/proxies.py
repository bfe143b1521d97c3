"""Which proxy a request goes through, from the configuration or the environment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from digestmail.errors import SourceRefusedError
from digestmail.sources.http.ssrf import Target, normal_host, parse_target

_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyServer:
    """An HTTP proxy. It gets http requests with the complete address, and CONNECT for https (RFC 9110, 9.3.6)."""

    target: Target
    """Where it listens."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password."""

    @property
    def shown(self) -> str:
        """The proxy as messages name it."""
        return self.target.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies for http and https addresses, and the hosts that are connected to directly."""

    http: ProxyServer | None = None
    https: ProxyServer | None = None
    direct: tuple[str, ...] = ()
    """As in NO_PROXY: `*`, host names, which stand for their subdomains too, `host:port`, addresses and networks."""

    def of(self, target: Target) -> ProxyServer | None:
        """Return the proxy for a request to `target`; None if it is connected to directly."""
        proxy = self.https if target.scheme == "https" else self.http
        return None if proxy is None or any(_matches(entry, target) for entry in self.direct) else proxy


def parse_proxy(address: str, login: tuple[str, str] | None = None) -> ProxyServer:
    """Read `http://host:port`; without a scheme it is http. A login in the address counts if `login` is None.

    Raises ValueError, with a sentence that does not show the login.
    """
    complete = address if "://" in address else f"http://{address}"
    try:
        split = urlsplit(complete)
        host = split.netloc[split.netloc.rfind("@") + 1 :]
        if split.scheme not in _SCHEMES:
            raise ValueError(f"{split.scheme}:// proxies are not supported, only http:// and https://")
        target = parse_target(f"{split.scheme}://{host}/")
    except SourceRefusedError as error:
        raise ValueError("not the address of a proxy, which is made like http://proxy.example.org:3128") from error
    if login is None and split.username is not None:
        login = unquote(split.username), unquote(split.password or "")
    return ProxyServer(target=target, login=login)


def environment_proxies(environment: Mapping[str, str], direct: Iterable[str] = ()) -> tuple[Proxies, tuple[str, ...]]:
    """Return the proxies that the environment names, and a sentence for each variable that cannot be used.

    Read are HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl and other programs do: a variable in lower case
    takes precedence, and an empty one counts as not set. `direct` are further entries as in NO_PROXY.
    """
    found: dict[str, ProxyServer | None] = {}
    problems = []
    for scheme in _SCHEMES:
        name, address = _variable(environment, f"{scheme}_proxy", "all_proxy")
        try:
            found[scheme] = parse_proxy(address) if address else None
        except ValueError as error:
            found[scheme] = None
            problems.append(f"{name} is ignored: {error}")
    listed = _variable(environment, "no_proxy")[1].split(",")
    entries = (*direct, *filter(None, map(str.strip, listed)))
    return Proxies(http=found["http"], https=found["https"], direct=entries), tuple(dict.fromkeys(problems))


def _variable(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    for name in names:
        for spelling in (name, name.upper()):
            if value := environment.get(spelling, "").strip():
                return spelling, value
    return "", ""


def _matches(entry: str, target: Target) -> bool:
    """Return whether an entry of NO_PROXY names the host of `target`."""
    if entry == "*":
        return True
    host, port = _split(entry)
    if port and port != target.port:
        return False
    try:
        return ip_address(target.host) in ip_network(host, strict=False)
    except ValueError:
        name = host.removeprefix("*").removeprefix(".")
        return bool(name) and (target.host == name or target.host.endswith(f".{name}"))


def _split(entry: str) -> tuple[str, int | None]:
    """Divide an entry into host and port; the colons of an IPv6 address belong to it unless there are brackets."""
    host, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return normal_host(host), int(port)
    return normal_host(entry), None
