"""When an edition is published: it waits for its sources, and slots in which no run came have a policy.

Day 0 is Monday 4 May 2026; the slot is at 07:00 UTC, and the source of new papers is read before each run.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import FakeSource, digest, reading, render, sighting
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions.explain import explain
from digestmail.editions.gate import closed_gates
from digestmail.editions.missed import MOST_AT_ONCE, missed_lately
from digestmail.editions.publish import is_waiting, publish
from digestmail.errors import RenderError, SourceUnavailableError
from digestmail.model.digests import Arrival, Cadence, Digest, Limits, OnMissed, Wait
from digestmail.model.personal import Profile
from digestmail.model.subscribers import Subscription
from digestmail.storage import editions, settings, subscribers
from digestmail.storage import schema as tables

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
WAITING = digest(sources=("hf", "arxiv"), wait=Wait(sources=(("arxiv", Arrival.ARXIV),)))


def at(day: float, minutes: int = 5) -> datetime:
    return MONDAY + day * DAY + timedelta(minutes=minutes)


class World:
    """Sources, a digest and its readers. A paper of day 3 is numbered 31, 32, ..."""

    def __init__(self, database, of: Digest) -> None:
        self.database = database
        self.digest = of

    def join(self, name: str, *, hour: int | None = None, cadence: Cadence | None = None) -> int:
        with self.database.begin() as connection:
            number = subscribers.add(connection, f"{name}@example.org", at(-30))
            wanted = Subscription(digest=self.digest.name, hour=hour, cadence=cadence)
            subscribers.subscribe(connection, number, wanted, at(-30))
        return number

    def read(self, now: datetime, *days: int, source: str = "arxiv", papers: int = 2) -> None:
        """Let a source show the papers of `days`, which it dates so."""
        seen = [
            sighting(
                100 + 10 * day + n,
                source=source,
                day=(MONDAY + day * DAY).date(),
                categories=("cs.LG",),
                authors=("Ada Example",),
            )
            for day in days
            for n in range(1, papers + 1)
        ]
        categories = ("cs.LG",) if source == "arxiv" else ()
        collect(self.database, [FakeSource(source, reading(*seen, source=source, categories=categories))], now)

    def publish(self, now: datetime, **options):
        return publish(self.database, [self.digest], options.pop("render", render), now, **options).digests

    def papers(self, slot: str, name: str = "daily") -> list[int]:
        with self.database.connect() as connection:
            stored = editions.get(connection, name, slot)
        return sorted(int(entry.paper.id.rpartition(".")[2]) - 100 for entry in stored.edition.entries)

    def due(self, reader: int) -> list[datetime]:
        d = tables.deliveries.c
        with self.database.connect() as connection:
            rows = select(d.due_at).where(d.subscriber_id == reader).order_by(d.edition_id)
            return list(connection.execute(rows).scalars())


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(database) -> World:
    world = World(database, WAITING)
    world.read(at(0, -40), 0)
    world.read(at(0, -40), 0, source="hf")
    world.publish(at(0))
    return world


def test_an_edition_waits_for_a_late_source_and_goes_when_it_has_come(world):
    ada = world.join("ada")
    world.read(at(1, -30), 1, source="hf")
    world.read(at(1, -30), 0)  # yesterday's papers again
    (report,) = world.publish(at(1))
    assert (report.status, report.slot, report.missing) == ("waiting", "2026-05-05", ("arxiv",))
    assert report.waits_until == at(1, 0) + 3 * HOUR
    assert report.reason.startswith("waits until 10:00 UTC for arxiv (stale: shows only papers seen before")
    assert world.due(ada) == []
    world.read(at(1) + HOUR, 1)
    (report,) = world.publish(at(1) + HOUR)
    assert (report.status, report.slot, report.recipients, report.missing) == ("published", "2026-05-05", 1, ())
    assert world.papers("2026-05-05") == [11, 12]
    assert [one.status for one in world.publish(at(1) + 2 * HOUR)] == ["already-published"]
    assert world.due(ada) == [at(1) + HOUR]


def test_at_the_deadline_it_goes_with_what_is_there_and_says_what_is_missing(world):
    world.join("ada")
    world.read(at(1, -30), 1, source="hf")
    world.read(at(1, -30), 0)
    world.publish(at(1))
    (report,) = world.publish(at(1, 0) + 3 * HOUR)
    assert (report.status, report.recipients, report.missing) == ("published", 1, ("arxiv",))
    assert report.reason.startswith("waited in vain until 10:00 UTC for arxiv (stale: ")
    with world.database.connect() as connection:
        stored = editions.get(connection, "daily", "2026-05-05")
        _, (said,) = explain(connection, [WAITING], "arxiv:2604.00111", at(1) + 4 * HOUR)
    assert stored.edition.missing == ("arxiv",)
    assert said.reasons[-1] == "the edition waited in vain for arxiv"


def test_without_papers_at_the_deadline_the_slot_is_empty_with_both_reasons_and_stays_open(world):
    world.read(at(1, -30), 0)
    world.publish(at(1))
    (report,) = world.publish(at(1) + 3 * HOUR)
    assert (report.status, report.papers) == ("empty", 0)
    assert report.reason.startswith("no new papers; ")
    assert "waited in vain until 10:00 UTC for arxiv" in report.reason
    world.read(at(1) + 5 * HOUR, 1)
    (report,) = world.publish(at(1) + 5 * HOUR)
    assert (report.status, report.slot, report.missing) == ("published", "2026-05-05", ())


def test_a_source_that_fails_is_waited_for(world):
    collect(world.database, [FakeSource("arxiv", SourceUnavailableError("no answer"))], at(1))
    world.read(at(1), 1, source="hf")
    (report,) = world.publish(at(1))
    assert report.reason == "waits until 10:00 UTC for arxiv (unavailable: no answer)"


def test_a_dead_feed_of_a_table_does_not_hold_the_edition(database):
    table = digest(sources=("hf", "lab/one", "lab/two"), wait=Wait(sources=(("lab", Arrival.AT_ONCE),)))
    world = World(database, table)
    for name in table.sources:
        world.read(at(0, -40), 0, source=name)
    world.publish(at(0))
    world.read(at(1, -30), 1, source="hf")
    collect(database, [FakeSource("lab/one", SourceUnavailableError("timed out"))], at(1, -30))
    (report,) = world.publish(at(1))
    why = "lab (nothing new in any of the 2 in this table, and 1 could not be read)"
    assert (report.status, report.reason) == ("waiting", f"waits until 10:00 UTC for {why}")
    world.read(at(1) + HOUR, 2, source="lab/two")
    (report,) = world.publish(at(1) + HOUR)
    assert (report.status, report.missing) == ("published", ())


def test_on_a_silent_day_it_does_not_wait_and_an_empty_slot_says_why(world):
    for day in (1, 2, 3, 4):
        world.read(at(day, -30), day)
        world.publish(at(day))
    world.read(at(5, -30))
    (report,) = world.publish(at(5))
    assert (report.status, report.slot, report.missing) == ("empty", "2026-05-09", ())
    assert "arXiv announced nothing on 2026-05-09 (weekend)" in report.reason


def test_readers_get_a_late_edition_at_their_hour_or_at_once(world):
    seven, nine, noon, six = (world.join(f"reader{hour}", hour=hour) for hour in (7, 9, 12, 6))
    world.read(at(1) + 3 * HOUR, 1)
    published = at(1) + 3 * HOUR
    world.publish(published)
    assert world.due(seven) == world.due(nine) == [published]
    assert world.due(noon) == [at(1, 0) + 5 * HOUR]
    assert world.due(six) == [at(1, 0) + 23 * HOUR]


def test_variants_wait_with_their_digest(world):
    ada = world.join("ada", cadence=Cadence.WEEKLY)
    world.read(at(7, -30), 7, source="hf")
    world.read(at(7, -30), 0)
    assert [(one.digest, one.status) for one in world.publish(at(7))] == [("daily", "waiting")]
    assert world.due(ada) == []
    world.read(at(7) + HOUR, 7)
    found = world.publish(at(7) + HOUR)
    assert [(one.digest, one.status) for one in found] == [("daily", "published"), ("daily@weekly", "published")]
    assert world.due(ada) == [at(7) + HOUR]


def test_what_waits_is_not_due_at_once_and_explain_says_so(world):
    world.read(at(1, -30), 1, source="hf")
    world.read(at(1, -30), 0)
    now = at(1)
    assert not is_waiting(world.database, WAITING, now, now)
    (said,) = closed_gates(world.database, [WAITING], now)
    assert said.startswith("digest daily waits until 10:00 UTC for arxiv (stale")
    with world.database.connect() as connection:
        _, (explanation,) = explain(connection, [WAITING], "arxiv:2604.00111", now)
    assert explanation.reasons[-1].startswith("the edition waits until 10:00 UTC for arxiv (stale")
    later = at(1) + 3 * HOUR
    assert is_waiting(world.database, WAITING, later, later)
    assert [*closed_gates(world.database, [WAITING], later)] == []


# -- missed slots ------------------------------------------------------------------------------------------------------


def off(database, policy: OnMissed, days: int, **fields) -> World:
    """Return a world that published day 0, was off until an hour after the slot of day `days`, and read everything."""
    world = World(database, digest(sources=("arxiv",), on_missed=policy, **fields))
    world.read(at(0, -40), 0)
    world.publish(at(0))
    world.read(at(days) + HOUR, *range(1, days + 1))
    return world


def test_by_default_the_next_edition_merges_the_papers_of_missed_slots(database):
    world = off(database, OnMissed.MERGE, 4)
    assert world.digest == digest(sources=("arxiv",)), "it is the default"
    (report,) = world.publish(at(4) + HOUR)
    assert (report.status, report.slot) == ("published", "2026-05-08")
    assert report.missed == ("2026-05-05", "2026-05-06", "2026-05-07")
    assert world.papers("2026-05-08") == [11, 12, 21, 22, 31, 32, 41, 42]


def test_after_half_the_time_the_next_slot_merges_them(database):
    world = off(database, OnMissed.MERGE, 2)
    assert [one.status for one in world.publish(at(2.6))] == ["not-due"]
    world.read(at(3, -30), 3)
    (report,) = world.publish(at(3))
    assert report.missed == ("2026-05-05", "2026-05-06")
    assert world.papers("2026-05-07") == [11, 12, 21, 22, 31, 32]


def test_each_of_the_last_slots_can_have_its_edition_and_the_first_merges_older_ones(database):
    world = off(database, OnMissed.EACH, 5)
    ada = world.join("ada")
    reports = world.publish(at(5) + HOUR)
    assert [(one.slot, one.status, one.recipients) for one in reports] == [
        ("2026-05-07", "published", 1), ("2026-05-08", "published", 1), ("2026-05-09", "published", 1),
    ]  # fmt: skip
    assert len(reports) == MOST_AT_ONCE
    assert [one.missed for one in reports] == [("2026-05-05", "2026-05-06"), (), ()]
    assert world.papers("2026-05-07") == [11, 12, 21, 22, 31, 32]
    assert (world.papers("2026-05-08"), world.papers("2026-05-09")) == ([41, 42], [51, 52])
    assert [one.status for one in world.publish(at(5) + 2 * HOUR)] == ["already-published"]
    assert len(world.due(ada)) == MOST_AT_ONCE
    world.read(at(6, -30), 6)
    assert [one.slot for one in world.publish(at(6))] == ["2026-05-10"]


def test_what_is_left_over_from_a_missed_slot_is_no_reason_for_the_next_edition(database):
    world = off(database, OnMissed.EACH, 1, limits=Limits(max_papers=1), window_days=5)
    world.read(at(3) + HOUR, 3)
    reports = world.publish(at(3) + HOUR)
    assert [(one.slot, one.status) for one in reports] == [
        ("2026-05-05", "published"), ("2026-05-06", "empty"), ("2026-05-07", "published"),
    ]  # fmt: skip
    assert [world.papers(slot)[0] // 10 for slot in ("2026-05-05", "2026-05-07")] == [1, 3]


def test_a_run_that_is_killed_between_missed_slots_is_continued(database):
    world = off(database, OnMissed.EACH, 3)
    stops = iter([False, False, True])
    assert len(world.publish(at(3) + HOUR, stop=lambda: next(stops, True))) == 2
    assert [one.slot for one in world.publish(at(3) + 2 * HOUR)] == ["2026-05-07"]
    assert [world.papers(f"2026-05-0{day}") for day in (5, 6, 7)] == [[11, 12], [21, 22], [31, 32]]


def test_missed_slots_are_published_while_the_current_one_waits(database):
    world = off(database, OnMissed.EACH, 2, wait=Wait(sources=(("arxiv", Arrival.ARXIV),)))
    now = at(3, 0)  # Thursday's papers are late
    assert [(one.slot, one.status) for one in world.publish(now)] == [
        ("2026-05-05", "published"), ("2026-05-06", "published"), ("2026-05-07", "waiting"),
    ]  # fmt: skip
    world.read(now + HOUR, 3)
    assert [(one.slot, one.status) for one in world.publish(now + HOUR)] == [("2026-05-07", "published")]
    assert [world.papers(f"2026-05-0{day}") for day in (5, 6, 7)] == [[11, 12], [21, 22], [31, 32]]


def test_each_missed_week_has_its_edition_for_weekly_readers(database):
    world = World(database, digest(sources=("arxiv",), on_missed=OnMissed.EACH))
    ada = world.join("ada", cadence=Cadence.WEEKLY)
    world.read(at(0, -40), 0)
    world.publish(at(0))
    world.read(at(14) + HOUR, *range(3, 15))
    found = {one.digest for one in world.publish(at(14) + HOUR)}
    assert found == {"daily", "daily@weekly"}
    assert {number // 10 for number in world.papers("2026-05-11", "daily@weekly")} == set(range(3, 8))
    assert {number // 10 for number in world.papers("2026-05-18", "daily@weekly")} == set(range(8, 15))
    assert len(world.due(ada)) == 3


def test_missed_papers_can_be_left_out(database):
    world = off(database, OnMissed.SKIP, 3)
    (report,) = world.publish(at(3) + HOUR)
    assert (report.slot, report.missed) == ("2026-05-07", ("2026-05-05", "2026-05-06"))
    assert world.papers("2026-05-07") == [31, 32]
    world.read(at(4, -30), 4)
    world.publish(at(4))
    assert world.papers("2026-05-08") == [41, 42], "not even to fill places"


def test_what_a_source_shows_late_is_not_missed(database):
    world = World(database, digest(sources=("arxiv",), on_missed=OnMissed.SKIP))
    world.read(at(0, -40), 0)
    world.publish(at(0))
    world.publish(at(1))  # an empty slot is no missed one
    world.read(at(1.6), 1)
    world.read(at(2, -30), 2)
    (report,) = world.publish(at(2))
    assert (report.missed, world.papers("2026-05-06")) == ((), [11, 12, 21, 22])


@pytest.mark.parametrize("policy", OnMissed)
def test_a_new_digest_has_missed_nothing(database, policy):
    world = World(database, digest(sources=("arxiv",), on_missed=policy))
    world.read(at(5, -30), 1, 2, 3, 4, 5)
    (report,) = world.publish(at(5))
    assert (report.slot, report.missed) == ("2026-05-09", ())
    assert missed_lately(database, world.digest, at(5)) == ()


@pytest.mark.parametrize("policy", OnMissed)
def test_slots_before_a_restore_are_not_missed(database, policy):
    world = off(database, policy, 4)
    with database.begin() as connection:
        settings.mark_restored(connection, at(2))
    reports = world.publish(at(4) + HOUR)
    assert next(one.slot for one in reports) == ("2026-05-07" if policy is OnMissed.EACH else "2026-05-08")
    assert {slot for one in reports for slot in one.missed} <= {"2026-05-07"}


@pytest.mark.parametrize("policy", OnMissed)
def test_no_paper_comes_twice_and_a_reader_gets_no_flood(database, policy):
    world = off(database, policy, 20, limits=Limits(max_papers=5))
    ada, bob = world.join("ada"), world.join("bob", cadence=Cadence.WEEKLY)
    world.publish(at(20) + HOUR)
    for day in range(21, 29):
        world.read(at(day, -30), day)
        world.publish(at(day))
    d, e = tables.deliveries.c, tables.editions.c
    with database.connect() as connection:
        rows = connection.execute(
            select(d.subscriber_id, d.segment_id, e.slot).join(tables.editions, e.id == d.edition_id)
        ).all()
        got = Counter(
            (row.subscriber_id, paper)
            for row in rows
            for paper in editions.segment(connection, row.segment_id).paper_ids
        )
    assert max(got.values()) == 1
    mails = Counter((row.subscriber_id, row.slot) for row in rows)
    assert max(mails.values()) == 1
    most = MOST_AT_ONCE if policy is OnMissed.EACH else 1
    assert len([due for due in world.due(ada) if due < at(21, 0)]) <= most
    assert len(world.due(bob)) <= most + 2
    assert len(world.due(bob)) >= 1


def test_a_weekly_edition_is_merged_too(database):
    world = World(database, digest(sources=("arxiv",)))
    ada = world.join("ada", cadence=Cadence.WEEKLY)
    world.read(at(0, -40), 0)
    world.publish(at(0))
    # Off on two Mondays; back on Friday, when the slot has been closed.
    world.read(at(18), *range(5, 19))
    world.publish(at(18))
    assert len(world.due(ada)) == 1
    world.read(at(21, -30), 21)
    reports = {one.digest: one for one in world.publish(at(21))}
    assert reports["daily@weekly"].missed == ("2026-05-11", "2026-05-18")
    assert len(world.due(ada)) == 2


def test_picks_of_a_personal_digest_come_for_each_missed_slot(database):
    profile = Profile(authors=("Ada Example",), exploration=0)
    personal = {"personal": True, "profile": profile, "limits": Limits(max_papers=2)}
    world = off(database, OnMissed.EACH, 3, **personal)
    world.join("ada")
    reports = world.publish(at(3) + HOUR)
    assert [(one.slot, one.personal) for one in reports] == [
        ("2026-05-05", 1), ("2026-05-06", 1), ("2026-05-07", 1),
    ]  # fmt: skip


# -- catch-up editions that were not published in their slot -----------------------------------------------------------


def pause(world: World, reader: int, begin: float, end: float) -> None:
    with world.database.begin() as connection:
        subscribers.pause(connection, reader, at(end), at(begin))


@pytest.mark.parametrize("how", ["killed", "broken"])
def test_a_catch_up_edition_that_failed_comes_with_the_next_slot(database, how):
    world = World(database, digest(sources=("arxiv",)))
    ada = world.join("ada")
    pause(world, ada, -0.5, 1.5)
    for day in (0, 1):
        world.read(at(day, -30), day)
        world.publish(at(day))
    world.read(at(2, -30), 2)

    def broken(edition, sections, *, language=None):
        if edition.digest != edition.base:
            raise RenderError("broken")
        return render(edition, sections)

    if how == "killed":
        stops = iter([False, True])
        world.publish(at(2), stop=lambda: next(stops, True))
    else:
        assert [one.status for one in world.publish(at(2), render=broken)] == ["published", "failed"]
    assert world.due(ada) == []
    world.read(at(3, -30), 3)
    reports = {one.digest: one for one in world.publish(at(3))}
    assert reports["daily@2026-05-03--2026-05-06"].slot == "2026-05-06"
    assert (reports["daily@2026-05-03--2026-05-06"].recipients, reports["daily"].status) == (1, "published")
    with database.connect() as connection:
        stored = editions.get(connection, "daily@2026-05-03--2026-05-06", "2026-05-06")
    assert stored.edition.since == date(2026, 5, 3)
    assert [one.status for one in world.publish(at(3) + HOUR)] == ["already-published"]
