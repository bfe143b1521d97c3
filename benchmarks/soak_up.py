"""The parts of `digestmail up` over 60 simulated days with faults: nothing may grow but the database, evenly.

A manual clock goes from one job to the next: the slot of the digest, a run every hour, upkeep every day, and a look at
the outbox every twenty minutes, which `digestmail up` takes every minute. Sources and mail server fail by a seeded
table (`benchmarks.soak_faults`). Each day pages are asked for, one reader's mailbox bounces, and every ten days one
reader's address stops existing and the configuration is read again. `python -m benchmarks.soak_up 120 7` simulates 120
days with the seed 7.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random

from sqlalchemy import func, select

from benchmarks.figures import tell
from benchmarks.soak import resident
from benchmarks.soak_faults import FaultyMailServer, faulty_mail_server, faulty_sources, is_empty
from benchmarks.soak_figures import WARM_UP, DayFigures, Outcome, judge
from benchmarks.soak_serve import ManualClock
from digestmail.app import App
from digestmail.config.load import load
from digestmail.daemon import Daemon
from digestmail.model.deliveries import DeliveryState
from digestmail.model.reports import never
from digestmail.model.subscribers import Subscription
from digestmail.schedule.cron import next_fire
from digestmail.service.part import Runner, ServiceHealth
from digestmail.service.parts import PartsLoader, Reporting, Wanted
from digestmail.storage import schema, subscribers

DAYS, SEED = 60, 1
READERS, RELOAD_DAYS = 40, 10
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
CONFIG = """
base_url = "https://papers.example.org"
[mail]
sender = "digest@example.org"
bounce_address = "bounce@example.org"
[mail.smtp]
host = "127.0.0.1"
port = {mail}
connections = 4
[bounces]
path = "bounces"
[network]
timeout = 5
allow_private_hosts = ["127.0.0.1:{sources}"]
[[sources]]
name = "hf"
kind = "huggingface"
base_url = "http://127.0.0.1:{sources}"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
categories = ["cs.LG"]
base_url = "http://127.0.0.1:{sources}"
[[sources]]
name = "blog"
kind = "feed"
url = "http://127.0.0.1:{sources}/feed.xml"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["hf", "arxiv", "blog"]
[web]
port = 0
[logs]
mail_log = "mail.log"
"""
PAGES = ("/", "/daily", "/daily/feed.atom", "/healthz", "/readyz", "/search?q=word", "/daily/month/2026-01")
BOUNCE = """Return-Path: <>
Delivered-To: {address}
From: MAILER-DAEMON@mx.example.org
To: {address}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The mailbox is full.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 4.2.2
Diagnostic-Code: smtp; 452 4.2.2 mailbox full
--b--
"""


@dataclass(frozen=True)
class Rhythm:
    """How often the jobs are done."""

    run: timedelta = timedelta(hours=1)
    look: timedelta = timedelta(minutes=20)


class OthersClock(ManualClock):
    """The clock of the pages: it shows the time of the main one, and never moves it."""

    def __init__(self, main: ManualClock) -> None:
        """Follow `main`."""
        self._main = main

    def now(self) -> datetime:
        """Return the time."""
        return self._main.now()

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self._main.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let the others work."""
        time.sleep(min(seconds, 0.01))


