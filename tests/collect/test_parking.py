"""Sources that fail for long: said once, parked if they are gone, and read again when they may be back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeSource, reading, sighting

from digestmail.collect.collector import collect, end_parking
from digestmail.errors import (
    SourceHostUnknownError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import Health

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GONE = SourceRefusedError("https://blog.test/feed answered 410", status=410)
MISSING = SourceRefusedError("https://blog.test/feed answered 404", status=404)
ADDRESSES = {"blog": "https://blog.test/feed?key=hush"}


class Runs:
    """Runs with two sources, one of which is well."""

    def __init__(self, database, *says, alone=False):
        self.database = database
        self.blog = FakeSource("blog", *says)
        self.sources = [self.blog] if alone else [self.blog, FakeSource("good", reading(sighting(1), source="good"))]
        self.now = THURSDAY
        self.addresses = ADDRESSES

    def run(self, after=HOUR):
        """Return whether this run fails because of the blog, and how the blog is."""
        report = collect(self.database, self.sources, self.now, addresses=self.addresses)
        self.now += after
        blog = report.sources[0]
        assert blog.source == "blog"
        return "blog" in report.failed, blog.health[0].health

    @property
    def reads(self):
        return len(self.blog.asked)


def test_a_source_that_is_gone_is_said_once_and_read_once_a_week(database):
    runs = Runs(database, GONE)
    assert runs.run() == (True, Health.PARKED)
    for _ in range(3):
        assert runs.run(DAY) == (False, Health.PARKED)
    assert runs.reads == 1
    for _ in range(30):
        assert runs.run(DAY) == (False, Health.PARKED)
    assert runs.reads == 5


@pytest.mark.parametrize("error", [MISSING, SourceHostUnknownError("the name blog.test was not resolved")])
def test_a_missing_source_is_parked_after_three_days(database, error):
    runs = Runs(database, error)
    said = [runs.run(DAY) for _ in range(6)]
    assert [news for news, _ in said] == [True, False, False, True, False, False]
    assert said[2][1] in {Health.REFUSED, Health.UNAVAILABLE}
    assert said[3][1] is Health.PARKED
    assert runs.reads == 4


def test_nothing_is_parked_while_no_other_source_can_be_read_either(database):
    runs = Runs(database, MISSING, alone=True)
    assert {runs.run(DAY)[1] for _ in range(9)} == {Health.REFUSED}
    assert runs.reads == 9


def test_days_of_other_failures_do_not_make_a_source_missing(database):
    runs = Runs(database, *[SourceUnavailableError("500", status=500)] * 5, MISSING, MISSING)
    assert {runs.run(DAY)[1] for _ in range(5)} == {Health.UNAVAILABLE}
    assert runs.run(DAY)[1] is Health.REFUSED


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailableError("no answer"),
        SourceThrottledError("429"),
        SourceUnreadableError("no feed"),
        SourceRefusedError("403", status=403),
    ],
)
def test_a_source_that_is_down_is_tried_every_time_and_said_once_a_week(database, error):
    runs = Runs(database, error)
    said = [runs.run(DAY)[0] for _ in range(15)]
    assert said == [day % 7 == 0 for day in range(15)]
    assert runs.reads == 15


def test_a_failure_after_a_recovery_is_news_again(database):
    down = SourceUnavailableError("no answer")
    runs = Runs(database, down, down, reading(sighting(2), source="blog"), down, down)
    assert [runs.run()[0] for _ in range(5)] == [True, False, False, True, False]


def test_a_parked_source_that_answers_is_back(database):
    runs = Runs(database, GONE, reading(sighting(2), source="blog"), GONE)
    runs.run(7 * DAY)
    assert runs.run() == (False, Health.FRESH)
    assert runs.run() == (True, Health.PARKED)


def test_another_address_is_read_at_once(database):
    runs = Runs(database, GONE, reading(sighting(2), source="blog"))
    runs.run()
    runs.run()
    runs.addresses = {"blog": "https://blog.test/new"}
    assert runs.run() == (False, Health.FRESH)


def test_the_operator_has_it_read_again(database):
    runs = Runs(database, GONE)
    assert end_parking(database, "blog") is False
    runs.run()
    assert end_parking(database, "blog") is True
    assert end_parking(database, "good") is False
    assert runs.run() == (False, Health.PARKED)
    assert runs.reads == 2
    assert runs.run() == (False, Health.PARKED)
    assert runs.reads == 2


def test_what_is_stored_says_how_to_bring_it_back_and_not_the_address(database):
    runs = Runs(database, GONE)
    runs.run()
    report = collect(database, runs.sources, runs.now, addresses=ADDRESSES)
    row = report.sources[0].health[0]
    assert "read again on Thu 09 Apr, or after `digestmail sources retry blog`" in row.detail
    assert "hush" not in repr(row)


def test_a_source_parked_by_a_clock_that_was_ahead_is_read(database):
    runs = Runs(database, GONE)
    runs.now += 400 * DAY
    runs.run()
    runs.now = THURSDAY
    runs.run()
    assert runs.reads == 2


def test_a_source_missing_by_a_clock_that_was_ahead_is_missing_from_now_on(database):
    runs = Runs(database, MISSING)
    runs.now += 400 * DAY
    runs.run()
    runs.now = THURSDAY
    assert [runs.run(DAY) for _ in range(4)] == [
        (True, Health.REFUSED),
        (False, Health.REFUSED),
        (False, Health.REFUSED),
        (True, Health.PARKED),
    ]
