"""Outputs beside email: what is queued for one, and the result of an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import OutputTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedOutput:
    """An edition that is being sent to a target. Only the holder of `fence` may record its outcome."""

    id: int
    edition_id: int
    target: OutputTarget
    token: str
    """Random and the same for every attempt: the identity of the message for its receiver."""
    fence: int
    attempts: int
    """The number of attempts, including this one."""
    queued_at: datetime
    state: DeliveryState
    """The state before the claim: `sending` if another worker died with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOutput:
    """The state of an edition for a target."""

    digest: str
    slot: str
    output: str
    destination: str
    state: DeliveryState
    attempts: int
    queued_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    code: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedOutput:
    """A target that asked for no more messages."""

    target: OutputTarget
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsReport:
    """The attempts of this run at sending editions to outputs."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    ambiguous: int = 0
    """Messages that may have arrived and wait for the operator."""
    problems: tuple[str, ...] = field(default=())
    """A sentence for each failure, which names the output."""
    stopped: str = ""
    """Why no more were attempted, if some were left."""

    @property
    def went_wrong(self) -> bool:
        """Whether the operator should look at it: an edition was given up, or its outcome is unknown."""
        return bool(self.failed or self.ambiguous or self.stopped)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was attempted."""
        return self == OutputsReport()
