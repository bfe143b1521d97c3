"""A simulated year: three digests in three time zones, with arXiv's holidays, late batches and outages of the machine.

What is expected of each slot is computed from the tables alone, without the code that decides it. On SQLite: what is
decided is the same on both databases.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from fakes import digest, paper, reading, render
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.digests import Arrival, Wait
from digestmail.model.papers import Origin, Reading, Sighting
from digestmail.model.reports import DigestReport
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.storage import schema as tables
from digestmail.storage import subscribers
from digestmail.storage.database import Database

pytestmark = pytest.mark.slow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW_YORK, BERLIN, CHATHAM = map(ZoneInfo, ("America/New_York", "Europe/Berlin", "Pacific/Chatham"))
FIRST, LAST = date(2026, 1, 5), date(2026, 12, 31)
WAIT_HOURS = 3
SILENT = {
    date(2026, month, day): date(2026, *evening)
    for month, day, evening in (
        (1, 20, (1, 19)), (6, 22, (6, 19)), (7, 6, (7, 3)), (9, 8, (9, 7)), (11, 27, (11, 26)), (12, 28, (12, 25)),
        (12, 30, (12, 29)),
    )
}  # fmt: skip
"""Weekdays without papers, and the evening that was deferred: https://info.arxiv.org/help/availability.html."""
LATE = {
    date(2026, 2, 3): timedelta(hours=2, minutes=30),
    date(2026, 3, 16): timedelta(hours=4),  # clocks differ by an hour less; at seven in Berlin it is two in New York
    date(2026, 3, 30): timedelta(hours=2),  # the day after the clocks went forward in Berlin
    date(2026, 4, 14): timedelta(hours=5, minutes=30),  # after the deadline, within the day
    date(2026, 6, 8): timedelta(hours=11),  # a Monday: for the weekly digest too
    date(2026, 10, 26): timedelta(hours=3),
    date(2026, 11, 2): timedelta(hours=26),  # a day late
}
"""How long after midnight in New York arXiv's papers come."""
OUTAGES = (
    (datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 2, 13, 6, 30, tzinfo=UTC)),  # three slots
    (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)),  # hours, and the clocks change
    (datetime(2026, 5, 12, tzinfo=UTC), datetime(2026, 5, 12, 18, tzinfo=UTC)),  # past half the time
    (datetime(2026, 7, 31, 12, tzinfo=UTC), datetime(2026, 8, 20, tzinfo=UTC)),  # longer than half a month
)
DAILY = digest(
    "daily", cron="0 7 * * *", timezone="Europe/Berlin", sources=("arxiv", "hf"), curated=("hf",),
    wait=Wait(sources=(("arxiv", Arrival.ARXIV),), hours=WAIT_HOURS),
)  # fmt: skip
WEEKLY = digest(
    "weekly", cron="0 8 * * 1", timezone="America/New_York", sources=("arxiv",), window_days=7,
    allow_repeats_of=("daily", "monthly"), wait=Wait(sources=(("arxiv", Arrival.ARXIV),), hours=WAIT_HOURS),
)  # fmt: skip
MONTHLY = digest(
    "monthly", cron="0 9 1 * *", timezone="Pacific/Chatham", sources=("arxiv",), window_days=31,
    allow_repeats_of=("daily", "weekly"),
)  # fmt: skip
READERS = {"ada": ("America/New_York", 1), "bob": ("Australia/Lord_Howe", 2), "eve": ("Europe/Berlin", 7)}
DAYS = [FIRST + n * DAY for n in range((LAST - FIRST).days + 1)]


Reports = dict[str, dict[str, list[tuple[datetime, DigestReport]]]]
"""What each run said, by digest and slot."""


# -- the world -------------------------------------------------------------------------------------------------------


@cache
def batches() -> dict[date, datetime]:
    """Return when arXiv's papers of each day come."""
    return {
        day: datetime.combine(day, time(), NEW_YORK).astimezone(UTC) + LATE.get(day, timedelta(minutes=5))
        for day in DAYS
        if day.weekday() < 5 and day not in SILENT
    }


