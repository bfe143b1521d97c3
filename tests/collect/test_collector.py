from __future__ import annotations

import logging
from datetime import timedelta
from itertools import chain, repeat

import pytest
from fakes import THURSDAY, FakeSource, reading, sighting

from digestmail.collect import collector as module
from digestmail.collect.collector import collect
from digestmail.errors import (
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
    StorageError,
)
from digestmail.model.papers import Health, Skipped
from digestmail.sources.parsed import gather
from digestmail.storage import papers, sources


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (SourceThrottledError("come back later"), Health.THROTTLED),
        (SourceRefusedError("403"), Health.REFUSED),
        (SourceUnreadableError("no feed"), Health.UNREADABLE),
        (SourceUnavailableError("time-out"), Health.UNAVAILABLE),
    ],
)
def test_a_failing_source_stops_no_other_and_its_health_says_why(database, error, health):
    good = FakeSource("hf", reading(sighting(1), sighting(2)))
    report = collect(database, [FakeSource("bad", error), good], THURSDAY)
    assert report.failed == ("bad",)
    assert [(r.source, r.new) for r in report.sources] == [("bad", 0), ("hf", 2)]
    with database.connect() as connection:
        (row,) = sources.list_health(connection, source="bad")
    assert (row.health, row.detail) == (health, str(error))


def test_a_bug_in_a_parser_costs_only_its_own_source_and_is_logged_whole(database, caplog):
    with caplog.at_level(logging.ERROR):
        report = collect(
            database, [FakeSource("bad", KeyError("title")), FakeSource("hf", reading(sighting(1)))], THURSDAY
        )
    assert report.failed == ("bad",)
    assert report.sources[1].new == 1
    assert "Traceback" in caplog.text


def test_reading_the_same_again_changes_nothing(database):
    source = FakeSource("hf", reading(sighting(1), sighting(2)))
    collect(database, [source], THURSDAY)
    report = collect(database, [source], THURSDAY + timedelta(hours=1))
    assert (report.sources[0].new, report.sources[0].updated) == (0, 0)
    assert source.asked == [None, THURSDAY]


def test_skipped_entries_are_counted_by_reason(database):
    skipped = (Skipped(entry="a", reason="no title"), Skipped(entry="b", reason="no title"))
    report = collect(database, [FakeSource("hf", reading(sighting(1), skipped=skipped))], THURSDAY)
    assert report.sources[0].skipped == {"no title": 2}


def test_a_partial_reading_keeps_what_came_and_is_read_again_from_before(database):
    source = FakeSource("hf", reading(sighting(1)), reading(sighting(2), partial="page 2 failed"))
    collect(database, [source], THURSDAY)
    report = collect(database, [source], THURSDAY + timedelta(days=1))
    assert report.sources[0].health[0].health is Health.PARTIAL
    assert report.sources[0].new == 1
    collect(database, [source], THURSDAY + timedelta(days=2))
    assert source.asked == [None, THURSDAY, THURSDAY]


def test_validators_are_kept_with_the_papers_or_not_at_all(database, monkeypatch):
    def broken(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(module.stored_sources, "put_health", broken)
    with pytest.raises(RuntimeError):
        collect(database, [FakeSource("hf", reading(sighting(1)))], THURSDAY)
    with database.connect() as connection:
        assert papers.list_papers(connection, 10) == ()
        assert sources.find_validators(connection, "hf", "https://example.org/hf", THURSDAY).etag is None
        assert sources.read_state(connection, "hf") is None


def test_a_reading_is_stored_in_short_transactions(database, monkeypatch):
    monkeypatch.setattr(module, "PAPERS_AT_ONCE", 2)
    parts = []
    add = papers.add_sightings

    def counted(connection, seen, *rest):
        parts.append(len(seen))
        return add(connection, seen, *rest)

    monkeypatch.setattr(papers, "add_sightings", counted)
    report = collect(database, [FakeSource("hf", reading(*map(sighting, range(1, 6))))], THURSDAY)
    assert parts == [2, 2, 1]
    assert (report.sources[0].new, report.sources[0].health[0].health) == (5, Health.FRESH)


def test_a_crash_between_two_transactions_loses_nothing(database, monkeypatch):
    monkeypatch.setattr(module, "PAPERS_AT_ONCE", 2)
    add, calls = papers.add_sightings, iter(range(10))

    def crashing(connection, seen, *rest):
        if next(calls) == 1:
            raise SystemExit
        return add(connection, seen, *rest)

    source = FakeSource("hf", reading(*map(sighting, range(1, 6))))
    monkeypatch.setattr(papers, "add_sightings", crashing)
    with pytest.raises(SystemExit):
        collect(database, [source], THURSDAY)
    with database.connect() as connection:
        assert len(papers.list_papers(connection, 10)) == 2
        assert sources.find_validators(connection, "hf", "https://example.org/hf", THURSDAY).etag is None
        assert sources.list_health(connection) == ()
    report = collect(database, [source], THURSDAY + timedelta(hours=1))
    assert source.asked == [None, None]
    assert report.sources[0].new == 3
    with database.connect() as connection:
        assert len(papers.list_papers(connection, 10)) == 5


def test_a_source_that_cannot_be_stored_stops_no_other(database, caplog):
    # No database takes this text.
    bad = FakeSource("bad", reading(sighting(1), sighting(2, source="bad", abstract="\ud800"), source="bad"))
    report = collect(database, [bad, FakeSource("hf", reading(sighting(3)))], THURSDAY)
    assert report.failed == ("bad",)
    assert [(r.source, r.new) for r in report.sources] == [("bad", 0), ("hf", 1)]
    (row,) = report.sources[0].health
    assert row.health is Health.UNREADABLE
    assert row.detail.startswith("could not be stored: ")
    assert "Traceback" in caplog.text


def test_the_longest_texts_can_be_stored_and_searched(database):
    words = [f"{number:x}\N{CJK UNIFIED IDEOGRAPH-4E00}{number}" for number in range(40_000)]
    text = " ".join(words)
    authors = tuple(" ".join(words[n : n + 5]) for n in range(0, 40_000, 5))
    huge = sighting(1, title=text, abstract=text, raw_abstract=text, authors=authors)
    (bounded,) = gather([huge]).sightings
    report = collect(database, [FakeSource("hf", reading(bounded))], THURSDAY)
    assert (report.failed, report.sources[0].new) == ((), 1)


def test_trouble_of_the_database_is_not_the_source_s(database):
    with pytest.raises(StorageError):
        collect(database, [FakeSource("hf", StorageError("database is locked"))], THURSDAY)
    with database.connect() as connection:
        assert sources.list_health(connection) == ()


def test_a_source_that_fails_takes_its_categories_along(database):
    said = reading(sighting(1, categories=("cs.LG",)), categories=("cs.LG", "cs.CL"))
    source = FakeSource("hf", said, SourceRefusedError("403"), reading(sighting(2), categories=("cs.LG",)))
    for number, healths in enumerate(
        [["fresh", "nothing-announced", "fresh"], ["refused", "refused", "refused"], ["fresh", "nothing-announced"]]
    ):
        collect(database, [source], THURSDAY + timedelta(days=number))
        with database.connect() as connection:
            assert [str(row.health) for row in sources.list_health(connection)] == healths, number


def test_it_stops_between_two_sources(database):
    asked = chain([False], repeat(True))
    report = collect(
        database,
        [FakeSource("hf", reading(sighting(1))), FakeSource("other", reading())],
        THURSDAY,
        stop=lambda: next(asked),
    )
    assert [r.source for r in report.sources] == ["hf"]
