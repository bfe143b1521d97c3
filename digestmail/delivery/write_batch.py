"""What the outbox writer is asked to write in one transaction, and what it reports after the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digestmail.model.deliveries import Attempted, Claim, ClaimedMessage, Manner
from digestmail.storage import rates, servers

Result = tuple[ClaimedMessage, Attempted]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """How many messages to claim; only notices, when a run merely checks whether one has been queued."""

    limit: int
    only_notices: bool = False


@dataclass(slots=True, kw_only=True)
class WriteBatch:
    """What is to be written in one transaction."""

    results: list[Result] = field(default_factory=list)
    record_intent: list[ClaimedMessage] = field(default_factory=list)
    claim: ClaimRequest | None = None
    slow: dict[str, float | None] = field(default_factory=dict)
    """Keys of mail servers and domains that asked for less, each with the share of full speed that was measured."""
    reopen: list[Result] = field(default_factory=list)
    """Messages that failed, and should not have."""
    pause: list[rates.Pause] = field(default_factory=list)
    observed: list[servers.ServerObservation] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.results or self.record_intent or self.claim or self.slow or self.reopen or self.pause or self.observed
        )

    def merge(self, other: WriteBatch) -> None:
        """Add what `other` holds."""
        self.results.extend(other.results)
        self.record_intent.extend(other.record_intent)
        if other.claim is not None:
            self.claim = other.claim
        self.slow |= other.slow
        self.reopen.extend(other.reopen)
        self.pause.extend(other.pause)
        self.observed.extend(other.observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What this worker may use until it asks again."""

    connections: int
    domains: Mapping[str, int]
    """The most connections for each limited domain."""
    manners: Mapping[str, Manner]
    """What is known of the mail server's machines."""
    is_shared: bool = False
    """Whether other workers have connections to the mail server."""
    pause: rates.Pause | None = None
    """Until when the mail server must be left alone, if the operator or another worker said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """What was claimed, divided into what may be sent now and what became of the rest."""

    go: Sequence[ClaimedMessage] = ()
    rest: Sequence[Result] = ()
    next_due_at: datetime | None = None
    """When the next message is due, if none was."""
    epoch: int | None = None
    """The epoch of the database since this claim, if something was claimed. The file beside the database gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What was written."""

    results: Sequence[Result]
    lost: frozenset[Claim]
    """Results that were not written, because another worker holds the message."""
    requested: Sequence[ClaimedMessage]
    """The messages whose intent was to be recorded."""
    intended: frozenset[Claim]
    """Those whose intent was recorded."""
    at: datetime
    """When the intents were recorded."""
    trials: Sequence[str]
    """The faces of servers that this worker may try."""
    claim: ClaimRequest | None
    triage: Triage
    """What was claimed; empty if nothing was requested."""
    grant: Grant | None = None
    """A new grant, if one was due."""
    reopened: Mapping[type[ClaimedMessage], int] = field(default_factory=dict)
    """How many messages of each kind had failed and are open again."""
    seconds: float = 0.0
    """How long the commit took."""
