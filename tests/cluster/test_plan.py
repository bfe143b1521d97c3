"""When a round is due, and which jobs it has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY

from digestmail.cluster.plan import JobKind, deliver_job, is_round_due, next_turn, publish_job, round_jobs
from digestmail.model.history import RunOutcome, RunRecord

MINUTE = timedelta(minutes=1)
SLOT = THURSDAY - timedelta(days=1)
WELL = RunOutcome.WELL


def run(minutes: int, outcome: RunOutcome | None = WELL) -> RunRecord:
    """Return a run that began so many minutes ago."""
    at = THURSDAY - minutes * MINUTE
    return RunRecord(started_at=at, ended_at=None if outcome is None else at, outcome=outcome)


@pytest.mark.parametrize(
    ("last", "gated", "due"),
    [
        (None, False, True),
        (run(59), False, False),
        (run(60), False, True),
        (run(9), True, False),
        (run(10), True, True),
        (run(9, RunOutcome.FAILED), False, False),
        (run(10, RunOutcome.FAILED), False, True),
        (run(10, RunOutcome.TROUBLE), False, False),
        (run(9, None), False, False),
        (run(10, None), False, True),
    ],
)
def test_a_round_is_due_every_hour_and_after_ten_minutes_if_it_failed_or_an_edition_waits(last, gated, due):
    assert is_round_due(THURSDAY, [SLOT], last, [], is_gated=gated) is due


def test_a_round_is_due_when_a_slot_begins():
    assert is_round_due(THURSDAY, [SLOT, THURSDAY], run(1), [], is_gated=False)
    assert not is_round_due(THURSDAY, [THURSDAY + MINUTE], run(1), [], is_gated=False)
    assert not is_round_due(THURSDAY, [THURSDAY - MINUTE], run(1), [], is_gated=False)


@pytest.mark.parametrize("kind", [JobKind.READ, JobKind.TRAIN, JobKind.PUBLISH])
def test_no_round_begins_before_the_one_before_is_over(kind):
    assert not is_round_due(THURSDAY, [THURSDAY], None, [JobKind.TICK, kind], is_gated=False)
    assert is_round_due(THURSDAY, [THURSDAY], None, [JobKind.TICK, JobKind.DELIVER, JobKind.OUTPUTS], is_gated=False)


def test_each_source_is_a_job_and_sources_at_one_host_share_a_lock():
    sources = {"a": "https://one.example/feed", "b": "https://ONE.example/other", "c": "https://two.example/"}
    *reads, train = round_jobs(sources, 7)
    assert [job.names for job in reads] == [{"source": name, "run": 7} for name in sources]
    assert reads[0].lock == reads[1].lock != reads[2].lock
    assert len({job.once for job in reads}) == len(sources)
    assert (train.kind, train.names) == (JobKind.TRAIN, {"run": 7})


def test_jobs_carry_names_and_numbers_only():
    jobs = [
        *round_jobs({"a": "https://one.example/feed"}, 7),
        publish_job("daily", 7),
        deliver_job(),
        next_turn(),
    ]
    assert {key for job in jobs for key in job.names} == {"source", "digest", "run"}


def test_deliveries_are_taken_last_because_they_may_go_on_for_hours():
    others = [kind.priority for kind in JobKind if kind not in {JobKind.DELIVER, JobKind.UPKEEP}]
    assert min(others) > JobKind.DELIVER.priority
    assert JobKind.TICK.priority == max(kind.priority for kind in JobKind)
    assert JobKind.READ.priority > JobKind.TRAIN.priority


def test_one_turn_waits_at_a_time_but_a_transaction_never_waits_for_another_one():
    assert next_turn().once is not None
    assert deliver_job().once is None
