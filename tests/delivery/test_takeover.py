"""What a killed worker had claimed is due again at once, and nothing that a living worker holds."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock, FakeTransport
from worker_fixture import fill, fill_deferred, listed, standing, worker

from digestmail.delivery import takeover
from digestmail.delivery.process import _started as started
from digestmail.delivery.process import is_running, this_process
from digestmail.model.deliveries import ProcessIdentity
from digestmail.storage import claims, workers

PEOPLE = 4
LEASE = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
ELSEWHERE = ProcessIdentity(machine="another", pid=1, started="1")


@pytest.fixture
def gone() -> ProcessIdentity:
    """Return the identity of a process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pid = process.pid
    return ProcessIdentity(machine=this_process().machine, pid=pid, started="1")


def claim(database, process: ProcessIdentity, *, begin: int = 1) -> None:
    """Claim everything as a worker in `process`, and record some intents."""
    with database.begin() as connection:
        workers.start(connection, "first", process, THURSDAY)
        claimed = claims.claim(connection, THURSDAY, LEASE, 100)
        claims.record_intent(connection, claimed[:begin], THURSDAY)


def deliver(database, tmp_path, after: timedelta):
    transport = FakeTransport()
    report = worker(database, [transport], FakeClock(THURSDAY + after), tmp_path / "epoch").deliver()
    return report, transport


def test_the_next_run_takes_over_at_once_from_a_process_that_was_killed(database, tmp_path, gone, caplog):
    fill(database, PEOPLE)
    claim(database, gone)
    report, transport = deliver(database, tmp_path, timedelta(0))
    assert (report.sent, report.deferred, len(transport.sent)) == (PEOPLE, 0, PEOPLE)
    assert sum(listed(database).values()) == 1, "the one that may have arrived is listed, and sent again"
    assert "deliveries=4 notices=0 were held by a worker that is gone" in caplog.text
    assert standing(database) == {"sent": PEOPLE}
    with database.connect() as connection:
        assert workers.list_all(connection) == (), "a worker that ends leaves nothing behind"


def test_the_next_run_takes_over_deferred_emails_that_a_killed_process_had_claimed(database, tmp_path, gone):
    soon, late = timedelta(minutes=10), timedelta(hours=3)
    fill_deferred(database, [soon, soon, late])
    with database.begin() as connection:
        workers.start(connection, "first", gone, THURSDAY + soon)
        assert len(claims.claim(connection, THURSDAY + soon, LEASE, 100)) == 4
    report, transport = deliver(database, tmp_path, soon + MINUTE)
    assert (report.sent, len(transport.sent)) == (2, 4), "two deliveries and two notices"
    assert standing(database) == {"sent": 2, "deferred": 1}
    assert not listed(database), "none of them was begun"


def test_a_process_that_runs_keeps_what_it_has_claimed(database, tmp_path):
    fill(database, PEOPLE)
    claim(database, this_process())
    assert deliver(database, tmp_path, MINUTE)[0].sent == 0
    assert deliver(database, tmp_path, LEASE + MINUTE)[0].sent == PEOPLE


@pytest.mark.parametrize(("after", "sent"), [(MINUTE, 0), (3 * MINUTE, PEOPLE)])
def test_a_worker_on_another_machine_is_dead_when_it_is_silent_for_two_minutes(database, tmp_path, after, sent):
    fill(database, PEOPLE)
    claim(database, ELSEWHERE)
    assert deliver(database, tmp_path, after)[0].sent == sent


def test_nothing_is_taken_while_one_of_several_workers_lives_but_by_the_first_one_that_starts_alone(database, gone):
    fill(database, PEOPLE)
    with database.begin() as connection:
        workers.start(connection, "second", this_process(), THURSDAY)
    claim(database, gone)
    with database.begin() as connection:
        assert takeover.start(connection, "third", this_process(), THURSDAY) is None
        assert [one.name for one in workers.list_all(connection)] == ["first", "second", "third"]
        workers.end(connection, "second", "third")
        released = takeover.start(connection, "fourth", this_process(), THURSDAY)
        assert released is not None
        assert released.deliveries == PEOPLE
        assert [one.name for one in workers.list_all(connection)] == ["fourth"]


def test_a_worker_shows_that_it_is_alive_while_it_sends(database, tmp_path):
    fill(database, PEOPLE)
    clock, seen = FakeClock(), []

    def slow(recipient: str) -> None:
        clock.sleep(40)
        with database.connect() as connection:
            seen.extend(one.seen_at for one in workers.list_all(connection))

    report = worker(database, [FakeTransport(slow)], clock, tmp_path / "epoch").deliver()
    assert report.sent == PEOPLE
    assert seen[-1] > THURSDAY + MINUTE


def test_a_process_is_recognized_by_its_start_not_only_by_its_number(gone):
    me = this_process()
    assert is_running(me)
    assert is_running(gone) is False
    assert is_running(ELSEWHERE) is None
    assert is_running(ProcessIdentity(machine=me.machine, pid=me.pid, started=f"{me.started}0")) is False


def test_a_process_that_proc_hides_may_be_running(tmp_path, monkeypatch):
    me = this_process()
    monkeypatch.setattr("digestmail.delivery.process._PROC", tmp_path)
    assert is_running(me) is None
    assert is_running(ProcessIdentity(machine=me.machine, pid=me.pid, started="")), "a system without /proc"


def test_a_process_that_was_killed_and_whose_parent_has_not_looked_is_gone():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        one = ProcessIdentity(machine=this_process().machine, pid=process.pid, started=started(process.pid))
        assert is_running(one)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_running(one) is False


def test_a_worker_that_a_wrong_clock_dated_into_the_future_counts_as_silent(database):
    with database.begin() as connection:
        workers.start(connection, "ahead", ELSEWHERE, THURSDAY + timedelta(days=400))
        assert not takeover.living(connection, THURSDAY)


def test_a_worker_that_hangs_for_longer_than_any_lease_counts_as_dead(database):
    with database.begin() as connection:
        workers.start(connection, "hung", this_process(), THURSDAY)
        assert takeover.living(connection, THURSDAY + LEASE - MINUTE)
        assert not takeover.living(connection, THURSDAY + LEASE + MINUTE)
