"""Importing a million people from a CSV: lines per second and memory; then the same file again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import figure, tell
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.storage.database import Database
from digestmail.subscribers import csv_transfer

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
PEOPLE = int(os.environ.get("DIGESTMAIL_BENCH_PEOPLE", "1000000"))
DIGESTS = (
    Digest(
        name="daily",
        title="Trending papers",
        schedule=Schedule(cron="0 7 * * *", timezone="UTC"),
        sources=("hf",),
        topics=(Topic(name="Agents", keywords=("agent",)), Topic(name="Vision", keywords=("image",))),
    ),
)
ZONES = ("", "Europe/Berlin", "Asia/Tokyo", "America/New_York")
TOPICS = ("", "Agents", "Vision")


def write(path: Path) -> None:
    """Write a file in which every choice occurs with every other."""
    with path.open("w", encoding="utf-8") as out:
        out.write("address,digest,topics,hour,language,timezone,consent_source,consent_at\n")
        for n in range(PEOPLE):
            hour = n % 24 if n % 2 else ""
            out.write(f"p{n}@example.org,daily,{TOPICS[n % 3]},{hour},,{ZONES[n % 4]},desk,2026-01-02T03:04:05Z\n")


def bring(database: Database, path: Path) -> tuple[csv_transfer.ImportReport, float]:
    """Return the report of one import, and how many seconds it took."""
    began = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as lines:
        report = csv_transfer.import_people(database, DIGESTS, lines, NOW, languages=("de",))
    return report, time.perf_counter() - began


def measure(directory: Path) -> None:
    """Import, import again, export; report the figures."""
    database = Database.open("sqlite:///people.db", base=directory)
    database.upgrade()
    first, seconds = bring(database, directory / "people.csv")
    again, seconds_again = bring(database, directory / "people.csv")
    began = time.perf_counter()
    with (directory / "out.csv").open("w", encoding="utf-8", newline="") as out:
        rows = csv_transfer.export(database, out)
    seconds_out = time.perf_counter() - began
    database.close()
    assert first.added == rows == PEOPLE, first
    assert again.skipped == (("already subscribed", PEOPLE),), again
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell(
        [
            figure("import: new people", PEOPLE / seconds, "a second", ">=", 10_000),
            figure("import: the same file again", PEOPLE / seconds_again, "a second", ">=", 20_000),
            figure("export", PEOPLE / seconds_out, "a second", ">=", 20_000),
            figure(f"import and export of {PEOPLE} people: peak memory", peak, "MiB", "<=", 300),
        ]
    )


def main() -> None:
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory) / "people.csv")
        subprocess.run([sys.executable, "-m", "benchmarks.imports", directory], check=True)


if __name__ == "__main__":
    main()