@cache
def runs() -> list[datetime]:
    """Return when an hourly cron line runs, in the hours in which something can happen."""
    eventful = {day + n * DAY for day in (*LATE, *SILENT) for n in range(2)}
    off = [(begin.date(), end.date()) for begin, end in OUTAGES]
    found = []
    for day in DAYS:
        hours = {5, 6, 16} if day.weekday() < 5 else {6}
        if day in eventful:
            hours |= {4, 7, 8, 9, 10, 11, 12}
        if any(begin <= day <= end for begin, end in off):
            hours |= set(range(4, 22))
        if day.weekday() == 0:
            hours |= {12, 13} | ({14, 15} if day in eventful else set())
        if (day + DAY).day == 1:
            hours |= {19, 20, 21}
        found += [datetime.combine(day, time(hour, 17), UTC) for hour in sorted(hours)]
    return [one for one in found[1:] if not any(begin <= one < end for begin, end in OUTAGES)]


@dataclass
class Shown:
    """A source that shows a paper a day, from a given time on; after an outage also those of the days before."""

    name: str
    origin: Origin
    arrivals: dict[date, datetime]
    categories: tuple[str, ...]
    first: int
    read_at: datetime = field(default=datetime(2026, 1, 1, tzinfo=UTC))

    def read(self, now: datetime, _since: datetime | None) -> Reading:
        come = [day for day, at in self.arrivals.items() if self.read_at < at <= now]
        self.read_at = now
        seen = [
            Sighting(
                source=self.name,
                paper=paper(self.first + day.timetuple().tm_yday, origin=self.origin, categories=self.categories),
                day=day,
            )
            for day in come
        ]
        # Without news arXiv answers that nothing was modified.
        return reading(*seen, source=self.name, categories=self.categories, unchanged=not seen)


def simulate(database: Database) -> Reports:
    """Return the reports of all runs, by digest and slot."""
    with database.begin() as connection:
        for name, (zone, hour) in READERS.items():
            number = subscribers.add(connection, f"{name}@example.org", datetime(2026, 1, 1, tzinfo=UTC))
            wanted = tuple(Subscription(digest=one.name, hour=hour) for one in (DAILY, WEEKLY, MONTHLY))
            choices = Preferences(subscriptions=wanted, timezone=zone)
            subscribers.choose(connection, number, choices, datetime(2026, 1, 1, tzinfo=UTC))
    arxiv = Shown("arxiv", Origin.ARXIV, batches(), ("cs.LG",), 1000)
    hugging_face = Shown("hf", Origin.HUGGING_FACE, WORKDAYS, (), 2000)
    found: Reports = defaultdict(lambda: defaultdict(list))
    for now in runs():
        collect(database, [arxiv, hugging_face], now)
        for report in publish(database, [DAILY, WEEKLY, MONTHLY], render, now).digests:
            if report.slot is not None:
                found[report.digest][report.slot].append((now, report))
    return found


# -- what is expected ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What becomes of a slot: when it is published, for what it waited, and what was missed before it."""

    status: str
    at: datetime | None = None
    waited: bool = False
    missing: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


def expected(
    slots: list[datetime], zone: ZoneInfo, arrivals: list[datetime], *, waits: bool
) -> Iterator[tuple[str, Expected]]:
    """Yield what becomes of each of these slots, but for the last one. `arrivals` are those of the digest's sources."""
    moments, batch = runs(), batches()
    read_at = [
        next((moment for moment in moments if moment >= one), datetime.max.replace(tzinfo=UTC)) for one in arrivals
    ]
    missed: list[str] = []
    last_at: datetime | None = None
    recorded = False
    for begin, following in pairwise(slots):
        key, half = f"{begin.astimezone(zone):%Y-%m-%d}", begin + (following - begin) / 2
        came = batch.get(begin.astimezone(NEW_YORK).date()) if waits else None
        deadline = min(begin + WAIT_HOURS * HOUR, half)
        found, waited = None, False
        for moment in (one for one in moments if begin <= one <= half):
            is_late = came is not None and came > moment
            if is_late and moment < deadline:
                waited = True
                continue
            news = any((last_at is None or last_at < one) and one <= moment for one in read_at)
            if news or found is None:
                status = "published" if news else "empty"
                found = Expected(status, moment, waited, ("arxiv",) if is_late else (), tuple(missed[-31:]))
            if news:
                last_at = moment
                break
        if found is None:
            missed += [key] if recorded else []
        else:
            missed, recorded = [], True
        yield key, found or Expected("missed")


def local(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(hour), zone).astimezone(UTC)


