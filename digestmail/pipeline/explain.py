"""Explain: why a paper was, or would be, in a digest or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import StorageError
from digestmail.model import Decision, Digest, Edition, Outcome, Paper
from digestmail.pipeline.compose import compose, upcoming_slot
from digestmail.selection.explain import reasons
from digestmail.storage import editions, papers


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one digest has, had or has not a paper. `outcome` is of the edition named by `slot`."""

    digest: str
    slot: str
    outcome: str
    reasons: tuple[str, ...]


def explain(
    connection: Connection, digests: Sequence[Digest], ref: str, now: datetime, horizon: datetime | None = None
) -> tuple[Paper, tuple[Explanation, ...]]:
    """Return the paper known as `ref` (id, DOI or link) and one explanation per digest. Raises StorageError."""
    paper = papers.find(connection, ref)
    if paper is None:
        raise StorageError(f"no source has shown a paper {ref!r}")
    return paper, tuple(_explain_one(connection, digest, paper, now, horizon) for digest in digests)


def _explain_one(
    connection: Connection, digest: Digest, paper: Paper, now: datetime, horizon: datetime | None
) -> Explanation:
    slot_key = papers.published(connection, digest.name, [paper.id]).get(paper.id)
    stored = editions.get(connection, digest.name, slot_key) if slot_key else None
    if stored is not None:
        return _published(stored.edition, paper)
    slot = upcoming_slot(connection, digest, now, horizon)
    composed = compose(connection, digest, slot, now, horizon)
    decision = next((d for d in composed.selection.decisions if d.paper_id == paper.id), None)
    if decision is not None:
        said = reasons(decision, digest.limits)
        if composed.edition.reason:
            said = (*said, f"but there would be no edition: {composed.edition.reason}")
        return Explanation(digest=digest.name, slot=slot.key, outcome=str(decision.outcome), reasons=said)
    return Explanation(
        digest=digest.name,
        slot=slot.key,
        outcome="not-a-candidate",
        reasons=_why_no_candidate(connection, digest, paper, composed.since),
    )


def _published(edition: Edition, paper: Paper) -> Explanation:
    # It may have stood there under another name, before its mentions were merged.
    names = {paper.id, *paper.aliases}
    entry = next((entry for entry in edition.entries() if names & {entry.paper.id, *entry.paper.aliases}), None)
    said: tuple[str, ...] = (f"published on {edition.slot.day:%a %d %B %Y}",)
    if entry is not None:
        decision = Decision(
            paper_id=paper.id, outcome=Outcome.SELECTED, score=entry.score, rank=entry.rank, match=entry.match
        )
        said += reasons(decision, None)
    return Explanation(digest=edition.digest, slot=edition.slot.key, outcome="published", reasons=said)


def _why_no_candidate(connection: Connection, digest: Digest, paper: Paper, since: datetime) -> tuple[str, ...]:
    rows = papers.sightings_of(connection, paper.id)
    own = [row for row in rows if row.source in digest.sources]
    if not own:
        others = ", ".join(sorted({row.source for row in rows})) or "none"
        return (f"none of its sources ({', '.join(digest.sources)}) has shown it; seen by: {others}",)
    first, latest = min(row.seen_at for row in own), max(row.day for row in own)
    began = f"{since:%Y-%m-%d %H:%M} UTC"
    return (f"too old: first seen {first:%Y-%m-%d %H:%M} UTC and dated {latest}, the window begins {began}",)
