"""Judge what the verdicts of a run say about the mail server, rather than about one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from digestmail.delivery import outcomes, pacing
from digestmail.delivery.common_refusal import DOMAINS, Suspicion
from digestmail.delivery.throttle import PATIENCE, Throttle
from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import ClaimedMessage
from digestmail.transports.base import OutcomeUnknownError, ThrottledError, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What follows for the mail server."""

    slow: dict[str, float | None] = field(default_factory=dict)
    """Keys to slow down, each with the share of full speed that was measured, if it was."""
    recall: bool = False
    """Whether what was claimed at the old rate should be given back."""
    broken: TransportError | None = None
    """Why the server should not be used for a while."""
    reopen: Sequence[tuple[ClaimedMessage, DeliveryError]] = ()
    """Messages that failed, although their recipients are not at fault."""


class RelayHealth:
    """Remembers the verdicts of one run over one transport. `at` is in seconds of a monotonic clock."""

    def __init__(self, transport: Transport, give_up: timedelta, began: datetime, at: float) -> None:
        """Start measuring at `at`."""
        self._transport = transport
        self._key = f"relay:{transport.name}"
        self._began = began
        self._throttle = Throttle(at)
        self._suspicion = Suspicion(give_up)

    def accept(self, address: str, at: float) -> None:
        """Hear that a message to `address` was accepted."""
        self._throttle.accept(at)
        self._suspicion.accept(address)

    def judge(
        self,
        message: ClaimedMessage,
        error: DeliveryError | TransportError,
        now: datetime,
        at: float,
        *,
        crowded: bool,
    ) -> Finding | None:
        """Return what follows if a message was not accepted, or None. `crowded`: one connection fewer will do."""
        if isinstance(error, ThrottledError):
            return self._throttled(error, at, crowded=crowded)
        key = outcomes.throttle_key(error, self._transport.name, message.address)
        slow: dict[str, float | None] = {key: None} if key is not None else {}
        if isinstance(error, DeliveryError) and not isinstance(error, OutcomeUnknownError):
            alike = self._suspicion.refuse(message, error, now)
            if alike:
                said = (
                    f"recipients at {DOMAINS} domains were refused alike, so it is about us and none of them failed: "
                    f"{error}"
                )
                return Finding(slow=slow, broken=TransportError(said, code=error.code), reopen=alike)
        return Finding(slow=slow) if slow else None

    def _throttled(self, error: ThrottledError, at: float, *, crowded: bool) -> Finding | None:
        """Use one connection fewer, or the rate that the server was seen to accept."""
        per_second = self._throttle.refuse(at)
        if self._throttle.is_stuck(at):
            text = f"nothing was accepted for {PATIENCE:.0f} s: {error}"
            return Finding(broken=TransportError(text, code=error.code))
        if per_second is None or crowded:
            return None
        share = pacing.share(per_second, self._transport.messages_per_second)
        return Finding(slow={self._key: share}, recall=True)

    def paused_until(self, error: TransportError, now: datetime) -> datetime:
        """Return until when the server should not be used.

        A quota started to fill when this run began, at the latest. Whole minutes let in tomorrow's run.
        """
        until = now + outcomes.PAUSE
        if error.pause is not None:
            until = max(until, (self._began + error.pause).replace(second=0, microsecond=0))
        return until