class Service:
    """What `digestmail up` runs, driven by a manual clock."""

    def __init__(self, directory: Path, clock: ManualClock, rhythm: Rhythm) -> None:
        """Start nothing yet."""
        self._path = directory / "config.toml"
        self._clock = clock
        self._rhythm = rhythm
        self._loader = PartsLoader(
            self._path,
            Wanted(run=False, bounces=False),
            Reporting(on_run=lambda *_: None, on_bounces=lambda _: None),
            ServiceHealth(),
            OthersClock(clock),
        )
        self._opened = ExitStack()
        self._web: Runner | None = None
        self.bounces = 0
        self.load()

    def load(self) -> None:
        """Read the configuration and take it up, as SIGHUP has it."""
        self._opened.close()
        config = load(self._path, None)
        self.app = self._opened.enter_context(App(config, self._path.parent, self._clock, wall_clock=self._clock))
        self._daemon = Daemon(self.app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        (pages,) = self._loader.load()
        if self._web is None:
            self._web = Runner(pages, time.monotonic, Random(1))
            self._web.start()
        else:
            self._web.replace(pages)
        with self._loader._port.open("127.0.0.1", 0) as listener:  # noqa: SLF001 - the port is printed only
            self.port = listener.getsockname()[1]

    def do_day(self, end: datetime) -> None:
        """Do the jobs of the daemon until `end`, each at its time."""
        start = self._clock.now()
        jobs = [*_every(self._rhythm.look, start, end, self._daemon._look)]  # noqa: SLF001 - APScheduler calls them
        jobs += _every(self._rhythm.run, start, end, self._daemon._run)  # noqa: SLF001 - as above
        jobs += [(next_fire(digest.schedule, start), self._daemon._run) for digest in self.app.digests]  # noqa: SLF001 - as above
        jobs += [(end, self._daemon._tidy), (end, self._read_bounces)]  # noqa: SLF001 - as above
        for at, job in sorted(jobs, key=lambda pair: pair[0]):
            self._clock.time = max(self._clock.now(), at)
            job()

    def _read_bounces(self) -> None:
        self.bounces += self.app.read_bounces().read

    def ask(self, path: str) -> int:
        """Ask for a page, as a proxy does; return the status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": "papers.example.org", "X-Forwarded-Proto": "https"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def close(self) -> None:
        """End everything."""
        if self._web is not None:
            self._web.stop()
            self._web.join()
        self._loader.close()
        self._opened.close()


def _every(step: timedelta, start: datetime, end: datetime, job: object) -> Iterator[tuple[datetime, object]]:
    at = start + step
    while at <= end:
        yield at, job
        at += step


def simulated(directory: Path, days: int, seed: int, rhythm: Rhythm) -> Outcome:
    """Go through the days."""
    clock, found = ManualClock(FIRST_DAY), Outcome()
    for part in ("cur", "new", "tmp"):
        (directory / "bounces" / part).mkdir(parents=True)
    with faulty_sources(clock, seed) as sources, faulty_mail_server(clock, seed) as mail:
        (directory / "config.toml").write_text(CONFIG.format(sources=sources.port, mail=mail.port))
        service = Service(directory, clock, rhythm)
        try:
            _subscribe(service.app, clock.now())
            for day in range(days):
                _one_day(service, day, mail, found, directory)
                date = (FIRST_DAY + timedelta(days=day)).date()
                # What is new at the start belongs to the slot of the day before, which is open still.
                found.news |= {date.isoformat()} if day and not is_empty(seed, date) else set()
            _compare(service.app, mail, found)
            found.bounces = service.bounces
        finally:
            service.close()
    found.source_faults, found.mail_faults = sources.faults, mail.faults
    return found


def _one_day(service: Service, day: int, mail: FaultyMailServer, found: Outcome, directory: Path) -> None:
    """Do what is done in a day, and measure."""
    chance = Random(f"{mail.seed} day {day}")
    if day % RELOAD_DAYS == RELOAD_DAYS - 1:
        mail.gone.add(_reader(READERS - 1 - day // RELOAD_DAYS))
        service.load()
    if mail.return_paths:
        recipient = chance.choice(sorted(mail.return_paths))
        text = BOUNCE.format(address=mail.return_paths[recipient], recipient=recipient)
        (directory / f"bounces/new/{day}.M1.mx").write_text(text, "ascii")
    service.do_day(FIRST_DAY + timedelta(days=day + 1))
    found.pages.update(service.ask(path) for path in PAGES)
    gc.collect()
    found.days.append(
        DayFigures(
            memory=resident(os.getpid()),
            blocks=sys.getallocatedblocks(),
            database=sum(path.stat().st_size for path in service.app.database.files()) / 1_000_000,
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            threads=threading.active_count(),
            rows=_rows(service.app),
        )
    )
    last = found.days[-1]
    sys.stderr.write(
        f"day {day + 1}: {last.memory:.1f} MB, {last.blocks:,} blocks, database {last.database:.1f} MB, "
        f"{last.descriptors} descriptors, {last.threads} threads, "
        f"{last.all_rows:,} rows, {sum(map(len, mail.arrived.values())):,} messages\n"
    )


def _rows(app: App) -> dict[str, int]:
    with app.database.connect() as connection:
        tables = sorted(schema.metadata.tables.values(), key=lambda table: table.name)
        counts = {table.name: select(func.count()).select_from(table) for table in tables}
        return {name: int(connection.execute(count).scalar_one()) for name, count in counts.items()}


def _reader(number: int) -> str:
    return f"reader{number}@d{number % 8}.example.org"


def _subscribe(app: App, now: datetime) -> None:
    with app.database.begin() as connection:
        for number in range(READERS):
            person = subscribers.add(connection, _reader(number), now)
            subscribers.subscribe(connection, person, Subscription(digest="daily", hour=(None, 9)[number % 2]), now)


def _compare(app: App, mail: FaultyMailServer, found: Outcome) -> None:
    """Compare what arrived with the editions and with what the database knows as ambiguous."""
    edition, attempt = schema.editions.c, schema.attempts.c
    unsure = select(func.count()).where(attempt.state == DeliveryState.AMBIGUOUS)
    with app.database.connect() as connection:
        found.slots = set(connection.execute(select(edition.slot).where(edition.reason == "")).scalars())
        found.editions = len(found.slots)
        found.ambiguous = int(connection.execute(unsure).scalar_one())
    found.unanswered = len(mail.unanswered)
    for number in range(READERS):
        arrived = mail.arrived[_reader(number)]
        if _reader(number) not in mail.gone and len(arrived) != found.editions:
            found.lost.append(f"{_reader(number)}: {len(arrived)} messages")
        answered = {one for one in arrived if (_reader(number), one) not in mail.unanswered}
        found.twice += [f"{_reader(number)}: {one}" for one in answered if arrived[one] > 1]


def main() -> None:
    days = max(int(sys.argv[1]) if len(sys.argv) > 1 else DAYS, WARM_UP + 2)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    logging.getLogger("digestmail").setLevel(logging.CRITICAL)
    directory = Path(tempfile.mkdtemp(prefix="digestmail-soak-"))
    try:
        found = simulated(directory, days, seed, Rhythm())
    finally:
        shutil.rmtree(directory)
    grown = Counter(found.days[-1].rows)
    grown.subtract(found.days[WARM_UP - 1].rows)
    shares = {name: count / (days - WARM_UP) for name, count in grown.most_common() if count}
    sys.stderr.write(f"rows a day: {', '.join(f'{name} {share:.1f}' for name, share in shares.items())}\n")
    sys.stderr.write(f"faults: {dict(found.source_faults)}, {dict(found.mail_faults)}\n")
    tell(judge(found))


if __name__ == "__main__":
    main()
