"""Rate limits for sign-ups, searches and uploads, in memory.

Generic cell rate algorithm (ITU-T I.371): one number for each key, the time at which it is idle again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import nlargest
from ipaddress import IPv6Address, ip_address, ip_network
from operator import itemgetter
from threading import Lock

from digestmail.text.addresses import domain_of, mailbox_of

_MOST_KEYS = 100_000
"""If there are more keys, idle ones are deleted, and then those that are idle first, so that memory stays bounded."""
_NETWORK_BITS = {4: 24, 6: 56}
"""The networks of a household or an office, whose clients share a rate limit."""
_ROUNDING = 1e-6
"""Tolerance for floating-point errors, in seconds."""


class Admission(StrEnum):
    """The decision about a request. `QUIET`: respond as usual, but send nothing."""

    ADMIT = "admit"
    QUIET = "quiet"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst of `count` requests, which is replenished in `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The limits for one network (/24, /56), one mailbox, one domain, and all requests."""

    network: Rate = Rate(10, 3600)
    address: Rate = Rate(3, 86400)
    domain: Rate = Rate(300, 3600)
    total: Rate = Rate(1000, 3600)
    searches: Rate = Rate(60, 60)
    """For one network."""
    all_searches: Rate = Rate(600, 60)
    sign_ins: Rate = Rate(10, 600)
    """Of the operator, for one network."""
    all_sign_ins: Rate = Rate(100, 600)
    uploads: Rate = Rate(20, 3600)
    """Files of one subscriber."""
    all_uploads: Rate = Rate(600, 3600)


@dataclass(slots=True)
class RateLimiter:
    """Counts the requests of this process."""

    rates: Rates = field(default_factory=Rates)
    _idle_at: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def admit(self, *, client: str, address: str, at: float) -> Admission:
        """Count a request from the IP address `client` for the normalized `address`, and decide about it.

        `at` is in seconds of a monotonic clock. The decision does not depend on whether the address is subscribed.
        """
        with self._lock:
            if self._wait(f"network {network_of(client)}", self.rates.network, at):
                return Admission.REFUSE
            if self._wait("total", self.rates.total, at):
                return Admission.REFUSE
            if self._wait(_address(address), self.rates.address, at):
                return Admission.QUIET
            if self._wait(_domain(address), self.rates.domain, at):
                return Admission.QUIET
        return Admission.ADMIT

    def release(self, address: str) -> None:
        """Uncount an admitted request for `address` that failed. It still counts for the network."""
        with self._lock:
            for key, rate in ((_address(address), self.rates.address), (_domain(address), self.rates.domain)):
                if key in self._idle_at:
                    self._idle_at[key] -= rate.seconds / rate.count

    def search(self, *, client: str, at: float) -> float:
        """Count a search from the IP address `client`. Return 0, or the seconds to wait if it is refused."""
        with self._lock:
            own = self._wait(f"searches {network_of(client)}", self.rates.searches, at)
            return own or self._wait("all searches", self.rates.all_searches, at)

    def sign_in(self, *, client: str, at: float) -> float:
        """Count an attempt of the operator to sign in. Return 0, or the seconds to wait if it is refused."""
        with self._lock:
            own = self._wait(f"sign-ins {network_of(client)}", self.rates.sign_ins, at)
            return own or self._wait("all sign-ins", self.rates.all_sign_ins, at)

    def upload(self, subscriber_id: int, at: float) -> bool:
        """Count a file of a subscriber, which takes up to a few seconds to read; return whether it is admitted."""
        with self._lock:
            own = self._wait(f"uploads {subscriber_id}", self.rates.uploads, at)
            return not (own or self._wait("all uploads", self.rates.all_uploads, at))

    def _wait(self, key: str, rate: Rate, at: float) -> float:
        """Count a request for `key` and return 0, or return the seconds to wait if the limit is reached."""
        idle_at = max(self._idle_at.get(key, at), at) + rate.seconds / rate.count
        if idle_at - at > rate.seconds + _ROUNDING:
            return idle_at - at - rate.seconds
        if len(self._idle_at) >= _MOST_KEYS:
            self._idle_at = _fewer(self._idle_at, at)
        self._idle_at[key] = idle_at
        return 0.0


def network_of(client: str) -> str:
    """Return the /24 or /56 network of a client's IP address, or `client` itself if it is not an IP address."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network(f"{address}/{_NETWORK_BITS[address.version]}", strict=False))


def _address(address: str) -> str:
    return f"address {mailbox_of(address)}"


def _domain(address: str) -> str:
    return f"domain {domain_of(address)}"


def _fewer(idle_at: Mapping[str, float], at: float) -> dict[str, float]:
    """Return the keys that are not idle at `at`, and at most half of `_MOST_KEYS`: those that are idle last."""
    busy = {key: moment for key, moment in idle_at.items() if moment > at}
    return dict(nlargest(_MOST_KEYS // 2, busy.items(), key=itemgetter(1)))
