"""Against floods: how often anybody may ask for mail to be sent, or search. In memory; time is an argument.

Generic cell rate algorithm (ITU-T I.371): one number a key, the moment from which it is at rest again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from digestmail.mail.addresses import domain_of, key_of, network_of

_MOST_KEYS = 100_000
"""Beyond this the keys at rest are dropped, so that many addresses cannot fill the memory."""


_ROUNDING = 1e-6
"""Seconds that sums of floating-point numbers may be off."""


class Admission(StrEnum):
    """What is done with a request. `QUIET`: it is answered like any other, and nothing is sent."""

    ADMIT = "admit"
    QUIET = "quiet"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests at once, and as many again in `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often one may ask: from one network (/24, /56), for one address, for one domain, and all together."""

    network: Rate = Rate(10, 3600)
    address: Rate = Rate(3, 86400)
    domain: Rate = Rate(300, 3600)
    everybody: Rate = Rate(1000, 3600)
    searches: Rate = Rate(60, 60)
    """From one network."""
    all_searches: Rate = Rate(600, 60)


@dataclass(slots=True)
class RateLimiter:
    """Counts requests of this process."""

    rates: Rates = field(default_factory=Rates)
    _rests_at: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def judge(self, *, client: str, address: str, at: float) -> Admission:
        """Count a request from the IP address `client` for the normalised `address`, and say what is done with it.

        `at` is in seconds of a clock that never jumps. A refusal depends on who asks and how many do, never on what is
        known of an address.
        """
        with self._lock:
            if self._wait(f"network {network_of(client)}", self.rates.network, at):
                return Admission.REFUSE
            if self._wait("everybody", self.rates.everybody, at):
                return Admission.REFUSE
            if self._wait(f"address {key_of(address)}", self.rates.address, at):
                return Admission.QUIET
            if self._wait(f"domain {domain_of(address)}", self.rates.domain, at):
                return Admission.QUIET
        return Admission.ADMIT

    def search(self, *, client: str, at: float) -> float:
        """Count a search from the IP address `client`: 0 admits it, else it may be asked again in so many seconds."""
        with self._lock:
            own = self._wait(f"searches {network_of(client)}", self.rates.searches, at)
            return own or self._wait("all searches", self.rates.all_searches, at)

    def _wait(self, key: str, rate: Rate, at: float) -> float:
        """Count a request under `key` and return 0, or do not and return the seconds until it would be."""
        rests_at = max(self._rests_at.get(key, at), at) + rate.seconds / rate.count
        if rests_at - at > rate.seconds + _ROUNDING:
            return rests_at - at - rate.seconds
        if len(self._rests_at) >= _MOST_KEYS:
            self._rests_at = {known: moment for known, moment in self._rests_at.items() if moment > at}
        self._rests_at[key] = rests_at
        return 0.0
