"""A night of "For you": readers with 50 opinions each, 300 new papers, on SQLite: seconds and memory.

The time that it takes to pick is measured apart from all else that publishing does, which `benchmarks/publishing.py`
compares with publishing segments that readers share.

`python -m benchmarks.night 1000000` publishes to a million readers; without a number, to 100,000. The opinions are
about 5,000 papers. Texts are made of 20,000 invented words, as frequent as words are (Zipf), so that papers have as
many different terms as real ones.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from unittest import mock

from sqlalchemy import text

from benchmarks.figures import Figure, figure, tell
from digestmail.cli.main import look_for_cycles_less_often
from digestmail.editions import enqueue
from digestmail.editions.personal import ReaderPicks, Readers
from digestmail.editions.publish import publish
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, Schedule
from digestmail.model.editions import Edition
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting, Signals
from digestmail.model.personal import Pick
from digestmail.model.selection import Section
from digestmail.storage import papers, sources
from digestmail.storage.database import Database

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
PEOPLE = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
OPINIONS, RATED, NEW = 50, 5_003, 300
WORDS, LENGTH = 20_000, 160
DIGEST = Digest(
    name="daily",
    title="Trending papers",
    schedule=Schedule(cron="0 7 * * *", timezone="UTC"),
    sources=("hf",),
    window_days=1,
)
_PEOPLE = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PEOPLE})"
_OPINIONS = f"o(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM o WHERE j < {OPINIONS - 1})"


def sightings(first: int, count: int, day: datetime) -> Iterator[Sighting]:
    """Yield sightings of `count` papers with invented texts."""
    chance = random.Random(first)
    weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))
    for number in range(first, first + count):
        words = [f"w{bisect(weights, chance.random() * weights[-1])}x" for _ in range(LENGTH)]
        paper = Paper(
            id=PaperId(f"arxiv:2604.{number:05d}"),
            title=" ".join(words[:10]),
            abstract=" ".join(words[10:]),
            origin=Origin.ARXIV,
            link=f"https://arxiv.org/abs/2604.{number:05d}",
        )
        yield Sighting(source="hf", paper=paper, day=day.date(), signals=Signals(upvotes=number % 97))


def fill(database: Database) -> None:
    """Store papers, people and their opinions about the older papers."""
    before = NOW - timedelta(days=20)
    with database.begin() as connection:
        papers.add_sightings(connection, list(sightings(1, RATED, before)), before)
        new = tuple(sightings(RATED + 1, NEW, NOW))
        papers.add_sightings(connection, list(new), NOW)
        reading = Reading(source="hf", entries=NEW, sightings=new)
        sources.record_reading(connection, reading, NOW, complete=True)
        connection.execute(
            text(
                "INSERT INTO subscribers (id, address, key, state, created_at, updated_at) "
                f"{_PEOPLE} SELECT i, 'p' || i || '@example.org', 'p' || i || '@example.org', 'active', 0, 0 FROM n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO subscriptions (digest, subscriber_id, topics, created_at) "
                f"{_PEOPLE} SELECT 'daily', i, '[]', 0 FROM n"
            )
        )
        connection.execute(
            text(
                f"INSERT INTO feedback (subscriber_id, paper_id, liked, given_at) {_PEOPLE}, {_OPINIONS} "
                f"SELECT i, (i * 7919 + j * 97) % {RATED} + 1, (i + j) % 4 > 0, :at - j * 86400000 FROM n, o"
            ),
            {"at": int(before.timestamp() * 1000)},
        )


def render(edition: Edition, sections: tuple[Section, ...]) -> Rendered:
    """Render nothing: this measures choosing and the outbox."""
    return Rendered(subject=edition.title, html="", text=str(len(sections)))


class TimedPicks(ReaderPicks):
    """Picks for readers, and measures the CPU seconds of that: reading opinions, ranking, choosing, giving reasons."""

    spent = 0.0

    def pick(self, readers: Readers) -> Iterator[tuple[int, tuple[Pick, ...]]]:
        """Yield what `ReaderPicks` does."""
        found = super().pick(readers)
        while True:
            began = time.process_time()
            one = next(found, None)
            TimedPicks.spent += time.process_time() - began
            if one is None:
                return
            yield one


def measure(database: Database, digest: Digest) -> tuple[float, float]:
    """Publish; return wall and CPU seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    with mock.patch.object(enqueue, "ReaderPicks", TimedPicks):
        (report,) = publish(database, [digest], render, NOW).digests
    assert report.recipients == PEOPLE, report
    assert report.personal == PEOPLE, report
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Measure and print."""
    look_for_cycles_less_often()
    with tempfile.TemporaryDirectory() as directory:
        database = Database.open("sqlite:///night.db", base=Path(directory))
        database.upgrade()
        fill(database)
        wall, processor = measure(database, DIGEST)
        database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    million = 1_000_000 / PEOPLE
    tell(
        [
            figure(f"a night for {PEOPLE:,} readers", wall, "s", "<=", 900 / million),
            figure("CPU for each reader", processor / PEOPLE * 1000, "ms", "<=", 0.9),
            Figure("of that, picking", round(TimedPicks.spent / PEOPLE * 1000, 4), "ms", "-", holds=True),
            Figure(
                "of that, all else", round((processor - TimedPicks.spent) / PEOPLE * 1000, 4), "ms", "-", holds=True
            ),
            figure("peak memory", peak, "MiB", "<=", 1000),
        ]
    )


if __name__ == "__main__":
    main()
