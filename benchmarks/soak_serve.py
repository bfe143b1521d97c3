"""The work of `digestmail up` over simulated weeks: memory must stay flat, with new papers every day.

A manual clock goes through the weeks in steps of four hours. Each step does the work of one hour of the daemon: a run
(collect, publish, deliver), and another delivery. Three made-up sources on loopback have new papers every day,
and emails go to a Maildir that is emptied every week. `python -m benchmarks.soak_serve 20` simulates 20 weeks instead
of eight.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from benchmarks.figures import figure, tell
from benchmarks.soak import resident
from digestmail.app import App
from digestmail.config.load import load
from digestmail.model.subscribers import Subscription
from digestmail.storage import subscribers

WEEKS, WARM_UP = 8, 3
STEP = timedelta(hours=4)
SUBSCRIBERS, PER_DAY = 40, 30
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WORDS = ["".join(Random(number).choices("aeioubdfgklmnprst", k=3 + number % 8)) for number in range(5_000)]
CONFIG = """
base_url = "https://papers.example.org"
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["127.0.0.1:{port}"]
[[sources]]
name = "hf"
kind = "huggingface"
base_url = "http://127.0.0.1:{port}"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
categories = ["cs.LG"]
base_url = "http://127.0.0.1:{port}"
[[sources]]
name = "blog"
kind = "feed"
url = "http://127.0.0.1:{port}/feed.xml"
[[topics]]
name = "One"
keywords = ["{one}"]
description = "papers about {one}"
[[topics]]
name = "Two"
keywords = ["{two}"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["hf", "arxiv", "blog"]
topics = ["One", "Two"]
[[digests]]
name = "weekly"
title = "Papers of the week"
schedule = "0 8 * * 6"
sources = ["hf", "blog"]
allow_repeats_of = ["daily"]
"""


@dataclass
class ManualClock:
    """A clock that moves when it is told to, and when something sleeps."""

    time: datetime = field(default=MONDAY)

    def now(self) -> datetime:
        """Return the time."""
        return self.time

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        """Move forward."""
        self.time += timedelta(seconds=seconds)


def words(chance: Random, count: int) -> str:
    """Return made-up words. Some are new, with TeX between them, so that caches of words and formulas fill."""
    some = [*chance.choices(WORDS, k=count), f"word{chance.randrange(10**9)}", f"$x_{{{chance.randrange(10**6)}}}$"]
    chance.shuffle(some)
    return " ".join(some)


@lru_cache(maxsize=4)
def daily_papers(day: date) -> bytes:
    """Return the papers of a day as Hugging Face has them. Their counts are different on each day."""
    chance = Random(day.toordinal())
    items = [
        {
            "paper": {
                "id": f"{day:%y%m}.{day.day * 300 + number:05d}",
                "title": words(chance, 8),
                "summary": words(chance, 150),
                "authors": [{"name": words(chance, 2)} for _ in range(4)],
                "upvotes": chance.randrange(100_000),
                "submittedOnDailyAt": f"{day}T01:00:00.000Z",
            },
            "numComments": chance.randrange(100),
        }
        for number in range(PER_DAY)
    ]
    return json.dumps(items).encode()


@lru_cache(maxsize=4)
def announcements(day: date) -> bytes:
    """Return the papers of a day as arXiv announces them."""
    chance = Random(-day.toordinal())
    items = (
        f"<item><title>{words(chance, 8)}</title>"
        f"<link>https://arxiv.org/abs/{day:%y%m}.{day.day * 300 + number:05d}</link><category>cs.LG</category>"
        f"<description>{words(chance, 150)}</description><pubDate>{day:%a, %d %b %Y} 00:00:00 -0500</pubDate></item>"
        for number in range(PER_DAY // 2, PER_DAY * 3)
    )
    return f"<rss version='2.0'><channel><title>cs.LG</title>{''.join(items)}</channel></rss>".encode()


@lru_cache(maxsize=4)
def blog(day: date) -> bytes:
    """Return a feed with an entry for each of the last ten days."""
    items = (
        f"<item><title>{words(Random(one.toordinal()), 6)}</title><link>https://blog.example.org/{one}</link>"
        f"<description>&lt;p&gt;{words(Random(one.toordinal()), 200)}&lt;/p&gt;</description></item>"
        for one in (day - timedelta(days=back) for back in range(10))
    )
    return f"<rss version='2.0'><channel><title>A blog</title>{''.join(items)}</channel></rss>".encode()


@contextmanager
def sources(clock: ManualClock) -> Iterator[int]:
    """Serve the sources as they are at the time of `clock`, with entity tags; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            today = clock.now().date()
            if url.path == "/api/daily_papers":
                body = daily_papers(date.fromisoformat(parse_qs(url.query)["date"][0]))
            else:
                body = blog(today) if url.path == "/feed.xml" else announcements(today)
            tag = f'"{sha256(body).hexdigest()[:32]}"'
            same = self.headers.get("If-None-Match") == tag
            self.send_response(304 if same else 200)
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(0 if same else len(body)))
            self.end_headers()
            self.wfile.write(b"" if same else body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Weeks:
    """What was measured at the end of each week."""

    memory: list[float] = field(default_factory=list)
    sent: int = 0
    failed: int = 0


def simulated(directory: Path, weeks: int) -> Weeks:
    """Go through the weeks."""
    clock, found = ManualClock(), Weeks()
    with sources(clock) as port:
        text = CONFIG.format(port=port, one=WORDS[7], two=WORDS[8])
        (directory / "config.toml").write_text(text)
        with App(load(directory / "config.toml", None), directory, clock, wall_clock=clock) as app:
            add_subscribers(app, clock.now())
            for week in range(1, weeks + 1):
                one_week(app, clock, MONDAY + timedelta(weeks=week), found)
                shutil.rmtree(directory / "mail")
                gc.collect()
                found.memory.append(resident(os.getpid()))
                sys.stderr.write(f"week {week}: {found.memory[-1]:.1f} MB, {found.sent:,} emails sent\n")
    return found


def add_subscribers(app: App, now: datetime) -> None:
    """Subscribe people with different choices."""
    with app.database.begin() as connection:
        for number in range(SUBSCRIBERS):
            person = subscribers.add(connection, f"reader{number}@example.org", now)
            for digest in ("daily", "weekly"):
                topics = ((), ("One",), ("Two",))[number % 3] if digest == "daily" else ()
                wanted = Subscription(digest=digest, topics=topics, hour=(None, 9)[number % 2])
                subscribers.subscribe(connection, person, wanted, now)


def one_week(app: App, clock: ManualClock, end: datetime, found: Weeks) -> None:
    """Do what the daemon does, until `end`."""
    at = clock.now()
    while at < end:
        at += STEP
        report = app.run()
        found.failed += len(report.collect.failed)
        clock.time = max(clock.now(), at - STEP / 2)
        found.sent += report.deliver.sent + app.deliver().sent
        clock.time = max(clock.now(), at)


def main() -> None:
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else WEEKS
    directory = Path(tempfile.mkdtemp(prefix="digestmail-soak-"))
    try:
        found = simulated(directory, weeks)
    finally:
        shutil.rmtree(directory)
    warm = found.memory[min(WARM_UP, weeks) - 1]
    tell(
        [
            figure("resident memory after warm-up", warm, "MB", "<=", 250),
            figure(f"growth over the next {weeks - WARM_UP} weeks", found.memory[-1] - warm, "MB", "<=", 10),
            figure("emails sent", found.sent, "emails", ">=", weeks * 7 * SUBSCRIBERS),
            figure("readings that failed", found.failed, "readings", "<=", 0),
        ]
    )


if __name__ == "__main__":
    main()