def outcomes(reports: dict[str, list[tuple[datetime, DigestReport]]]) -> dict[str, Expected]:
    """Return what became of each slot that a run reported."""
    found = {}
    for key, rows in reports.items():
        decided = [(now, one) for now, one in rows if one.status in {"published", "empty"}]
        published = [(now, one) for now, one in decided if one.status == "published"]
        assert len(published) <= 1, f"{key} was published twice"
        now, one = (published or decided)[0]
        waited = any(one.status == "waiting" for _, one in rows)
        found[key] = Expected(one.status, now, waited, one.missing, one.missed)
    return found


@pytest.fixture(scope="module")
def year(tmp_path_factory, sqlite_template) -> Iterator[tuple[Database, Reports]]:
    """Yield the database after the year, and all reports."""
    directory = tmp_path_factory.mktemp("year")
    shutil.copy(sqlite_template, directory / "year.db")
    opened = Database.open("sqlite:///year.db", base=directory)
    yield opened, simulate(opened)
    opened.close()


WORKDAYS = {day: datetime.combine(day, time(3), UTC) for day in DAYS if day.weekday() < 5}
SLOTS = {
    "daily": ([local(day, 7, BERLIN) for day in DAYS], BERLIN, True),
    "weekly": ([local(day, 8, NEW_YORK) for day in DAYS if day.weekday() == 0], NEW_YORK, True),
    "monthly": ([local(date(2026, month, 1), 9, CHATHAM) for month in range(1, 13)], CHATHAM, False),
}


@pytest.mark.parametrize("name", SLOTS)
def test_every_edition_and_every_skip_of_a_year_has_its_reason(year, name):
    slots, zone, waits = SLOTS[name]
    arrivals = [*batches().values(), *(WORKDAYS.values() if name == "daily" else ())]
    wanted = dict(expected(slots, zone, arrivals, waits=waits))
    got = outcomes(year[1][name])
    for key, one in wanted.items():
        assert got.get(key, Expected("missed")) == one, key
    kinds = Counter(one.status for one in wanted.values())
    assert kinds["published"] > 8
    assert kinds["missed"] > 0
    assert name != "daily" or kinds["empty"] > 80, "weekends"
    assert name == "monthly" or sum(one.waited for one in wanted.values()) >= 2
    assert name != "daily" or sum(bool(one.missing) for one in wanted.values()) >= 3


def test_a_day_without_announcement_is_given_as_the_reason_of_an_empty_slot(year):
    for key, rows in year[1]["daily"].items():
        day = date.fromisoformat(key)
        for now, one in rows:
            if one.status == "empty" and now.astimezone(NEW_YORK).date() == day:
                assert f"arXiv announced nothing on {day} (weekend)" in one.reason, key
    for day, evening in SILENT.items():
        (_, one), *_ = year[1]["daily"][str(day)]
        assert (one.status, one.missing) == ("published", ()), f"{day}: Hugging Face has papers, and no one waits"
        assert evening < day


def test_each_reader_gets_each_edition_once_at_their_hour(year):
    d, e, p = tables.deliveries.c, tables.editions.c, tables.subscribers.c
    with year[0].connect() as connection:
        rows = connection.execute(
            select(d.due_at, e.digest, e.slot, e.composed_at, p.address)
            .join(tables.editions, e.id == d.edition_id)
            .join(tables.subscribers, p.id == d.subscriber_id)
        ).all()
    published = {
        (name, key) for name, slots in year[1].items() for key, rows in slots.items()
        if any(one.status == "published" for _, one in rows)
    }  # fmt: skip
    got = Counter((row.address, row.digest, row.slot) for row in rows)
    assert got == {(f"{name}@example.org", *one): 1 for name in READERS for one in published}
    for row in rows:
        zone, hour = READERS[row.address.partition("@")[0]]
        at = row.due_at.astimezone(ZoneInfo(zone))
        skipped = (row.digest, row.slot, zone) in SKIPPED
        assert row.due_at == row.composed_at or at.hour == hour or skipped, (row, at)
        assert row.composed_at <= row.due_at <= row.composed_at + 26 * HOUR


SKIPPED = {("daily", "2026-03-28", "Europe/Berlin"), ("daily", "2026-10-03", "Australia/Lord_Howe")}
"""Editions whose readers' hour the change of clocks skips, or half of it."""
