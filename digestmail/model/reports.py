"""Reports of operations: frozen values that the command line prints, the daemon logs and the tests compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from digestmail.model.outputs import OutputsReport
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.subscribers import DomainBlock

Progress = Callable[[str, int, int | None], None]
"""Called with the name of the stage, the number of finished units, and their total if known."""
Stop = Callable[[], bool]
"""Checked between two units of work: whether to stop."""
ASKED_TO_STOP: Final = "asked to stop"
"""Why deliveries ended early when nothing went wrong."""
WELL = frozenset({Health.FRESH, Health.NOTHING_ANNOUNCED, Health.STALE})
"""The health of sources that were read. A stale one was read, but its server has no new data."""


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Ignore progress."""


def never() -> bool:
    """Never stop."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """The result of reading a source."""

    source: str
    known_as: str = ""
    """What a person knows it by, if its name does not say it."""
    health: tuple[SourceHealth, ...]
    entries: int = 0
    new: int = 0
    updated: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """The number of skipped entries, by reason."""
    known: bool = False
    """Whether the failure is known: an earlier run failed because of it, not long ago."""

    @property
    def shown(self) -> str:
        """The name, with what a person knows it by."""
        return f"{self.source} ({self.known_as})" if self.known_as else self.source

    @property
    def failed(self) -> bool:
        """Whether reading failed or was incomplete, and that is news."""
        return self.health[0].health not in WELL and not self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingReport:
    """The result of getting embeddings of papers."""

    papers: int = 0
    """The number of papers that got one."""
    problem: str = ""
    """Why the others got none; they are tried again at the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryReport:
    """The result of getting summaries of papers by a language model."""

    summaries: int = 0
    """The number of summaries that were stored, one for each paper and language."""
    refused: int = 0
    """The number of papers whose text was not sent, or whose answer did not pass the checks."""
    lacking: int = 0
    """The number of summaries that papers of the next editions lack: a sentence of the abstract stands for them."""
    problem: str = ""
    """Why no more were asked for, if not because of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentReport:
    """The result of asking an index of the literature about papers."""

    index: str
    """The name of the index, as readers see it."""
    known: int = 0
    """The number of papers that it knows."""
    asked: int = 0
    """The number of papers that it was asked about."""
    problem: str = ""
    """Why it was not asked about the others; they are tried again at the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningReport:
    """The result of learning what topics are about."""

    topics: int = 0
    """The number of topics that were learned. The others had too few papers to learn from."""
    papers: int = 0
    """The number of papers that they were learned from."""
    problem: str = ""
    """Why nothing was learned."""
    without_topics: str = ""
    """Why the embeddings of the topics' own words are unknown, if embeddings of papers were used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingListsReport:
    """The result of reading the reading lists that were due."""

    read: int = 0
    """The number of lists that were read completely and had changed, or were read for the first time."""
    unchanged: int = 0
    failed: int = 0
    """The number of lists that could not be read; they are tried again a day later."""
    postponed: int = 0
    """The number of lists that were not tried, because their service asked for a pause."""
    papers: int = 0
    """The number of papers that were stored."""
    skipped: int = 0
    """The number of records that were no papers, or whose title is unknown."""

    def __add__(self, other: ReadingListsReport) -> ReadingListsReport:
        """Return the sums."""
        return ReadingListsReport(
            read=self.read + other.read,
            unchanged=self.unchanged + other.unchanged,
            failed=self.failed + other.failed,
            postponed=self.postponed + other.postponed,
            papers=self.papers + other.papers,
            skipped=self.skipped + other.skipped,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """The result of reading all sources."""

    sources: tuple[SourceReport, ...] = ()
    reading_lists: ReadingListsReport | None = None
    """The reading lists; None if none were due."""
    embedding: EmbeddingReport | None = None
    """The embeddings of papers; None if there was nothing to do."""
    learning: LearningReport | None = None
    """What was learned about topics; None if it was not time to learn anew."""
    summaries: SummaryReport | None = None
    """The summaries of papers; None if there was nothing to do."""
    enrichment: tuple[EnrichmentReport, ...] = ()
    """What indexes of the literature were asked for."""

    def with_learning(self, learning: LearningReport | None, embedding: EmbeddingReport | None = None) -> CollectReport:
        """Return the report with what was learned."""
        return replace(self, learning=learning, embedding=embedding)

    def with_summaries(self, summaries: SummaryReport | None) -> CollectReport:
        """Return the report with what came of the summaries."""
        return replace(self, summaries=summaries)

    def with_enrichment(self, enrichment: tuple[EnrichmentReport, ...]) -> CollectReport:
        """Return the report with what came of asking indexes."""
        return replace(self, enrichment=enrichment)

    def with_reading_lists(self, reading_lists: ReadingListsReport) -> CollectReport:
        """Return the report with what came of the reading lists."""
        return replace(self, reading_lists=reading_lists)

    @property
    def failed(self) -> tuple[str, ...]:
        """The sources that failed or were incomplete, if that is news."""
        return tuple(report.source for report in self.sources if report.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestReport:
    """The result for one digest. `status`: published, empty, waiting, already-published, not-due or failed."""

    digest: str
    status: str
    slot: str | None = None
    papers: int = 0
    considered: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """The number of candidates, by outcome."""
    shortened: int = 0
    """The number of papers that were shortened to fit the size limit."""
    recipients: int = 0
    personal: int = 0
    """Recipients for whom papers were picked."""
    nothing_for: int = 0
    """Subscribers without papers, because of their topics or because another digest contained them."""
    reason: str = ""
    next_at: datetime | None = None
    """When the next slot begins, in UTC, if nothing was due."""
    missing: tuple[str, ...] = ()
    """Sources that the edition waits for, or waited for in vain."""
    waits_until: datetime | None = None
    """Until when it waits."""
    missed: tuple[str, ...] = ()
    """Slots directly before this one in which digestmail did not run, at most 31."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """The result of publishing."""

    digests: tuple[DigestReport, ...] = ()

    @property
    def failed(self) -> tuple[str, ...]:
        """The digests that could not be published."""
        return tuple(report.digest for report in self.digests if report.status == "failed")

    @property
    def waiting(self) -> tuple[str, ...]:
        """The digests whose edition waits for a source."""
        return tuple(report.digest for report in self.digests if report.status == "waiting")

    @property
    def waits_until(self) -> datetime | None:
        """When the first of them does not wait any longer; None if none waits."""
        return min((report.waits_until for report in self.digests if report.waits_until is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverReport:
    """The deliveries of this run, and the state of the outbox after it."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    ambiguous: int = 0
    """Messages that may have arrived and wait for the operator."""
    notices: dict[str, int] = field(default_factory=dict)
    """Messages that belong to no edition, such as confirmation requests, by what became of them. Not counted above."""
    stopped: str = ""
    """Why the run ended before the outbox was empty, if it did."""
    suppressed: int = 0
    """Subscribers who were suppressed because a server replied that their address does not exist."""
    blocks: tuple[DomainBlock, ...] = ()
    """Domains that block us, according to the refusals and bounces of the last day."""
    trouble: str = ""
    """The error of the last delivery that was not sent."""
    outbox: dict[str, int] = field(default_factory=dict)
    """Deliveries by state: all that are open or ambiguous, and those that ended, of the editions that this run worked
    on. Counting those of every edition would cost more with every edition."""
    next_due_at: datetime | None = None
    unbalanced: tuple[str, ...] = ()
    """Editions whose counts are inconsistent: recipients = sent + failed + cancelled + ambiguous + open."""

    outputs: OutputsReport = OutputsReport()
    """What was sent to outputs beside email, after the emails."""

    @property
    def emails_went_wrong(self) -> bool:
        """Whether the operator should look at the emails."""
        held = self.ambiguous or self.notices.get("ambiguous")
        return bool(self.failed or held or self.stopped or self.unbalanced)

    @property
    def went_wrong(self) -> bool:
        """Whether the operator should look at it, emails or outputs."""
        return self.emails_went_wrong or self.outputs.went_wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Collect, publish, deliver. `busy` if another process was running, so that nothing was done."""

    busy: bool = False
    dry_run: bool = False
    collect: CollectReport = CollectReport()
    publish: PublishReport = PublishReport()
    deliver: DeliverReport = DeliverReport()

    @property
    def failed(self) -> bool:
        """Whether something failed."""
        return bool(self.collect.failed or self.publish.failed or self.deliver.went_wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts of the entire database."""

    papers: int
    editions: dict[str, int]
    """By digest, without empty days."""
    subscribers: dict[str, int]
    """By state."""
    subscriptions: dict[str, int]
    """By digest."""
    deliveries: dict[str, int]
    """By state."""
    suppressions: int
