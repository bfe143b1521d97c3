"""Replays past slots in memory: what digests would have published with the papers that had been seen by then. Pure.

Papers and models are arguments, and what was really published makes no difference: a paper counts as published if the
replay itself selected it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digestmail.editions.compose import as_edition, has_news, window_start
from digestmail.model.digests import Digest, Schedule
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Mentioned, PaperId
from digestmail.model.reports import Progress, no_progress
from digestmail.model.selection import Selection
from digestmail.schedule.cron import current_slot, next_fire, open_until
from digestmail.selection import newness
from digestmail.selection.rules import admit, compile_sources
from digestmail.selection.select import select
from digestmail.selection.topic_model import TopicModel, fingerprint

Seen = Callable[[Digest, datetime, datetime], Sequence[Mentioned]]
"""Returns the papers that a digest's sources first showed from one time to another, as they were known then."""

_NOTHING = Selection(entries=(), beyond=(), decisions=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A slot, and the times at which its edition is composed until one has papers."""

    slot: Slot
    moments: tuple[datetime, ...]


def turns(schedule: Schedule, since: datetime, now: datetime, composed: Mapping[datetime, datetime]) -> Iterator[Turn]:
    """Yield the slots that began after `since` and at or before `now`, oldest first.

    A slot is composed when it begins, or at the time in `composed` (by the start of the slot) at which its edition was
    really composed. If there are no papers then, it is composed once more when it closes, because papers that come
    meanwhile still belong to it.
    """
    at = since
    while (at := next_fire(schedule, at)) <= now:
        slot = current_slot(schedule, at)
        if slot is None:
            return
        first = min(max(composed.get(slot.at, slot.at), slot.at), now)
        last = min(open_until(schedule, slot), now)
        yield Turn(slot=slot, moments=(first, last) if last > first else (first,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The digests of one configuration, and the slots to replay by the digest's name, oldest first."""

    digests: tuple[Digest, ...]
    turns: Mapping[str, tuple[Turn, ...]]


def replay(
    sides: Sequence[Side], seen: Seen, models: Mapping[str, TopicModel], progress: Progress = no_progress
) -> tuple[dict[str, tuple[Edition, ...]], ...]:
    """Return for each side the editions of its digests, by name, one for each slot. Those without papers have a reason.

    `models` are what was learned, by the topic's fingerprint. The digests of a side are replayed together, because what
    one publishes is no news for readers of another. The sides do not know each other; they are replayed slot by slot,
    so that `seen` is called for the same papers in a row.
    """
    players = [{digest.name: _Player(digest, models) for digest in side.digests} for side in sides]
    order = [
        (turn.slot.at, place, number, turn)
        for number, side in enumerate(sides)
        for place, digest in enumerate(side.digests)
        for turn in side.turns[digest.name]
    ]
    for done, (_, place, number, turn) in enumerate(sorted(order, key=lambda one: one[:3]), start=1):
        digest = sides[number].digests[place]
        allowed = {digest.name, *digest.allow_repeats_of}
        others = (player.published for name, player in players[number].items() if name not in allowed)
        players[number][digest.name].play(turn, seen, frozenset[PaperId]().union(*others))
        progress("replay", done, len(order))
    return tuple({name: tuple(player.editions) for name, player in one.items()} for one in players)


@dataclass(slots=True)
class _Player:
    """A digest, and what it published in the replay."""

    digest: Digest
    models: Mapping[str, TopicModel]
    """By the topic's fingerprint."""
    published: dict[PaperId, str] = field(default_factory=dict)
    editions: list[Edition] = field(default_factory=list)
    last: Edition | None = None
    """The last edition with papers."""

    def play(self, turn: Turn, seen: Seen, elsewhere: frozenset[PaperId]) -> None:
        """Compose the edition of a slot, and remember what it contains."""
        edition = self._compose(turn.slot, turn.moments[0], seen, elsewhere)
        for moment in turn.moments[1:]:
            if edition.entries:
                break
            edition = self._compose(turn.slot, moment, seen, elsewhere)
        self.editions.append(edition)
        if edition.entries:
            self.last = edition
            self.published |= {entry.paper.id: turn.slot.key for entry in edition.entries}

    def _compose(self, slot: Slot, now: datetime, seen: Seen, elsewhere: frozenset[PaperId]) -> Edition:
        since = window_start(self.digest, slot, self.last)
        admitted = admit(seen(self.digest, since, now), compile_sources(self.digest.source_rules))
        candidates = list(newness.candidates(admitted, self.digest.curated, since))
        last_at = self.last.composed_at if self.last else None
        if last_at is not None and all(candidate.came_at <= last_at for candidate in candidates):
            # Selecting takes time, and without new papers there is no edition.
            return as_edition(self.digest, slot, now, _NOTHING, "no new papers")
        topics = {topic.name: fingerprint(topic) for topic in self.digest.topics if topic.learn}
        selection = select(
            candidates,
            self.digest,
            slot.day,
            published=self.published,
            last_at=last_at,
            elsewhere=elsewhere,
            models={name: self.models[key] for name, key in topics.items() if key in self.models},
        )
        reason = "" if has_news(selection) else "no new paper qualified"
        return as_edition(self.digest, slot, now, selection, reason)
