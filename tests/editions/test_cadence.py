"""Readers who get a digest less often than it is published, change that, or return from a pause.

Weeks are played day by day. May 2026 begins on a Friday; day 0 is Monday 4 May.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import FakeSource, digest, reading, render, sighting
from sqlalchemy import select, update

from digestmail.collect.collector import collect
from digestmail.editions.announce import announce
from digestmail.editions.publish import dry_run_publish, publish
from digestmail.errors import RenderError, StorageError
from digestmail.model.digests import Cadence, Limits
from digestmail.model.editions import Announcement
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.storage import deliveries, editions, subscribers
from digestmail.storage import schema as tables
from digestmail.subscribers import preferences

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
"""The slot of day 0."""
DAILY = digest(limits=Limits(max_papers=6))


class Weeks:
    """A digest that publishes three papers a day, numbered 10 * day + 1 to 3, and its readers."""

    def __init__(self, database, *digests) -> None:
        self.database = database
        self.digests = digests or (DAILY,)
        self.readers: dict[str, int] = {}
        self.reports = []
        self.sends = True
        """Whether each edition is sent at once."""

    def join(self, name: str, cadence: Cadence | None = None, *, day: int = -10, digests=("daily",)) -> None:
        with self.database.begin() as connection:
            number = subscribers.add(connection, f"{name}@example.org", at(day))
            for one in digests:
                subscribers.subscribe(connection, number, Subscription(digest=one, cadence=cadence), at(day))
        self.readers[name] = number

    def choose(self, name: str, cadence: Cadence | None, day: float) -> None:
        wanted = Preferences(subscriptions=(Subscription(digest="daily", cadence=cadence),))
        preferences.change(self.database, self.digests, self.readers[name], wanted, at(day))

    def pause(self, name: str, until: float | None, day: float) -> None:
        end = None if until is None else at(until)
        preferences.pause(self.database, self.readers[name], end, at(day))

    def play(self, *days: int, papers: int = 3, late: timedelta = timedelta(minutes=5)) -> None:
        """Read the source an hour before the slot of each day, and publish."""
        for day in days:
            seen = [
                sighting(10 * (day + 20) + n, day=(MONDAY + day * DAY).date(), upvotes=(1, 5, 60)[n - 1])
                for n in range(1, papers + 1)
            ]
            collect(self.database, [FakeSource("hf", reading(*seen))], at(day) - HOUR)
            self.publish(at(day) + late)

    def publish(self, now: datetime):
        reports = publish(self.database, self.digests, render, now).digests
        self.reports += reports
        if self.sends:
            with self.database.begin() as connection:
                connection.execute(update(tables.deliveries).values(state="sent", due_at=None))
        return {report.digest: report for report in reports}

    def mails(self, name: str) -> list[tuple[str, str, list[int]]]:
        """Return (digest, slot, numbers of papers as 10 * day + place) of what a reader gets, oldest first."""
        d, e = tables.deliveries.c, tables.editions.c
        with self.database.connect() as connection:
            rows = connection.execute(
                select(e.digest, e.slot, d.segment_id)
                .join(tables.editions, e.id == d.edition_id)
                .where(d.subscriber_id == self.readers[name], d.state != "cancelled")
                .order_by(e.id)
            ).all()
            return [(row.digest, row.slot, _numbers(editions.segment(connection, row.segment_id))) for row in rows]

    def days(self, name: str) -> list[int]:
        """Return the days on which a reader gets a mail."""
        slots = [slot for _, slot, _ in self.mails(name)]
        return [(datetime.fromisoformat(slot).replace(hour=7, tzinfo=UTC) - MONDAY).days for slot in slots]

    def check_accounts(self) -> None:
        """No one gets a paper twice, or two mails in one slot, and recipients add up to deliveries."""
        for name in self.readers:
            mails = self.mails(name)
            got = Counter(number for _, _, numbers in mails for number in numbers)
            assert max(got.values(), default=0) <= 1, f"{name} got a paper twice"
            slots = Counter(slot for _, slot, _ in mails)
            assert max(slots.values(), default=0) <= 1, f"{name} got two mails in a slot"
        with self.database.connect() as connection:
            assert deliveries.unbalanced(connection) == ()
            rows = connection.execute(select(tables.deliveries.c.edition_id)).all()
        assert sum(report.recipients for report in self.reports) == len(rows)


def _numbers(segment) -> list[int]:
    return [int(paper_id.rpartition(".")[2]) - 200 for paper_id in segment.paper_ids]


def at(day: float) -> datetime:
    return MONDAY + day * DAY


@pytest.fixture
def weeks(database) -> Weeks:
    return Weeks(database)


def test_each_cadence_gets_its_days_and_no_one_gets_a_paper_twice(weeks):
    for cadence in (None, *Cadence):
        weeks.join(str(cadence), cadence)
    weeks.play(*range(-3, 32))  # from Friday 1 May to Thursday 4 June
    assert weeks.days("None") == list(range(-3, 32))
    assert weeks.days("weekdays") == [day for day in range(-3, 32) if day % 7 < 5]
    assert weeks.days("weekly") == [0, 7, 14, 21, 28]
    assert weeks.days("monthly") == [-3, 28], "the first of May, and of June"
    weeks.check_accounts()


def test_a_weekly_edition_holds_the_best_of_the_week_and_no_more_than_the_limit(weeks):
    weeks.join("weekly", Cadence.WEEKLY)
    weeks.play(*range(8))
    name, slot, numbers = weeks.mails("weekly")[-1]
    assert (name, slot) == ("daily@weekly", "2026-05-11")
    assert len(numbers) == DAILY.limits.max_papers
    assert {number % 10 for number in numbers} == {3}, "the most upvoted of each day, however old"


def test_mondays_weekday_edition_contains_the_weekend(weeks):
    weeks.join("weekdays", Cadence.WEEKDAYS)
    weeks.play(4)
    weeks.play(5, 6, 7, papers=2)
    friday, monday = (numbers for _, _, numbers in weeks.mails("weekdays"))
    assert {number // 10 for number in friday} == {4}
    assert {number // 10 for number in monday} == {5, 6, 7}


def test_who_changes_to_weekly_in_mid_week_hears_again_on_monday_of_what_they_have_not_got(weeks):
    weeks.join("ada")
    weeks.play(0, 1, 2)
    weeks.choose("ada", Cadence.WEEKLY, 2.2)
    weeks.publish(at(2.3))
    weeks.play(3, 4, 5, 6, 7)
    assert weeks.days("ada") == [0, 1, 2, 7]
    assert {number // 10 for number in weeks.mails("ada")[-1][2]} <= {3, 4, 5, 6, 7}
    weeks.check_accounts()


def test_who_changes_from_weekly_to_every_edition_gets_the_next_one_without_repeats(weeks):
    weeks.join("ada", Cadence.WEEKLY)
    weeks.play(*range(8))
    weeks.choose("ada", None, 7.2)
    weeks.play(8, 9)
    assert weeks.days("ada") == [0, 7, 8, 9]
    weeks.check_accounts()


def test_changing_back_and_forth_repeats_and_doubles_nothing(weeks):
    weeks.join("ada")
    for day, cadence in enumerate(
        (Cadence.WEEKLY, None, Cadence.WEEKDAYS, Cadence.MONTHLY, None, Cadence.WEEKLY, None) * 5
    ):
        weeks.play(day)
        weeks.choose("ada", cadence, day + 0.3)
        weeks.publish(at(day + 0.4))
    weeks.check_accounts()
    assert weeks.days("ada")


def test_a_queued_email_is_withdrawn_when_a_reader_chooses_fewer_and_its_papers_come_later(weeks):
    weeks.sends = False
    weeks.join("ada")
    weeks.play(4)
    weeks.choose("ada", Cadence.WEEKLY, 4.1)
    assert weeks.mails("ada") == []
    weeks.play(5, 6, 7, papers=1)
    ((_, slot, numbers),) = weeks.mails("ada")
    assert slot == "2026-05-11"
    assert 43 in numbers


def test_without_readers_of_a_cadence_no_edition_of_it_is_composed(weeks):
    weeks.join("ada")
    weeks.play(*range(-3, 9))
    with weeks.database.connect() as connection:
        names = set(connection.execute(select(tables.editions.c.digest)).scalars())
    assert names == {"daily"}


def test_reports_name_a_variant_when_something_happens_and_are_silent_otherwise(weeks):
    weeks.join("ada", Cadence.WEEKLY)
    weeks.play(0)
    assert [report.digest for report in weeks.reports] == ["daily", "daily@weekly"]
    assert [*weeks.publish(at(1))] == ["daily"]


def test_a_pause_ends_with_one_edition_of_the_best_that_was_missed(weeks):
    weeks.join("ada")
    weeks.join("bob")
    weeks.play(0, 1)
    weeks.pause("ada", 8.5, 1.5)
    weeks.play(*range(2, 11))
    assert weeks.days("ada") == [0, 1, 9, 10]
    with weeks.database.connect() as connection:
        stored = editions.get(connection, "daily@2026-05-05--2026-05-13", "2026-05-13")
    assert stored.edition.since == date(2026, 5, 5)
    name, slot, numbers = weeks.mails("ada")[2]
    assert (name, slot) == ("daily@2026-05-05--2026-05-13", "2026-05-13")
    assert {number // 10 for number in numbers} <= set(range(2, 10))
    assert min(number // 10 for number in numbers) < 8
    assert weeks.mails("ada")[3][0] == "daily"
    assert weeks.days("bob") == list(range(11))
    weeks.check_accounts()


def test_who_resumes_early_catches_up_too(weeks):
    weeks.join("ada")
    weeks.play(0)
    weeks.pause("ada", 30, 0.5)
    weeks.play(1, 2, 3)
    weeks.pause("ada", None, 3.5)
    weeks.publish(at(3.5) + HOUR)
    assert weeks.days("ada") == [0], "the slot of day 3 is over"
    weeks.play(4)
    assert [(name, len(numbers)) for name, _, numbers in weeks.mails("ada")[1:]] == [
        ("daily@2026-05-04--2026-05-08", 6)
    ]
    weeks.play(5)
    assert weeks.days("ada") == [0, 4, 5]
    weeks.check_accounts()


def test_readers_whose_pauses_began_on_one_day_share_an_edition(weeks):
    for name, until in (("ada", 5.1), ("bob", 5.6), ("eve", 6.5)):
        weeks.join(name)
        weeks.pause(name, until, 0.5)
    weeks.join("dan")
    weeks.pause("dan", 5.5, 2.5)
    weeks.play(*range(9))
    assert [name for name, _, _ in weeks.mails("ada")][:1] == ["daily@2026-05-04--2026-05-10"]
    assert weeks.mails("ada") == weeks.mails("bob")
    assert weeks.mails("eve")[0][0] == "daily@2026-05-04--2026-05-11"
    assert weeks.mails("dan")[0][0] == "daily@2026-05-06--2026-05-10"
    weeks.check_accounts()


def test_a_pause_between_two_editions_is_not_caught_up_on(weeks):
    weeks.join("ada")
    weeks.play(0)
    weeks.pause("ada", 0.8, 0.5)
    weeks.play(1)
    assert [name for name, _, _ in weeks.mails("ada")] == ["daily", "daily"]


@pytest.mark.parametrize("ends", [None, 0.6], ids=["ended early", "ran out"])
def test_a_short_pause_that_cancels_an_edition_is_caught_up_on(weeks, ends):
    weeks.join("ada")
    weeks.sends = False
    weeks.play(0)
    weeks.pause("ada", ends or 30, 0.1)
    assert weeks.mails("ada") == []
    if ends is None:
        weeks.pause("ada", None, 0.2)
    weeks.play(1)
    ((name, _, numbers),) = weeks.mails("ada")
    assert name == "daily@2026-05-04--2026-05-05"
    assert sorted(numbers) == [1, 2, 3, 11, 12, 13]
    weeks.play(2)
    assert [name for name, _, _ in weeks.mails("ada")][1:] == ["daily"]
    weeks.check_accounts()


def test_an_edition_of_several_days_that_a_pause_cancels_is_caught_up_on(weeks):
    weeks.join("ada", Cadence.WEEKLY)
    weeks.join("bob", Cadence.WEEKDAYS)
    weeks.play(*range(-3, 0))
    weeks.sends = False
    weeks.play(0)
    for name in ("ada", "bob"):
        weeks.pause(name, 0.6, 0.1)
    weeks.play(1)
    ((name, _, numbers),) = weeks.mails("bob")[1:]
    assert name == "daily@weekdays-2026-05-04--2026-05-05"
    assert min(numbers) < -10, "papers of Saturday"
    weeks.play(*range(2, 8), papers=1)
    ((name, _, numbers),) = weeks.mails("ada")
    assert name == "daily@weekly-2026-05-04--2026-05-11"
    assert min(numbers) < 0, "papers of the week before the pause"
    weeks.check_accounts()


def test_a_catch_up_edition_that_a_pause_cancels_comes_again_later(weeks):
    weeks.join("ada", Cadence.WEEKLY)
    weeks.pause("ada", 1.5, -0.5)
    weeks.sends = False
    weeks.play(*range(8))
    ((name, _, _),) = weeks.mails("ada")
    assert name == "daily@weekly-2026-05-03--2026-05-11"
    weeks.pause("ada", 7.6, 7.1)
    weeks.play(*range(8, 15))
    assert [name for name, _, _ in weeks.mails("ada")] == ["daily@weekly-2026-05-03--2026-05-18"]
    weeks.check_accounts()


def test_an_announcement_that_a_pause_cancels_is_not_caught_up_on(weeks):
    weeks.join("ada")
    weeks.play(0)
    weeks.sends = False
    notice = Announcement(subject="News", text="Hello.")
    announce(weeks.database, DAILY, notice, render, at(0.1))
    weeks.pause("ada", 0.8, 0.5)
    weeks.play(1)
    assert [name for name, _, _ in weeks.mails("ada")] == ["daily", "daily"]


def test_an_endless_pause_is_caught_up_on_for_thirty_days(weeks):
    weeks.join("ada")
    weeks.pause("ada", 59.5, -0.5)
    weeks.join("bob")
    weeks.pause("bob", 59.6, 5)
    weeks.play(*range(61))
    assert weeks.mails("ada")[0][:2] == ("daily@2026-06-03--2026-07-03", "2026-07-03")
    assert weeks.mails("ada")[0] == weeks.mails("bob")[0]
    assert {number // 10 for number in weeks.mails("ada")[0][2]} <= set(range(30, 61))
    weeks.check_accounts()


def test_a_weekly_reader_catches_up_with_the_next_weekly_edition(weeks):
    weeks.join("ada", Cadence.WEEKLY)
    weeks.play(*range(1))
    weeks.pause("ada", 16, 1)
    weeks.play(*range(1, 29))
    assert [name for name, _, _ in weeks.mails("ada")] == [
        "daily@weekly", "daily@weekly-2026-05-05--2026-05-25", "daily@weekly",
    ]  # fmt: skip
    assert weeks.days("ada") == [0, 21, 28]
    weeks.check_accounts()


def test_a_catch_up_waits_for_an_edition_that_has_papers(weeks):
    weeks.join("ada")
    weeks.pause("ada", 3.5, 0.5)
    weeks.play(0, 1, 2, 3)
    weeks.play(4, papers=0)
    assert weeks.mails("ada") == []
    weeks.play(5)
    assert [(name, slot) for name, slot, _ in weeks.mails("ada")] == [("daily@2026-05-04--2026-05-09", "2026-05-09")]
    weeks.play(6)
    assert weeks.days("ada") == [5, 6]


def test_a_catch_up_that_cannot_be_rendered_stops_nothing_and_is_tried_again(weeks, database):
    weeks.join("ada")
    weeks.join("bob")
    weeks.pause("ada", 1.5, 0.5)
    weeks.play(0, 1)
    collect(database, [FakeSource("hf", reading(sighting(221, day=at(2).date())))], at(2) - HOUR)

    def fails_for_variants(edition, sections, *, language=None):
        if edition.digest != edition.base:
            raise RenderError("broken")
        return render(edition, sections)

    found = publish(database, [DAILY], fails_for_variants, at(2)).digests
    assert [(report.digest, report.status) for report in found] == [
        ("daily", "published"), ("daily@2026-05-04--2026-05-06", "failed"),
    ]  # fmt: skip
    assert weeks.mails("ada") == []
    assert weeks.days("bob") == [0, 1, 2]
    weeks.publish(at(2.9))
    assert [slot for _, slot, _ in weeks.mails("ada")] == ["2026-05-06"]


def test_a_repeated_run_publishes_a_variant_once_and_a_dry_run_never(weeks, database):
    weeks.join("ada", Cadence.WEEKLY)
    collect(database, [FakeSource("hf", reading(sighting(201, day=at(0).date())))], at(0) - HOUR)
    with database.begin_dry_run() as connection:
        dry = dry_run_publish(connection, [DAILY], render, at(0)).digests
    assert [(report.digest, report.recipients) for report in dry] == [("daily", 0), ("daily@weekly", 1)]
    assert weeks.mails("ada") == []
    weeks.publish(at(0))
    weeks.publish(at(0) + HOUR)
    assert len(weeks.mails("ada")) == 1


def test_a_digest_that_may_repeat_another_may_repeat_its_variants(database):
    may = digest("second", allow_repeats_of=("daily",))
    weeks = Weeks(database, DAILY, may, digest("third"))
    weeks.join("ada", Cadence.WEEKLY, digests=("daily",))
    with database.begin() as connection:
        for name in ("second", "third"):
            subscribers.subscribe(connection, weeks.readers["ada"], Subscription(digest=name), at(-9))
    weeks.play(0, papers=2)
    assert [(name, numbers) for name, _, numbers in weeks.mails("ada")] == [
        ("daily@weekly", [2, 1]),
        ("second", [2, 1]),
    ]


def test_the_day_on_which_a_pause_began_is_that_of_the_digest(database):
    western = digest(timezone="America/Los_Angeles")
    weeks = Weeks(database, western)
    weeks.join("ada")
    weeks.join("bob")
    slot = timedelta(hours=7)  # seven o'clock there is 14:00 UTC
    weeks.play(0, late=slot)
    weeks.pause("ada", 3, 0.8)  # 02:12 UTC on Tuesday, Monday evening there
    weeks.pause("bob", 3, 1.1)  # Tuesday there too
    weeks.play(1, 2, 3, late=slot)
    assert weeks.mails("ada")[-1][:2] == ("daily@2026-05-04--2026-05-07", "2026-05-07")
    assert weeks.mails("bob")[-1][:2] == ("daily@2026-05-05--2026-05-07", "2026-05-07")
    weeks.check_accounts()


def test_a_pause_that_is_undone_is_caught_up_on(weeks, database):
    weeks.join("ada")
    with database.connect() as connection:
        before = subscribers.get(connection, weeks.readers["ada"])
    weeks.pause("ada", 60, 0.5)
    weeks.play(1, 2)
    with database.begin() as connection:
        subscribers.restore(connection, before, at(2.5))
    weeks.play(3, 4)
    assert [name for name, _, _ in weeks.mails("ada")] == ["daily@2026-05-04--2026-05-07", "daily"]


def test_a_pause_within_a_day_of_the_last_one_continues_it_and_a_longer_one_keeps_its_beginning(weeks, database):
    weeks.join("ada")
    for until, day in ((9, 0.5), (20, 2.5), (None, 4.5), (12, 4.6), (30, 8)):
        weeks.pause("ada", until, day)
        with database.connect() as connection:
            assert subscribers.get(connection, weeks.readers["ada"]).paused_from == at(0.5)
    weeks.pause("ada", None, 9)
    weeks.pause("ada", 20, 11)
    with database.connect() as connection:
        found = subscribers.get(connection, weeks.readers["ada"])
    assert (found.paused_from, found.paused_until) == (at(11), at(20))
    weeks.pause("ada", None, 40)
    with database.connect() as connection:
        assert subscribers.get(connection, weeks.readers["ada"]).paused_until == at(20), "it had ended already"


def test_a_database_problem_with_variants_fails_one_digest_and_not_the_next(weeks, database, monkeypatch):
    weeks.digests = (DAILY, digest("second"))
    weeks.join("ada", Cadence.WEEKLY)

    def broken(connection, one, now, horizon):
        if one.name == "daily":
            raise StorageError("the disk is full")
        return ()

    monkeypatch.setattr("digestmail.editions.cadence.in_use", broken)
    found = weeks.publish(at(0))
    assert (found["daily"].status, found["daily"].reason) == ("failed", "the disk is full")
    assert found["second"].status == "empty"
