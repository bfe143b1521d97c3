"""Explains why a paper was or would be in a digest, or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from digestmail.editions.compose import Composed, compose, upcoming_slot
from digestmail.editions.explain_reader import ReaderQuestion, explain_published, explain_upcoming
from digestmail.editions.gate import gate_of, is_gated, waiting_sentence
from digestmail.editions.trending import trended
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import Mention, Paper
from digestmail.model.selection import Decision, Outcome
from digestmail.model.subscribers import Subscriber
from digestmail.selection.explain import (
    grounds,
    left_out,
    no_reader,
    place_of,
    readers,
    reasons,
    why_not_counted,
    why_old,
)
from digestmail.selection.rules import compile_sources, rejected_by
from digestmail.storage import editions, papers, qualified_papers, received
from digestmail.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a paper is or is not in a digest. `outcome` is for the edition in `slot`."""

    digest: str
    slot: str
    outcome: str
    reasons: tuple[str, ...]


def explain_paper(
    database: Database,
    digests: Sequence[Digest],
    ref: str,
    now: datetime,
    horizon: datetime | None = None,
    *,
    reader: Subscriber | None = None,
) -> tuple[Paper, tuple[Explanation, ...]]:
    """Like `explain`, but opens a connection. Raises StorageError."""
    with database.connect() as connection:
        return explain(connection, digests, ref, now, horizon, reader=reader)


def explain(
    connection: Connection,
    digests: Sequence[Digest],
    ref: str,
    now: datetime,
    horizon: datetime | None = None,
    *,
    reader: Subscriber | None = None,
) -> tuple[Paper, tuple[Explanation, ...]]:
    """Return the paper known as `ref` (id, DOI, link or title) and one explanation per digest. Raises StorageError.

    With a `reader`, the explanation also says whether they get it, and why it is picked for them or not.
    """
    paper = papers.resolve(connection, ref)
    return paper, tuple(_explain_one(connection, digest, paper, now, horizon, reader) for digest in digests)


def _explain_one(
    connection: Connection,
    digest: Digest,
    paper: Paper,
    now: datetime,
    horizon: datetime | None,
    reader: Subscriber | None,
) -> Explanation:
    asked = None if reader is None else ReaderQuestion(digest=digest, paper=paper, reader=reader)
    slot_key = papers.published(connection, digest.name, [paper.id]).get(paper.id)
    stored = editions.get(connection, digest.name, slot_key) if slot_key else None
    if stored is not None:
        given = received.is_given(connection, digest.base, [paper.id, *paper.aliases])
        found = _published(stored.edition, paper, given=given)
        again = trended(connection, digest.name, stored.edition.slot, paper)
        if again is not None:
            slot, one = again
            since = f"trending again since {slot.day:%a %d %B %Y}: {one.growth} more {one.count}"
            found = replace(found, reasons=(*found.reasons, since))
        return found if asked is None else _with(found, explain_published(connection, asked, stored.edition))
    slot = upcoming_slot(connection, digest, now, horizon)
    # Times are given to the minute, so sightings of the entire minute are included.
    composed = compose(connection, digest, slot, now.replace(second=59, microsecond=999_999), horizon)
    found = _with(_unpublished(connection, digest, paper, composed), _why_left_out(connection, digest, paper))
    gate = gate_of(connection, digest, slot, now)
    if gate is not None and slot.at <= now and is_gated(gate, now):
        wait = f"the edition {waiting_sentence(gate, digest.schedule.timezone)}"
        found = replace(found, reasons=(*found.reasons, wait))
    return found if asked is None else _with(found, explain_upcoming(connection, asked, composed))


def _why_left_out(connection: Connection, digest: Digest, paper: Paper) -> Iterator[str]:
    """Say where a paper stood in the last edition that it qualified for, and how many papers that edition took."""
    row_id = papers.row_ids(connection, [paper.id])[paper.id]
    stood = qualified_papers.last_of(connection, digest.name, row_id)
    if stood is not None:
        yield left_out(editions.get_by_id(connection, stood.edition_id).edition, stood.rank, stood.places)


def _with(found: Explanation, sentences: Iterable[str]) -> Explanation:
    return replace(found, reasons=(*found.reasons, *sentences))


def _unpublished(connection: Connection, digest: Digest, paper: Paper, composed: Composed) -> Explanation:
    slot = composed.edition.slot
    decision = next((d for d in composed.selection.decisions if d.paper_id == paper.id), None)
    mentions = papers.mentions_of(connection, paper.id)
    known = [
        one for one in mentions if one.source in digest.sources and one.first_seen_at <= composed.edition.composed_at
    ]
    rejected = rejected_by(paper, [mention.source for mention in known], compile_sources(digest.source_rules))
    if decision is not None:
        sentences = (
            *reasons(decision, digest.limits),
            *why_not_counted(rejected),
            *readers(composed.edition, paper.id),
        )
        if composed.edition.reason:
            sentences = (*sentences, f"but there would be no edition: {composed.edition.reason}")
        return Explanation(digest=digest.name, slot=slot.key, outcome=str(decision.outcome), reasons=sentences)
    why = list(why_not_counted(rejected)) if known else list(_why_unknown(digest, mentions))
    if counting := [mention for mention in known if mention.source not in rejected]:
        why += why_old(counting, digest.curated, composed.since, digest.schedule.timezone)
    return Explanation(digest=digest.name, slot=slot.key, outcome="not-a-candidate", reasons=tuple(why))


def _published(edition: Edition, paper: Paper, *, given: bool) -> Explanation:
    # The edition may contain it under another id, from before its mentions were merged.
    names = {paper.id, *paper.aliases}
    entry = next((entry for entry in edition.entries if names & {entry.paper.id, *entry.paper.aliases}), None)
    sentences: tuple[str, ...] = (f"published on {edition.slot.day:%a %d %B %Y}",)
    if entry is not None:
        published = f"{sentences[0]}, {place_of(entry.match)}"
        decision = Decision(
            paper_id=paper.id,
            outcome=Outcome.SELECTED,
            score=entry.score,
            rank=entry.rank,
            match=entry.match,
            other_matches=entry.matches[1:],
        )
        if given:
            sentences = (published, *grounds(decision), *readers(edition, entry.paper.id))
        else:
            sentences = (f"{published}, but no reader got it: {no_reader(edition, entry.paper.id)}", *grounds(decision))
    if edition.missing:
        sentences += (f"the edition waited in vain for {', '.join(edition.missing)}",)
    return Explanation(digest=edition.digest, slot=edition.slot.key, outcome="published", reasons=sentences)


def _why_unknown(digest: Digest, mentions: Sequence[Mention]) -> Iterator[str]:
    own = [mention for mention in mentions if mention.source in digest.sources]
    if own:
        zone = digest.schedule.timezone
        first = min(mention.first_seen_at for mention in own).astimezone(ZoneInfo(zone))
        yield f"not seen yet at that time: first seen {first:%Y-%m-%d %H:%M:%S} {zone}"
    else:
        others = ", ".join(mention.source for mention in mentions) or "none"
        yield f"none of its sources ({', '.join(digest.sources)}) has shown it; seen by: {others}"
