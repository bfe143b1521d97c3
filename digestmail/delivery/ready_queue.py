"""The pool: claimed deliveries that wait for their intent, so many of a domain at once as it may have connections."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping

from digestmail.delivery.pacing import domain_of
from digestmail.model.deliveries import Delivery

_MOST_HELD = 10_000
"""Deliveries of limited domains kept waiting in memory; with so many nothing more is claimed."""


class ReadyQueue:
    """About first in, first out; a domain that is as busy as it may be lets the others pass."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        """Let out at most `limits[d]` deliveries to recipients in domain d before one of them is `released`."""
        self._limits = limits
        self._waiting: deque[Delivery] = deque()
        self._held: defaultdict[str, deque[Delivery]] = defaultdict(deque)
        self._holding = 0
        self._out: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting) + self._holding

    @property
    def next_to_come(self) -> int:
        """How many wait that no domain's limit is known to hold up; very many, when too much is held up already."""
        return len(self._waiting) if self._holding < _MOST_HELD else len(self)

    def add(self, claimed: Iterable[Delivery]) -> None:
        """Put deliveries behind those that wait."""
        self._waiting.extend(claimed)

    def take(self, most: int) -> list[Delivery]:
        """Take at most `most` deliveries whose domains have room for them."""
        taken: list[Delivery] = []
        while len(taken) < most and self._waiting:
            delivery = self._waiting.popleft()
            if self._limits and not self._has_room(delivery):
                continue
            taken.append(delivery)
        return taken

    def _has_room(self, delivery: Delivery) -> bool:
        domain = domain_of(delivery.address)
        if domain not in self._limits:
            return True
        if self._out[domain] >= self._limits[domain]:
            self._held[domain].append(delivery)
            self._holding += 1
            return False
        self._out[domain] += 1
        return True

    def release(self, delivery: Delivery) -> None:
        """Hear that a delivery which was taken is settled: the next one of its domain may go."""
        if not self._limits or (domain := domain_of(delivery.address)) not in self._limits:
            return
        self._out[domain] -= 1
        if self._held[domain]:
            self._let_in(domain)

    def limit(self, limits: Mapping[str, int]) -> None:
        """Keep to new limits for those domains that have one."""
        self._limits = {domain: limits.get(domain, most) for domain, most in self._limits.items()}
        for domain, most in self._limits.items():
            for _ in range(min(most - self._out[domain], len(self._held[domain]))):
                self._let_in(domain)

    def _let_in(self, domain: str) -> None:
        self._waiting.appendleft(self._held[domain].popleft())
        self._holding -= 1

    def drain(self) -> list[Delivery]:
        """Take out all that wait."""
        left = [*self._waiting, *(delivery for held in self._held.values() for delivery in held)]
        self._waiting.clear()
        self._held.clear()
        self._holding = 0
        return left
