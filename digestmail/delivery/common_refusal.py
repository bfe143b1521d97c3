"""Suspicion: the same refusal at several domains is about us, whatever its words. Pure.

A relay answers for every domain itself, so one that has something against us says the same thing to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digestmail.errors import DeliveryError
from digestmail.model.deliveries import ClaimedMessage
from digestmail.text.addresses import domain_of
from digestmail.transports.smtp.replies import reply_in
from digestmail.transports.smtp.sender_faults import alike, names_recipient

DOMAINS = 3
"""At so many domains the same refusal is about us."""
_MOST_KEPT = 10_000
_ENOUGH_ATTEMPTS = 4


@dataclass(slots=True)
class _Refusal:
    """A text, and whom it was said of in this run."""

    newly_accepted_before: int
    first: set[str] = field(default_factory=set)
    """Domains whose very first recipient was refused with it."""
    in_a_row: set[str] = field(default_factory=set)
    """Domains refused with it since anybody was accepted."""
    deliveries: list[tuple[ClaimedMessage, DeliveryError]] = field(default_factory=list)


class Suspicion:
    """Hears of every answer of one run; permanent refusals that are alike, and say nothing of a recipient, add up."""

    def __init__(self, give_up: timedelta) -> None:
        """Believe of a delivery that was refused like this for longer than `give_up` that its recipient is to blame."""
        self._give_up = give_up
        self._heard_of: set[str] = set()
        self._accepted: set[str] = set()
        self._refusals: dict[str, _Refusal] = {}

    def accept(self, address: str) -> None:
        """Hear that a message was accepted."""
        domain = domain_of(address)
        self._heard_of.add(domain)
        self._accepted.add(domain)
        for refusal in self._refusals.values():
            refusal.in_a_row.clear()

    def refuse(
        self, message: ClaimedMessage, error: DeliveryError, now: datetime
    ) -> list[tuple[ClaimedMessage, DeliveryError]]:
        """Hear of a refusal; return all that were refused like it, once it is clear that they are not to blame.

        It is clear when the same text came at three domains with nobody accepted in between, or for the first
        recipients at three domains, while fewer domains were accepted for the first time.
        """
        domain = domain_of(message.address)
        is_first = domain not in self._heard_of
        self._heard_of.add(domain)
        if not error.permanent or error.code is None or self._is_given_up(message, now):
            return []
        said = reply_in(str(error), error.code)
        if names_recipient(error.code, said, message.address):
            return []
        refusal = self._refusals.setdefault(alike(error.code, said), _Refusal(len(self._accepted)))
        refusal.in_a_row.add(domain)
        if is_first:
            refusal.first.add(domain)
        if len(refusal.deliveries) < _MOST_KEPT:
            refusal.deliveries.append((message, error))
        newly_accepted = len(self._accepted) - refusal.newly_accepted_before
        if len(refusal.in_a_row) >= DOMAINS or len(refusal.first) >= max(DOMAINS, newly_accepted + 1):
            found, refusal.deliveries = refusal.deliveries, []
            return found
        return []

    def _is_given_up(self, message: ClaimedMessage, now: datetime) -> bool:
        return message.attempts >= _ENOUGH_ATTEMPTS and now - message.queued_at >= self._give_up
