"""What the operator sees of the last days: runs, readings of sources, and messages by recipient domain."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from fakes import THURSDAY
from outbox import people

from digestmail.model.history import DomainFigures, RunOutcome, RunRecord, SourceDay
from digestmail.model.subscribers import BounceEvent, BounceKind
from digestmail.storage import bounces, history

DAY = timedelta(days=1)


def run(database, at, **record):
    with database.begin() as connection:
        number = history.begin_run(connection, at)
    if record:
        with database.begin() as connection:
            history.end_run(connection, number, RunRecord(started_at=at, ended_at=at + timedelta(minutes=1), **record))


def test_the_last_runs_come_latest_first_and_one_without_an_end_has_no_outcome(database):
    run(database, THURSDAY - DAY, outcome=RunOutcome.TROUBLE, detail="source arxiv: refused", database_bytes=7)
    run(database, THURSDAY)
    with database.connect() as connection:
        last, before = history.last_runs(connection, 5)
    assert (last.outcome, last.ended_at) == (None, None)
    assert (before.outcome, before.detail, before.database_bytes) == (RunOutcome.TROUBLE, "source arxiv: refused", 7)


def part(**done) -> RunRecord:
    return RunRecord(started_at=THURSDAY, **done)


def test_jobs_add_up_to_a_run_with_the_worst_outcome_and_the_first_detail(database):
    end = THURSDAY + timedelta(minutes=5)
    with database.begin() as connection:
        number = history.begin_run(connection, THURSDAY)
        history.add_to_run(connection, number, part(new_papers=3, outcome=RunOutcome.WELL))
        history.add_to_run(connection, number, part(new_papers=2, outcome=RunOutcome.TROUBLE, detail="arxiv: refused"))
        history.add_to_run(connection, number, part(outcome=RunOutcome.FAILED, detail="no space left"))
        history.add_to_run(connection, number, part(outcome=RunOutcome.WELL))
        assert history.last_runs(connection, 1)[0].ended_at is None
        history.add_to_run(connection, number, part(editions=1, ended_at=end, database_bytes=7))
        history.add_to_run(connection, number, part(sent=4))
        history.add_to_run(connection, number + 1, part(sent=4))
        (found,) = history.last_runs(connection, 5)
    assert (found.new_papers, found.editions, found.sent, found.database_bytes) == (5, 1, 4, 7)
    assert (found.outcome, found.detail, found.ended_at) == (RunOutcome.FAILED, "arxiv: refused", end)


def test_the_first_measured_run_is_one_that_ended_within_the_time(database):
    run(database, THURSDAY - 40 * DAY, outcome=RunOutcome.WELL, database_bytes=1)
    run(database, THURSDAY - 9 * DAY)
    run(database, THURSDAY - 8 * DAY, outcome=RunOutcome.WELL, database_bytes=80)
    run(database, THURSDAY, outcome=RunOutcome.WELL, database_bytes=100)
    with database.connect() as connection:
        first = history.first_measured(connection, THURSDAY - 30 * DAY)
    assert first is not None
    assert first.database_bytes == 80


def test_readings_of_a_day_in_utc_are_added_up(database):
    with database.begin() as connection:
        for hours, failed, new in ((0, False, 3), (1, True, 0), (23, False, 2)):
            history.count_reading(connection, "arxiv", THURSDAY + timedelta(hours=hours), failed=failed, new_papers=new)
        found = history.days_of_sources(connection, THURSDAY.date())
    assert found == (
        SourceDay(source="arxiv", day=THURSDAY.date(), readings=2, failures=1, new_papers=3),
        SourceDay(source="arxiv", day=(THURSDAY + DAY).date(), readings=1, failures=0, new_papers=2),
    )


def test_a_domain_with_few_messages_is_not_named(database):
    with database.begin() as connection:
        counted = {"many.example": (9, 1), "anna-example.example": (1, 0), "bert-example.example": (0, 1)}
        history.count_messages(connection, THURSDAY, counted, 10)
        history.count_messages(connection, THURSDAY, {"many.example": (10, 0)}, 10)
        found = history.domains(connection, THURSDAY, 5)
    assert found == (
        DomainFigures(domain="many.example", sent=19, failed=1),
        DomainFigures(domain="", sent=1, failed=1),
    )


def test_bounces_and_complaints_count_at_their_domain(database):
    with database.begin() as connection:
        (reader,) = people(connection, 1)
        history.count_messages(connection, THURSDAY, {"example.org": (20, 0)}, 10)
        for number, kind in enumerate((BounceKind.HARD, BounceKind.SOFT, BounceKind.COMPLAINT)):
            event = BounceEvent(report=f"r{number}", kind=kind, subscriber_id=reader, status="5.1.1")
            bounces.add(connection, event, "p0@example.org", THURSDAY)
        (found,) = history.domains(connection, THURSDAY, 5)
        assert history.domains(connection, THURSDAY + DAY, 5) == ()
    assert (found.bounces, found.complaints) == (2, 1)


@pytest.mark.parametrize(("back", "kept"), [(99, 1), (101, 0)])
def test_records_are_kept_for_a_hundred_days(database, back, kept):
    then = THURSDAY - back * DAY
    run(database, then, outcome=RunOutcome.WELL)
    with database.begin() as connection:
        history.count_reading(connection, "arxiv", then, failed=False, new_papers=1)
        history.count_messages(connection, then, {"example.org": (10, 0)}, 10)
    run(database, THURSDAY)
    with database.connect() as connection:
        assert len(history.last_runs(connection, 5)) == 1 + kept
        assert len(history.days_of_sources(connection, date(2020, 1, 1))) == kept
        assert len(history.domains(connection, then, 5)) == kept


def test_a_replay_keeps_the_days_before_the_time_it_is_seen_from(database):
    with database.begin() as connection:
        history.count_reading(connection, "arxiv", THURSDAY - DAY, failed=False, new_papers=1)
        history.begin_run(connection, THURSDAY + 300 * DAY, THURSDAY)
        assert len(history.days_of_sources(connection, date(2020, 1, 1))) == 1
