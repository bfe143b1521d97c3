"""Compares what two configurations would have sent with the papers in the database. Read-only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.editions.comparison import DigestComparison, compare_editions
from digestmail.editions.compose import seen_papers
from digestmail.editions.replay import Side, Turn, replay, turns
from digestmail.editions.topic_learning import FEWEST_PAPERS, models_as_learned_now
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import Mentioned
from digestmail.model.reports import Progress, no_progress
from digestmail.schedule.cron import current_slot
from digestmail.selection.topic_model import learns
from digestmail.storage import editions, sightings, topic_models
from digestmail.storage.database import Database

_MOMENT = timedelta(seconds=1)
_READ_IN_A_ROW = 2
"""A slot is composed at two times at most, see `turns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What a new configuration would have sent in the past, compared with the old one."""

    since: datetime
    until: datetime
    digests: tuple[DigestComparison, ...]
    only_old: tuple[str, ...]
    """Digests that only the old configuration has. They are not compared, as are the next."""
    only_new: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What limits the comparison, one sentence each without a full stop."""


def backtest(
    database: Database,
    old: Sequence[Digest],
    new: Sequence[Digest],
    now: datetime,
    *,
    days: int,
    horizon: datetime | None = None,
    progress: Progress = no_progress,
) -> Backtest:
    """Replay the last `days` with the digests `old` and `new`, and compare those that have the same name.

    `horizon` is the latest possible time, if known, as for `compose`. Nothing is stored.
    """
    since = now - timedelta(days=days)
    names = [digest.name for digest in old]
    shared = [digest.name for digest in new if digest.name in names]
    compared = [tuple(digest for digest in side if digest.name in shared) for side in (old, new)]
    topics = [topic for side in compared for digest in side for topic in digest.topics]
    with database.connect() as connection:
        models = models_as_learned_now(connection, topics, now.date())
        sides = [Side(digests=side, turns=_turns(connection, side, since, now)) for side in compared]
        before, after = replay(sides, _Reader(connection, horizon), models, progress)
        notes = tuple(_notes(connection, [digest for side in compared for digest in side], since))
    return Backtest(
        since=since,
        until=now,
        digests=tuple(
            compare_editions(name, _since(before[name], since), _since(after[name], since)) for name in shared
        ),
        only_old=tuple(name for name in names if name not in shared),
        only_new=tuple(digest.name for digest in new if digest.name not in shared),
        notes=notes,
    )


def _turns(
    connection: Connection, digests: Sequence[Digest], since: datetime, now: datetime
) -> dict[str, tuple[Turn, ...]]:
    """Return the slots to replay, and enough earlier ones to know what the first is compared with."""
    found = {}
    for digest in digests:
        previous = current_slot(digest.schedule, since)
        start = since - timedelta(days=digest.window_days)
        start = start if previous is None else min(start, previous.at - _MOMENT)
        composed = editions.composed_since(connection, digest.name, start)
        found[digest.name] = tuple(turns(digest.schedule, start, now, composed))
    return found


def _since(played: Sequence[Edition], since: datetime) -> list[Edition]:
    return [edition for edition in played if edition.slot.at > since]


class _Reader:
    """Reads which papers had been seen, once if both sides need the same. Only the last ones are kept in memory."""

    def __init__(self, connection: Connection, horizon: datetime | None) -> None:
        self._connection = connection
        self._horizon = horizon
        self._found: dict[tuple[frozenset[str], datetime, datetime], list[Mentioned]] = {}

    def __call__(self, digest: Digest, since: datetime, until: datetime) -> list[Mentioned]:
        key = (frozenset(digest.sources), since, until)
        if key not in self._found:
            if len(self._found) == _READ_IN_A_ROW:
                self._found.clear()
            self._found[key] = seen_papers(self._connection, digest, since, until, self._horizon)
        return self._found[key]


def _notes(connection: Connection, digests: Sequence[Digest], since: datetime) -> Iterator[str]:
    first_read = sightings.first_seen_by(connection)
    for source in dict.fromkeys(source for digest in digests for source in digest.sources):
        if source not in first_read:
            yield f"no papers are stored of the source {source}, so no edition has any of it"
        elif first_read[source] > since:
            yield f"the first paper of the source {source} was seen {first_read[source]:%Y-%m-%d}"
    available = topic_models.count_papers(connection, FEWEST_PAPERS)
    if available < FEWEST_PAPERS and any(learns(topic) for digest in digests for topic in digest.topics):
        yield (
            f"topics are compared by words only: {FEWEST_PAPERS:,} papers are needed to learn them, and there are "
            f"{available:,}"
        )
