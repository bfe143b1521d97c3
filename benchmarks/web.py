"""`digestmail web` on SQLite with 100,000 papers and 2,000 editions: requests a second against the server's own hello.

`wrk` (one thread, 16 connections) asks `/healthz`-like bare route, home, an edition and searches. Texts are drawn from
a made-up vocabulary with Zipf's law, so that some words are in every other paper and most in few.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure, figure, tell
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Sighting, Signals
from digestmail.model.search import Query
from digestmail.model.selection import Entry, Score
from digestmail.storage import editions, papers, search
from digestmail.storage.database import Database

PAPERS, EDITIONS, PER_EDITION = 100_000, 2_000, 25
SECONDS = 4
START = datetime(2020, 1, 1, 6, tzinfo=UTC)
WORDS = ["".join(random.Random(n).choices("aeioubdfgklmnprst", k=3 + n % 7)) for n in range(20_000)]
WEIGHTS = [1 / (rank + 10) for rank in range(len(WORDS))]
CONFIG = """
base_url = "https://papers.example.org"
[web]
searches_per_minute = 1000000
[mail]
sender = "digest@example.org"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 6 * * *"
sources = ["hf"]
"""


def made(number: int, chance: random.Random) -> Sighting:
    """Make a paper of about 150 words."""
    words = chance.choices(WORDS, WEIGHTS, k=160)
    return Sighting(
        source="hf",
        day=START.date(),
        signals=Signals(upvotes=number % 200),
        paper=Paper(
            id=PaperId(f"url:https://papers.example.org/{number}"),
            title=" ".join(words[:9]),
            abstract=" ".join(words[9:]),
            origin=Origin.HUGGING_FACE,
            link=f"https://papers.example.org/{number}",
            authors=tuple(f"{words[n]} {words[n + 1]}" for n in range(0, 10, 2)),
        ),
    )


def fill(database: Database, first: int, last: int) -> None:
    """Store the papers `first` to `last`, and an edition of 25 of them a day until there are 2,000."""
    chance = random.Random(first)
    for start in range(first, last, 2500):
        seen = [made(number, chance) for number in range(start, min(start + 2500, last))]
        with database.begin() as connection:
            papers.add_sightings(connection, seen, START + timedelta(minutes=start))
            for place in range(0, len(seen), 50):
                day = (start + place) // 50
                at = START + timedelta(days=day)
                editions.add(connection, _edition(at, [one.paper for one in seen[place : place + PER_EDITION]]))


def _edition(at: datetime, some: list[Paper]) -> Edition:
    entries = tuple(
        Entry(paper=paper, signals=Signals(upvotes=100 - rank), score=Score(total=1.0), rank=rank)
        for rank, paper in enumerate(some, start=1)
    )
    return Edition(
        digest="daily",
        slot=Slot(at=at, key=at.date().isoformat(), day=at.date()),
        title="Trending papers",
        byline="made up",
        composed_at=at,
        entries=entries,
    )


def search_times(database: Database, rounds: int = 200) -> list[float]:
    """Return how long searches take in milliseconds, in order: one to three words, common and rare."""
    chance = random.Random(7)
    times = []
    for _ in range(rounds):
        words = chance.choices(WORDS, WEIGHTS, k=chance.randint(1, 3))
        begun = time.perf_counter()
        with database.connect() as connection:
            search.search(connection, Query(text=" ".join(words)))
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)


def p95(times: list[float]) -> float:
    return times[int(len(times) * 0.95)]


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Run `digestmail web` and yield its address."""
    command = [sys.executable, "-m", "digestmail", "web", "--config", str(directory / "config.toml"), "--port", "8397"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    address = "http://127.0.0.1:8397"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}/healthz").read()  # noqa: S310 - loopback
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def requests_per_second(address: str) -> float:
    """Return the output of wrk."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert found
    assert "Non-2xx" not in said, said
    return float(found[1])


def measured(directory: Path) -> list[Figure]:
    database = Database.open(f"sqlite:///{directory / 'digestmail.db'}", base=Path())
    database.upgrade()
    fill(database, 0, PAPERS // 10)
    few = search_times(database)
    fill(database, PAPERS // 10, PAPERS)
    many = search_times(database)
    database.close()
    (directory / "config.toml").write_text(CONFIG)
    slot = (START + timedelta(days=1000)).date().isoformat()
    with server(directory) as address:
        hello = statistics.median(requests_per_second(f"{address}/healthz") for _ in range(3))
        home = requests_per_second(f"{address}/")
        edition = requests_per_second(f"{address}/daily/{slot}")
        found = requests_per_second(f"{address}/search?q={WORDS[30]}")
    return [
        figure("hello", hello, "requests/s", ">=", 1),
        figure("home to hello", home / hello, "ratio", ">=", 0.5),
        figure("edition to hello", edition / hello, "ratio", ">=", 0.5),
        figure("search page", found, "requests/s", ">=", 10),
        figure("search, median, 100,000 papers", statistics.median(many), "ms", "<=", 20),
        figure("search, p95, 10,000 papers", p95(few), "ms", "<=", 50),
        figure("search, p95, 100,000 papers", p95(many), "ms", "<=", 50),
        figure("search, p95, growth over ten times the papers", p95(many) / p95(few), "times", "<=", 5),
    ]


def main() -> None:
    """Measure and report."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    with tempfile.TemporaryDirectory(prefix="digestmail-bench-") as directory:
        tell(measured(Path(directory)))


if __name__ == "__main__":
    main()
