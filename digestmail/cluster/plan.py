"""Decide which jobs there are to be. A job names what it acts on; whether there is anything to do, its rows say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from digestmail.collect.lanes import host_of
from digestmail.model.history import RunOutcome, RunRecord
from digestmail.schedule.gate import LOOK_AGAIN

ROUND: Final = timedelta(hours=1)
"""How often sources are read between the slots of digests."""


class JobKind(StrEnum):
    """The kinds of jobs. Each is a queue, so that a worker can be limited to some of them."""

    TICK = "tick"
    READ = "read"
    TRAIN = "train"
    PUBLISH = "publish"
    OUTPUTS = "outputs"
    DELIVER = "deliver"
    UPKEEP = "upkeep"

    @property
    def priority(self) -> int:
        """How soon a job of this kind is taken, if several wait: deliveries last, because they may go on for hours."""
        return len(JobKind) - list(JobKind).index(self)


CHORES: Final = frozenset({JobKind.TICK, JobKind.UPKEEP})
"""What every worker does: it needs nothing but the database."""
_ROUND_KINDS: Final = frozenset({JobKind.READ, JobKind.TRAIN, JobKind.PUBLISH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job to queue. Two with the same `lock` never run at once; `once` allows one of that name to wait."""

    kind: JobKind
    names: Mapping[str, str | int] = field(default_factory=dict)
    """What it acts on: the name of a source or digest, the number of a run."""
    lock: str | None = None
    once: str | None = None
    delay: int = 0
    """Seconds before it may be taken."""


def is_round_due(
    now: datetime, slots: Iterable[datetime], last: RunRecord | None, waiting: Collection[JobKind], *, is_gated: bool
) -> bool:
    """Return whether to read the sources and publish at `now`.

    `slots` are when the current slots of the digests began, `last` is the last run, and `waiting` the kinds of jobs
    that wait or are being done. A round is repeated after ten minutes if it failed, or if an edition waits for its
    sources (`is_gated`).
    """
    if _ROUND_KINDS.intersection(waiting):
        return False
    if last is None or any(last.started_at < slot_at <= now for slot_at in slots):
        return True
    is_again = is_gated or last.ended_at is None or last.outcome is RunOutcome.FAILED
    return now - last.started_at >= (LOOK_AGAIN if is_again else ROUND)


def round_jobs(sources: Mapping[str, str], run: int) -> Iterator[Job]:
    """Yield the first jobs of the run with this number: read each of the `sources` (address by name), then train."""
    for name, address in sources.items():
        yield read_job(name, address, run)
    yield train_job(run)


def read_job(source: str, address: str, run: int) -> Job:
    """Return the job that reads a source.

    Sources at one host have one lock, so that it gets one request at a time from all machines.
    """
    lock = f"host {host_of(address) or ''}"
    return Job(kind=JobKind.READ, names={"source": source, "run": run}, lock=lock, once=f"read {source}")


def train_job(run: int, *, delay: int = 0) -> Job:
    """Return the job that learns from what was read, which then queues the editions."""
    return Job(kind=JobKind.TRAIN, names={"run": run}, lock="train", once="train", delay=delay)


def publish_job(digest: str, run: int) -> Job:
    """Return the job that publishes a digest; if it is not due, the job ends at once."""
    key = f"publish {digest}"
    return Job(kind=JobKind.PUBLISH, names={"digest": digest, "run": run}, lock=key, once=key)


def deliver_job() -> Job:
    """Return a turn of deliveries for the transaction that queued them: it waits for no other transaction."""
    return Job(kind=JobKind.DELIVER)


def next_turn() -> Job:
    """Return the turn for the next worker that is free. One of them waits at a time."""
    return Job(kind=JobKind.DELIVER, once=str(JobKind.DELIVER))
