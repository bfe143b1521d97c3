"""Composes the edition of a digest. Read-only.

What selects papers is imported when there is an edition to compose: most runs find none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection

from digestmail.editions.missed import InTurn, in_turn, slot_before
from digestmail.errors import StorageError
from digestmail.model.digests import Digest, OnMissed
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Health, Mention, Mentioned, PaperId
from digestmail.model.selection import Candidate, Entry, Outcome, Selection
from digestmail.model.summaries import PaperSummary
from digestmail.schedule.cron import current_slot, next_fire, open_until
from digestmail.schedule.moments import DATED_AHEAD, is_ahead
from digestmail.storage import editions, paper_summaries, papers, settings
from digestmail.storage import sources as stored_sources
from digestmail.storage.database import Database
from digestmail.text.counts import counted

_LONGEST_GAP = timedelta(days=30)
"""Papers older than this are never new, even if no edition was published for longer."""
_FIRST_MAY_BE_LATE = timedelta(days=1)
_MOST_PICKABLE = 5_000
"""Papers that may be picked, by rank: each takes half a millisecond and tens of kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An unpublished edition, with the decision for each candidate."""

    edition: Edition
    selection: Selection
    since: datetime
    """Papers first seen at this time or later were not considered."""
    pickable: tuple[Entry, ...] = ()
    """The papers that may be picked for single readers, by rank: those of the edition, and others."""
    waited: str = ""
    """For which sources an edition with papers waited in vain, as a sentence."""


def compose(
    connection: Connection, digest: Digest, slot: Slot, now: datetime, horizon: datetime | None = None
) -> Composed:
    """Return the edition of `digest` for `slot`. The same stored papers always give the same edition.

    `horizon` is the latest possible time, if known. Papers seen after it were stored with a clock that was ahead, and
    count from the day in their source.
    """
    from digestmail.editions.trending import find_trending
    from digestmail.selection import newness
    from digestmail.selection.rules import admit, compile_sources

    stored = editions.latest(connection, digest.name, before=slot.at)
    last = stored.edition if stored else None
    since = window_start(digest, slot, last)
    seen = seen_papers(connection, digest, since, now, horizon)
    admitted = list(admit(seen, compile_sources(digest.source_rules)))
    found = newness.candidates(admitted, digest.curated, since)
    turn = in_turn(connection, digest, slot, last, (since, now), found)
    candidates = turn.candidates
    selection = _select(connection, digest, slot, turn)
    if reason := _why_nothing(connection, digest, selection):
        reason = _why_fewer(len(seen), len(admitted), len(candidates)) + reason
    edition = as_edition(digest, slot, now, selection, reason)
    if edition.entries:
        edition = replace(edition, trending=find_trending(connection, digest, slot, now))
    pickable = _pickable(digest, edition, selection, candidates, turn.sent_at)
    summaries = _summaries(connection, digest, (*edition.entries, *pickable))
    return Composed(
        edition=replace(edition, entries=_with_summaries(edition.entries, summaries)),
        selection=selection,
        since=since,
        pickable=_with_summaries(pickable, summaries),
    )


def _select(connection: Connection, digest: Digest, slot: Slot, turn: InTurn) -> Selection:
    from digestmail.editions.topic_learning import models_of
    from digestmail.selection.select import select

    paper_ids = [candidate.paper.id for candidate in turn.candidates]
    return select(
        turn.candidates,
        digest,
        slot.day,
        published=papers.published(connection, digest.name, paper_ids),
        last_at=turn.last_at,
        elsewhere=papers.published_elsewhere(connection, paper_ids, digest.name, digest.allow_repeats_of),
        models=models_of(connection, digest),
    )


def _summaries(
    connection: Connection, digest: Digest, entries: Sequence[Entry]
) -> dict[PaperId, tuple[PaperSummary, ...]]:
    """Return what the language model of a digest wrote about papers before."""
    if digest.summary_model is None or not entries:
        return {}
    found = {entry.paper.id: entry.paper for entry in entries}
    return paper_summaries.of_papers(connection, digest.summary_model, list(found.values()))


def _with_summaries(
    entries: tuple[Entry, ...], summaries: Mapping[PaperId, tuple[PaperSummary, ...]]
) -> tuple[Entry, ...]:
    if not summaries:
        return entries
    return tuple(
        replace(entry, summaries=summaries[entry.paper.id]) if entry.paper.id in summaries else entry
        for entry in entries
    )


def _pickable(
    digest: Digest, edition: Edition, selection: Selection, candidates: Sequence[Candidate], sent_at: datetime | None
) -> tuple[Entry, ...]:
    """Return the papers that may be picked for single readers, by rank.

    If the edition has no papers, there are none, unless the digest is personal and one of them is newer than its last
    email, at `sent_at`.
    """
    found = sorted((*selection.entries, *selection.others), key=lambda entry: entry.rank)
    if not edition.entries:
        new = {one.paper.id for one in candidates if sent_at is None or one.came_at > sent_at}
        if not digest.personal or all(entry.paper.id not in new for entry in found):
            return ()
    return tuple(found[:_MOST_PICKABLE])


def as_edition(digest: Digest, slot: Slot, now: datetime, selection: Selection, reason: str) -> Edition:
    """Return what was selected for `slot` as an edition, without papers if there is a reason why there is none."""
    return Edition(
        digest=digest.name,
        slot=slot,
        title=digest.title,
        byline=digest.byline,
        composed_at=now,
        entries=() if reason else selection.entries,
        beyond=() if reason else selection.beyond,
        topics=tuple(topic.name for topic in digest.topics),
        limits=digest.limits,
        considered=len(selection.decisions),
        reason=reason,
        since=digest.catch_up.since if digest.catch_up else None,
    )


def seen_papers(
    connection: Connection, digest: Digest, since: datetime, now: datetime, horizon: datetime | None = None
) -> list[Mentioned]:
    """Return the papers that a source of `digest` first showed from `since` to `now`; `horizon` as for `compose`."""
    found = papers.mentioned(connection, digest.sources, since, now, horizon)
    return [redated for one in found if (redated := _dated(one, now, horizon)) is not None]


def _dated(found: Mentioned, now: datetime, horizon: datetime | None) -> Mentioned | None:
    """Return a paper with sightings after `horizon` moved to the day in their source; None if it was never seen."""
    mentions = [_dated_mention(mention, now, horizon) for mention in found.mentions]
    credible = tuple(mention for mention in mentions if mention.first_seen_at <= now)
    return replace(found, mentions=credible) if credible else None


def _dated_mention(mention: Mention, now: datetime, horizon: datetime | None) -> Mention:
    if horizon is None or not is_ahead(mention.first_seen_at, horizon):
        return mention
    ends = datetime.combine(mention.day + timedelta(days=1), time(), UTC)
    if ends > horizon + DATED_AHEAD:
        return mention
    return replace(mention, first_seen_at=min(ends, now))


def window_start(digest: Digest, slot: Slot, last: Edition | None) -> datetime:
    """Return the start of the window of a digest, which extends back to the last edition if days were missed.

    If missed papers are left out, it extends back to the last slot only.
    """
    start = slot.at - timedelta(days=digest.window_days)
    if last is None:
        return start
    if digest.on_missed is OnMissed.SKIP:
        before = slot_before(digest.schedule, slot)
        return start if before is None else max(min(start, before.at), min(start, slot.at - _LONGEST_GAP))
    return max(min(start, last.slot.at), min(start, slot.at - _LONGEST_GAP))


def has_news(selection: Selection) -> bool:
    """Return whether there is an edition: whether at least one new paper was selected.

    Papers left over from the last edition can fill a new one, but are not enough for one. Otherwise a weekend edition
    would repeat Friday's papers.
    """
    return any(one.new and one.outcome is Outcome.SELECTED for one in selection.decisions)


def _why_nothing(connection: Connection, digest: Digest, selection: Selection) -> str:
    """Return why there is no edition, or an empty string if there is one."""
    if has_news(selection):
        return ""
    new = [one for one in selection.decisions if one.new and one.outcome is not Outcome.PUBLISHED_BEFORE]
    states = [
        f"{row.source}: {row.health} ({row.detail})"
        for name in digest.sources
        for row in stored_sources.list_health(connection, source=name)
        if not row.category
    ]
    if new:
        rejected = sum(one.rejection is not None for one in new)
        because = f", {rejected} left out by the digest's rules" if rejected else ""
        return f"none of {counted(len(new), 'new paper')} qualified{because}; " + "; ".join(states)
    return "no new papers; " + ("; ".join(states) or "no source has been read yet")


def _why_fewer(seen: int, admitted: int, candidates: int) -> str:
    """Return why there are fewer candidates than papers that came, as the beginning of a sentence."""
    ruled_out = f"{counted(seen - admitted, 'paper')} left out by the rules of sources; " if seen > admitted else ""
    old = f"{counted(admitted - candidates, 'paper')} came, dated long before; " if admitted > candidates else ""
    return ruled_out + old


def find_candidates(database: Database, digest: Digest, since: datetime, now: datetime) -> tuple[Candidate, ...]:
    """Return the papers that are new for `digest` since `since`."""
    from digestmail.selection import newness
    from digestmail.selection.rules import admit, compile_sources

    with database.connect() as connection:
        found = papers.mentioned(connection, digest.sources, since, now)
    admitted = admit(found, compile_sources(digest.source_rules))
    return tuple(newness.candidates(admitted, digest.curated, since))


def compose_next(database: Database, digest: Digest, now: datetime, horizon: datetime | None = None) -> Composed:
    """Return the next edition of `digest`, as it would be published now."""
    with database.connect() as connection:
        slot = upcoming_slot(connection, digest, now, horizon)
        return compose(connection, digest, slot, now, horizon)


def upcoming_slot(connection: Connection, digest: Digest, now: datetime, horizon: datetime | None = None) -> Slot:
    """Return the next slot to publish: the due one if it is open, else the one after it."""
    slot = current_slot(digest.schedule, now)
    if slot is not None and is_open(connection, digest, slot, now, horizon):
        return slot
    coming = current_slot(digest.schedule, next_fire(digest.schedule, now))
    if coming is None:
        raise StorageError(f"digest {digest.name!r} has no slot at or after {now:%Y-%m-%d %H:%M} UTC")
    return coming


def is_open(
    connection: Connection,
    digest: Digest,
    slot: Slot,
    now: datetime,
    horizon: datetime | None = None,
    *,
    late: bool = False,
) -> bool:
    """Return whether a slot that has begun can still get its edition.

    It cannot if it or a later one was published, or may have been in a database that was lost, or if the next slot is
    nearer, unless it may be `late`. The first edition of a digest may be up to a day late, so that a new digest shows a
    result at once. `horizon` is the latest possible time, if known. Editions after it were published with a clock that
    was ahead, and do not block earlier slots. A catch-up edition belongs to one that is out, so it may be late.
    """
    if editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return False
    restored_at = settings.restored_at(connection)
    if restored_at is not None and slot.at <= restored_at:
        return False
    if late or digest.catch_up is not None or now <= open_until(digest.schedule, slot):
        return True
    is_first = digest.schedule.every is None and editions.is_first(connection, digest.name, horizon)
    return is_first and now - slot.at <= _FIRST_MAY_BE_LATE


def read_well(connection: Connection, digest: Digest) -> bool:
    """Return whether the last reading of every source of `digest` was complete; parked sources do not count."""
    healths = {row.source: row.health for row in stored_sources.list_health(connection) if not row.category}
    return all(healths.get(name) in {Health.FRESH, Health.NOTHING_ANNOUNCED, Health.PARKED} for name in digest.sources)
