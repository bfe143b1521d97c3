"""The operator pauses sending: workers notice it while they send, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

from fakes import THURSDAY, FakeClock, FakeTransport
from worker_fixture import fill, worker

from digestmail.delivery import admin
from digestmail.storage import deliveries

READERS = 400
UNTIL = THURSDAY + timedelta(hours=4)


def test_a_worker_that_is_sending_stops_within_a_minute_and_sends_the_rest_after_the_pause(database, tmp_path):
    fill(database, READERS)
    clock = FakeClock()

    def pause_at_the_tenth(_recipient: str) -> None:
        clock.sleep(1)
        if len(transport.sent) == 10:
            admin.pause(database, ["fake"], UNTIL, clock.now())

    transport = FakeTransport(pause_at_the_tenth)
    report = worker(database, [transport], clock, tmp_path / "epoch").deliver()
    assert report.stopped == "fake is paused until 2026-04-02 12:00 UTC: paused by the operator"
    assert 10 < len(transport.sent) < 300
    clock.sleep((UNTIL - clock.now()).total_seconds() + 60)
    transport.verdict = lambda _recipient: None
    worker(database, [transport], clock, tmp_path / "epoch").deliver()
    assert len(set(transport.recipients)) == len(transport.recipients) == READERS


def test_nothing_is_claimed_during_a_pause_and_resuming_ends_it(database, tmp_path):
    fill(database, 5)
    admin.pause(database, ["fake", "other"], UNTIL, THURSDAY)
    transport = FakeTransport()
    report = worker(database, [transport], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.sent, transport.sent) == (0, [])
    assert "paused by the operator" in report.stopped
    with database.connect() as connection:
        assert {str(state): count for state, count in deliveries.open_counts(connection).items()} == {"queued": 5}
    assert admin.resume(database, THURSDAY)[0] == 2
    assert worker(database, [transport], FakeClock(), tmp_path / "epoch").deliver().sent == 5
