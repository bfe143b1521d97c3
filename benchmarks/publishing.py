"""Publishing to a million subscribers: segments that readers share, and picks that are different for each reader.

Subscribers have hours, time zones, languages and topics of their own. Both ways take turns, each on a copy of the same
database. On the personal side, the picks are given: this measures what publishing does with them (numbers, packing,
rows of papers, reasons and deliveries). `benchmarks/night.py` measures the picking itself.

`python -m benchmarks.publishing 200000 3` publishes three times each way to 200,000. DIGESTMAIL_BENCH_URL is the URL of
an empty PostgreSQL server, as `postgresql://user@host/`: its databases `bench_publishing` and `bench_filled` are
replaced. Without it, this measures SQLite.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from unittest import mock

from sqlalchemy import text

from benchmarks.figures import Figure, figure, tell
from digestmail.cli.main import look_for_cycles_less_often
from digestmail.editions import enqueue
from digestmail.editions.personal import ReaderPicks, Readers
from digestmail.editions.publish import publish
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.editions import Edition
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting, Signals
from digestmail.model.personal import Pick, PickKind, PickReason
from digestmail.model.selection import Section
from digestmail.storage import papers, sources
from digestmail.storage.database import Database

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
PEOPLE = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 1
SERVER = os.environ.get("DIGESTMAIL_BENCH_URL", "")
PAPERS, RATED, CHOICES = 300, 5_000, 5_000
"""Papers of the day, papers that readers liked, and different sets of picks, of which each reader has one."""
SHARED = Digest(
    name="daily",
    title="Trending papers",
    schedule=Schedule(cron="0 7 * * *", timezone="UTC"),
    sources=("hf",),
    topics=(Topic(name="Agents", keywords=("agent",)), Topic(name="Vision", keywords=("image",))),
    for_you=0,
)
WITH_PICKS = replace(SHARED, for_you=5)
PERSONAL = replace(SHARED, personal=True)
ZONES = ("NULL", "'Europe/Berlin'", "'Asia/Tokyo'", "'America/New_York'")
_COUNTED = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PEOPLE})"


def fill(database: Database) -> None:
    """Store papers and people: every choice occurs with every other."""
    sightings = [
        Sighting(
            source="hf",
            paper=Paper(
                id=PaperId(f"arxiv:2604.{n:05d}"),
                title=f"An {'agent' if n % 2 else 'image'} {n}",
                origin=Origin.ARXIV,
                link=f"https://arxiv.org/abs/2604.{n:05d}",
            ),
            day=NOW.date(),
            signals=Signals(upvotes=n),
        )
        for n in range(1, PAPERS + 1)
    ]
    zone = " ".join(f"WHEN {i} THEN {name}" for i, name in enumerate(ZONES))
    with database.begin() as connection:
        papers.add_sightings(connection, sightings, NOW)
        reading = Reading(source="hf", entries=len(sightings), sightings=tuple(sightings))
        sources.record_reading(connection, reading, NOW, complete=True)
        moment = "0" if database.dialect == "sqlite" else "timestamptz 'epoch'"
        connection.execute(
            text(
                "INSERT INTO subscribers (id, address, key, state, timezone, language, created_at, updated_at) "
                f"{_COUNTED} SELECT i, 'p' || i || '@example.org', 'p' || i || '@example.org', 'active', "
                f"CASE i % 4 {zone} END, CASE WHEN i % 5 = 0 THEN 'de' END, {moment}, {moment} FROM n"
            )
        )
        topics = "(CASE i % 3 WHEN 0 THEN '[]' WHEN 1 THEN '[\"Agents\"]' ELSE '[\"Vision\"]' END)"
        if database.dialect == "postgresql":
            topics += "::json"
        connection.execute(
            text(
                f"INSERT INTO subscriptions (digest, subscriber_id, topics, hour, created_at) {_COUNTED} "
                f"SELECT 'daily', i, {topics}, CASE WHEN i % 2 = 1 THEN i % 24 END, {moment} FROM n"
            )
        )


def picks_of(most: int) -> list[tuple[Pick, ...]]:
    """Return different sets of picks. As in what the picker returns, equal reasons are the same object."""
    chance = Random(most)
    reasons = [PickReason(kind=PickKind.LIKED, title=f"A paper liked on day {number}") for number in range(RATED)]

    def pick(number: int) -> Pick:
        return Pick(paper_id=PaperId(f"arxiv:2604.{number:05d}"), reason=chance.choice(reasons))

    return [tuple(map(pick, chance.sample(range(1, PAPERS + 1), most))) for _ in range(CHOICES)]


@contextmanager
def given(choices: list[tuple[Pick, ...]]) -> Iterator[None]:
    """Have each reader get one of `choices`, without any picking."""

    class Given(ReaderPicks):
        possible = True

        def pick(self, readers: Readers) -> Iterator[tuple[int, tuple[Pick, ...]]]:
            return ((reader, choices[reader % CHOICES]) for reader in readers)

    with mock.patch.object(enqueue, "ReaderPicks", Given):
        yield


def render(edition: Edition, sections: tuple[Section, ...], *, language: str | None = None) -> Rendered:
    """Render nothing: this measures the outbox."""
    return Rendered(subject=f"{edition.title} {language}", html="", text=str(len(sections)))


@dataclass
class Way:
    """A way to publish, and what it took."""

    name: str
    digest: Digest
    seconds: list[float]
    cpu: list[float]
    octets: float = 0
    """For each delivery, with all indexes."""


class Databases:
    """Copies of one filled database."""

    def __init__(self, directory: Path) -> None:
        """Fill it."""
        self._directory = directory
        self._recreate("bench_filled", "template0")
        filled = self._open("bench_filled")
        filled.upgrade()
        fill(filled)
        if not SERVER:
            filled.run_alone("PRAGMA wal_checkpoint(TRUNCATE)")
        filled.close()

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """Open a new copy, and delete it."""
        self._recreate("bench_publishing", "bench_filled")
        database = self._open("bench_publishing")
        try:
            yield database
        finally:
            database.close()

    def _open(self, name: str) -> Database:
        return Database.open(f"{SERVER}{name}" if SERVER else f"sqlite:///{name}.db", base=self._directory)

    def _recreate(self, name: str, template: str) -> None:
        if not SERVER:
            for stale in self._directory.glob(f"{name}.db*"):
                stale.unlink()
            if template != "template0":
                shutil.copy(self._directory / f"{template}.db", self._directory / f"{name}.db")
            return
        import psycopg

        with psycopg.connect(f"{SERVER}postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            connection.execute("CHECKPOINT")


def size(database: Database) -> int:
    """Return the octets that tables and indexes take."""
    with database.connect() as connection:
        if database.dialect == "sqlite":
            pages = connection.execute(
                text("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count")
            )
            return int(pages.scalar_one()) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def run(database: Database, way: Way) -> None:
    """Publish once, and add what it took."""
    before = size(database)
    wall, processor = time.perf_counter(), time.process_time()
    (report,) = publish(database, [way.digest], render, NOW).digests
    way.seconds.append(time.perf_counter() - wall)
    way.cpu.append(time.process_time() - processor)
    assert report.recipients == PEOPLE, report
    assert report.personal == (PEOPLE if way.digest.most_picks else 0), report
    way.octets = (size(database) - before) / PEOPLE


def figures(ways: list[Way]) -> Iterator[Figure]:
    """Yield rates, ratios and sizes."""
    shared, *personal = ways
    for way in ways:
        rate = PEOPLE / statistics.median(way.seconds)
        if way is shared and not SERVER:
            yield figure(f"publishing, {way.name}", rate, "a second", ">=", 100_000)
        else:
            yield Figure(f"publishing, {way.name}", round(rate), "a second", "-", holds=True)
        cpu = statistics.median(way.cpu) / PEOPLE * 1e6
        yield Figure(f"CPU of a delivery, {way.name}", round(cpu, 1), "us", "-", holds=True)
    for way in personal:
        ratio = statistics.median(ours / theirs for ours, theirs in zip(shared.seconds, way.seconds, strict=True))
        yield figure(f"rate against shared, {way.name}", ratio, "times", ">=", 1 / 3)
        ratio = statistics.median(ours / theirs for ours, theirs in zip(shared.cpu, way.cpu, strict=True))
        yield Figure(f"the same by CPU, {way.name}", round(ratio, 3), "times", "-", holds=True)
    for way in ways:
        if SERVER:
            yield Figure(f"size of a delivery, {way.name}", round(way.octets, 1), "octets", "-", holds=True)
        else:
            yield figure(f"size of a delivery, {way.name}", way.octets, "octets", "<=", 200)


def main() -> None:
    """Measure and print."""
    look_for_cycles_less_often()
    ways = [
        Way("shared segments", SHARED, [], []),
        Way("5 picks and segments", WITH_PICKS, [], []),
        Way("25 picks", PERSONAL, [], []),
    ]
    choices = {way.name: picks_of(way.digest.most_picks) for way in ways}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory:
        databases = Databases(Path(directory))
        for _ in range(ROUNDS):
            for way in ways:
                with databases.copy() as database:
                    if way.digest.most_picks:
                        with given(choices[way.name]):
                            run(database, way)
                    else:
                        run(database, way)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell([*figures(ways), figure(f"publishing to {PEOPLE:,} people: peak memory", peak, "MiB", "<=", 300)])


if __name__ == "__main__":
    main()
