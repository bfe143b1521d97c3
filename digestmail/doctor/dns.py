"""DNS lookups: the records of a name, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    import dns.rdata
    import dns.resolver

_LARGEST_DATAGRAM: Final = 1232
"""Octets of an answer over UDP that pass every network without fragments (https://www.dnsflagday.net/2020/)."""
Kind = Literal["TXT", "MX", "A", "AAAA", "PTR"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the DNS has for a name and a type."""

    values: tuple[str, ...] = ()
    """TXT: the strings of each record, joined. MX: "10 mx.example.org". PTR: names. All names without a final dot."""
    exists: bool = True
    """False if the name does not exist (NXDOMAIN)."""
    problem: str = ""
    """Why it is not known: "SERVFAIL", "no answer within 5 seconds". Then there are no values."""


class Dns(Protocol):
    """Looks up records."""

    def look_up(self, name: str, kind: Kind) -> Records:
        """Return the records of `name`. CNAMEs are followed."""
        ...


class Resolver:
    """Asks a resolver: the one of this machine, or another one. Truncated answers are asked for again over TCP."""

    def __init__(self, server: str | None = None, *, seconds: float = 5.0) -> None:
        """Use `server`, an address with or without a port ("192.0.2.53", "[2001:db8::53]:5353"), or the system's.

        A lookup takes `seconds` at most. Raises ValueError if `server` is not an address, or if
        the system has no resolver.
        """
        import dns.resolver

        self._seconds = seconds
        try:
            self._resolver = dns.resolver.Resolver(configure=server is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise ValueError("this machine has no DNS resolver (/etc/resolv.conf): name one") from error
        if server is not None:
            address, self._resolver.port = parse_server(server)
            self._resolver.nameservers = [address]
        self._resolver.lifetime = seconds
        # dnspython sends no EDNS (RFC 6891) by itself. Without it, an answer over 512 octets is cut off (RFC 1035
        # section 4.2.1) and asked for again over TCP, which some firewalls block: that of a 4096-bit key, for example.
        self._resolver.use_edns(0, 0, _LARGEST_DATAGRAM)

    def look_up(self, name: str, kind: Kind) -> Records:
        """Return the records of `name`. CNAMEs are followed."""
        import dns.exception
        import dns.resolver

        try:
            answer = self._resolver.resolve(f"{name.rstrip('.')}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return Records(exists=False)
        except dns.resolver.NoNameservers as error:
            return Records(problem=_failure(error))
        except dns.exception.Timeout:
            return Records(problem=f"no answer within {self._seconds:g} seconds")
        except dns.exception.DNSException as error:
            return Records(problem=str(error) or type(error).__name__)
        return Records(values=tuple(_text(record, kind) for record in answer.rrset or ()))


def parse_server(text: str) -> tuple[str, int]:
    """Return the address and port of a resolver; the default port is 53. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return str(ip_address(host.strip("[]"))), int(port)
    return str(ip_address(text.strip("[]"))), 53


def _failure(error: dns.resolver.NoNameservers) -> str:
    """Return what the resolvers said, such as "SERVFAIL"."""
    said = {str(one[3]) for one in error.kwargs.get("errors", ()) if len(one) > 3}  # noqa: PLR2004 - what dnspython keeps
    return ", ".join(sorted(said)) or "SERVFAIL"


def _text(record: dns.rdata.Rdata, kind: Kind) -> str:
    match kind:
        case "TXT":
            return b"".join(getattr(record, "strings", ())).decode("utf-8", "replace")
        case "MX":
            exchange = getattr(record, "exchange", "")
            return f"{getattr(record, 'preference', 0)} {_name(exchange)}"
        case "PTR":
            return _name(getattr(record, "target", ""))
        case _:
            return str(getattr(record, "address", ""))


def _name(name: object) -> str:
    return str(name).rstrip(".").lower()


def addresses(dns: Dns, name: str) -> Records:
    """Return the IPv6 and IPv4 addresses of `name`."""
    four, six = dns.look_up(name, "A"), dns.look_up(name, "AAAA")
    if four.values or six.values:
        return Records(values=(*four.values, *six.values))
    return Records(exists=four.exists and six.exists, problem=four.problem or six.problem)


def reverse_name(address: str) -> str:
    """Return the name that the PTR record of an IP address has (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    return ip_address(address).reverse_pointer
