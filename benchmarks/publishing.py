"""Publishing to a million subscribers with hours, zones, languages and topics of their own: rows a second, memory."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from benchmarks.figures import figure, tell
from digestmail.editions.publish import publish
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.editions import Edition
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting, Signals
from digestmail.model.selection import Section
from digestmail.storage import papers, sources
from digestmail.storage.database import Database

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
PEOPLE = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
DIGEST = Digest(
    name="daily",
    title="Trending papers",
    schedule=Schedule(cron="0 7 * * *", timezone="UTC"),
    sources=("hf",),
    topics=(Topic(name="Agents", keywords=("agent",)), Topic(name="Vision", keywords=("image",))),
)
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
        for n in range(1, 26)
    ]
    zone = " ".join(f"WHEN {i} THEN {name}" for i, name in enumerate(ZONES))
    with database.begin() as connection:
        papers.add_sightings(connection, sightings, NOW)
        reading = Reading(source="hf", entries=len(sightings), sightings=tuple(sightings))
        sources.record_reading(connection, reading, NOW, complete=True)
        connection.execute(
            text(
                "INSERT INTO subscribers (id, address, key, state, timezone, language, created_at, updated_at) "
                f"{_COUNTED} SELECT i, 'p' || i || '@example.org', 'p' || i || '@example.org', 'active', "
                f"CASE i % 4 {zone} END, CASE WHEN i % 5 = 0 THEN 'de' END, 0, 0 FROM n"
            )
        )
        connection.execute(
            text(
                f"INSERT INTO subscriptions (digest, subscriber_id, topics, hour, created_at) {_COUNTED} "
                "SELECT 'daily', i, CASE i % 3 WHEN 0 THEN '[]' WHEN 1 THEN '[\"Agents\"]' ELSE '[\"Vision\"]' END, "
                "CASE WHEN i % 2 THEN i % 24 END, 0 FROM n"
            )
        )


def render(edition: Edition, sections: tuple[Section, ...]) -> Rendered:
    """Render nothing: this measures the outbox."""
    return Rendered(subject=edition.title, html="", text=str(len(sections)))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        database = Database.open("sqlite:///people.db", base=Path(directory))
        database.upgrade()
        fill(database)
        began = time.perf_counter()
        (report,) = publish(database, [DIGEST], render, NOW).digests
        seconds = time.perf_counter() - began
        database.close()
    assert report.recipients == PEOPLE, report
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell(
        [
            figure("publishing: deliveries queued", PEOPLE / seconds, "a second", ">=", 100_000),
            figure(f"publishing to {PEOPLE} people: peak memory", peak, "MiB", "<=", 300),
        ]
    )


if __name__ == "__main__":
    main()
