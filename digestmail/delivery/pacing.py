"""Pacing: which of the claimed deliveries may go now, and when the others may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.model.deliveries import Claim, ClaimedMessage
from digestmail.storage import rates
from digestmail.text.addresses import domain_of

_SOON = timedelta(seconds=0.25)
"""What may go within this is sent at once: a rate is kept over a second, not over milliseconds."""
_LONGEST_WAIT = timedelta(hours=4)
"""What a rate holds for longer asks again after this, however slow it is."""
_SLOWED_RELAY, _SLOWED_DOMAIN = 1000.0, 10.0
"""Messages a second from which one that has no limit, and asks for less, is slowed down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainLimit:
    """What a recipient's domain may be sent, over all workers; None: no limit."""

    messages_per_second: float | None = None
    connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainLimits:
    """The limits by recipient's domain; those of a relay are its own."""

    domains: Mapping[str, DomainLimit] = field(default_factory=dict)


def speeds(
    limits: DomainLimits, relay: str, relay_rate: float | None, factors: Mapping[str, float]
) -> dict[str, float]:
    """Return how many messages a second each limited or slowed key may have."""
    found = {f"domain:{name}": limit.messages_per_second for name, limit in limits.domains.items()}
    found[f"relay:{relay}"] = relay_rate
    for key in factors:
        if key.startswith("domain:") or key == f"relay:{relay}":
            found.setdefault(key, None)
    return {
        key: (rate or (_SLOWED_RELAY if key.startswith("relay:") else _SLOWED_DOMAIN)) * factors.get(key, 1.0)
        for key, rate in found.items()
        if rate is not None or key in factors
    }


def share(per_second: float, relay_rate: float | None) -> float:
    """Return what `per_second` messages are of a relay's full speed."""
    return per_second / (relay_rate or _SLOWED_RELAY)


def room(connection: Connection, speed: Mapping[str, float], relay: str, now: datetime) -> tuple[int, datetime] | None:
    """Return how many messages the relay may be given now, and when the next one; None: as many as there are."""
    key = f"relay:{relay}"
    return rates.room(connection, key, speed[key], now, _SOON) if key in speed else None


def pace(
    connection: Connection, claimed: Sequence[ClaimedMessage], speed: Mapping[str, float], relay: str, now: datetime
) -> tuple[list[ClaimedMessage], list[tuple[ClaimedMessage, datetime]]]:
    """Book what is limited; return what may go now, and when the rest may ask again."""
    when: dict[Claim, datetime] = {}
    for key, held in _by_key(claimed, speed, relay).items():
        booked, next_at = rates.reserve(connection, key, speed[key], len(held), now, _SOON)
        for number, message in enumerate(held[booked:]):
            place = message.claim
            moment = min(next_at + timedelta(seconds=number / speed[key]), now + _LONGEST_WAIT)
            when[place] = max(when.get(place, moment), moment)
    go: list[ClaimedMessage] = []
    wait: list[tuple[ClaimedMessage, datetime]] = []
    for message in claimed:
        place = message.claim
        if place in when:
            wait.append((message, when[place]))
        else:
            go.append(message)
    return go, wait


def _by_key(
    claimed: Sequence[ClaimedMessage], speed: Mapping[str, float], relay: str
) -> dict[str, list[ClaimedMessage]]:
    found: dict[str, list[ClaimedMessage]] = defaultdict(list)
    for message in claimed:
        domain = f"domain:{domain_of(message.address)}"
        if domain in speed:
            found[domain].append(message)
        if f"relay:{relay}" in speed:
            found[f"relay:{relay}"].append(message)
    return found
