"""What the verbs answer: frozen values that the command line prints, the daemon logs and the tests compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from digestmail.model.papers import Health, SourceHealth
from digestmail.model.subscribers import DomainBlock

Progress = Callable[[str, int, int | None], None]
"""Called with the name of the stage, how many units of it are done and how many there are, if that is known."""
Stop = Callable[[], bool]
"""Asked between two units of work: whether to stop."""
WELL = frozenset({Health.FRESH, Health.NOTHING_ANNOUNCED, Health.STALE})
"""How a source that could be read may stand; a stale one was read, and its server is the one to ask."""


def quiet(_stage: str, _done: int, _total: int | None) -> None:
    """Take no notice of progress."""


def never() -> bool:
    """Do not stop."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one source brought."""

    source: str
    health: tuple[SourceHealth, ...]
    entries: int = 0
    new: int = 0
    updated: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """How many entries were skipped, by reason."""
    known: bool = False
    """Whether the failure is no news: an earlier run failed because of it, not long ago."""

    @property
    def failed(self) -> bool:
        """Whether nothing could be read, or not all, and that is news."""
        return self.health[0].health not in WELL and not self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """What the sources brought."""

    sources: tuple[SourceReport, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """The sources that could not be read, or not wholly, if that is news."""
        return tuple(report.source for report in self.sources if report.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestReport:
    """What became of one digest. `status`: published, empty, already-published, not-due or failed."""

    digest: str
    status: str
    slot: str | None = None
    papers: int = 0
    considered: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """How many candidates, by what became of them."""
    shortened: int = 0
    """How many papers the byte budget shortened."""
    recipients: int = 0
    nothing_for: int = 0
    """Subscribers for whom nothing was left: other topics, or they had it all from another digest."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What was published."""

    digests: tuple[DigestReport, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """The digests that could not be published."""
        return tuple(report.digest for report in self.digests if report.status == "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverReport:
    """What was delivered in this run, and how the outbox stands after it."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    ambiguous: int = 0
    """Messages that may have arrived, held for the operator."""
    stopped: str = ""
    """Why the run ended before the outbox was empty, if it did."""
    suppressed: int = 0
    """Subscribers nothing is sent to any more, because a server said that their address does not exist."""
    blocks: tuple[DomainBlock, ...] = ()
    """Domains that block us, as the last day's refusals and bounces show."""
    trouble: str = ""
    """What was said about the last delivery that was not sent."""
    outbox: dict[str, int] = field(default_factory=dict)
    """Deliveries of all time by state; their sum is the number of recipients."""
    next_due_at: datetime | None = None
    unbalanced: tuple[str, ...] = ()
    """Editions whose accounts do not close: recipients = sent + failed + cancelled + ambiguous + open."""

    @property
    def went_wrong(self) -> bool:
        """Whether somebody should look at it."""
        return bool(self.failed or self.ambiguous or self.stopped or self.unbalanced)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Collect, publish, deliver. `busy` when another process was at it, so that nothing was done."""

    busy: bool = False
    dry_run: bool = False
    collect: CollectReport = CollectReport()
    publish: PublishReport = PublishReport()
    deliver: DeliverReport = DeliverReport()

    @property
    def failed(self) -> bool:
        """Whether something did not go as it should."""
        return bool(self.collect.failed or self.publish.failed or self.deliver.went_wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts over the whole database."""

    papers: int
    editions: dict[str, int]
    """By digest, empty days left out."""
    subscribers: dict[str, int]
    """By state."""
    subscriptions: dict[str, int]
    """By digest."""
    deliveries: dict[str, int]
    """By state."""
    suppressions: int
