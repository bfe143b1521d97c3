"""A server that takes less than it is given: the pace settles at what it allows, and nobody is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeClock
from simulated import SimulatedRelay
from worker_fixture import fill, standing, until_empty, worker

from digestmail.delivery.throttle import PATIENCE, Throttle
from digestmail.storage import rates

HOURS_96 = timedelta(hours=96)


@pytest.mark.parametrize(("per_second", "count", "share"), [(1, 120, 0.2), (14, 800, 0.5), (200, 2000, 0.4)])
def test_the_pace_settles_at_what_a_server_allows_within_a_minute(sqlite, tmp_path, per_second, count, share):
    # The database commits in real time, so a busy machine takes a share of the simulated time; the benchmark measures.
    fill(sqlite, count)
    clock = FakeClock()
    relay = SimulatedRelay(clock, per_second=per_second)
    report = worker(sqlite, [relay], clock, tmp_path / "epoch").deliver()
    assert (report.sent, report.stopped) == (count, "")
    assert standing(sqlite) == {"sent": count}
    assert set(relay.arrived.values()) == {1}
    begun, ended = relay.accepted[0], relay.accepted[-1]
    settled = begun + min(60, (ended - begun) / 2)
    later = [at for at in relay.accepted if at > settled]
    assert len(later) / (ended - settled) >= share * per_second
    refused = [at for at in relay.refused if at > settled]
    assert len(refused) <= len(later) / 4


@pytest.mark.parametrize("crowded", [432, 421])
def test_a_server_that_takes_three_connections_gets_three(database, tmp_path, crowded):
    fill(database, 200)
    clock = FakeClock()
    relay = SimulatedRelay(clock, submissions=3, crowded=crowded)
    report = until_empty(database, [relay], tmp_path / "epoch", clock)
    assert report.stopped == ""
    assert standing(database) == {"sent": 200}
    assert set(relay.arrived.values()) == {1}
    assert relay.codes[crowded] <= 100
    with database.connect() as connection:
        assert rates.factors(connection, clock.now()) == {}


def test_a_server_that_only_throttles_ends_the_run_and_keeps_everything(database, tmp_path):
    fill(database, 40)
    clock = FakeClock()
    begun = clock.now()
    relay = SimulatedRelay(clock, per_second=0.0)
    report = worker(database, [relay], clock, tmp_path / "epoch").deliver()
    assert "nothing was accepted" in report.stopped
    assert "Maximum sending rate exceeded" in report.stopped
    assert clock.now() - begun < timedelta(minutes=3)
    assert (report.sent, report.failed) == (0, 0)
    relay.per_second = None
    until_empty(database, [relay], tmp_path / "epoch", clock)
    assert standing(database) == {"sent": 40}
    assert clock.now() - begun < HOURS_96


def test_what_was_measured_is_kept_over_restarts_and_given_back_with_time(database):
    now = FakeClock().now()
    with database.begin() as connection:
        assert rates.slow_down(connection, "relay:a", now, 0.2) == pytest.approx(0.19)
        assert rates.slow_down(connection, "relay:a", now + timedelta(seconds=0.5), 0.01) == pytest.approx(
            0.19, rel=0.02
        )
        assert rates.slow_down(connection, "relay:b", now, 0.0) == pytest.approx(1 / 8)
    with database.connect() as connection:
        assert rates.factors(connection, now + rates.RECOVERY)["relay:a"] == pytest.approx(0.38)
        assert rates.factors(connection, now + rates.RECOVERY / 2)["relay:a"] == pytest.approx(0.19 * 2**0.5)
        assert rates.factors(connection, now + 9 * rates.RECOVERY) == {}


def test_a_throttle_measures_since_the_pace_last_changed():
    throttle = Throttle(0.0)
    for _ in range(14):
        throttle.accept(0.01)
    assert throttle.refuse(0.02) == 14
    assert throttle.refuse(0.5) is None
    for at in range(28):
        throttle.accept(1 + at / 14)
    assert throttle.refuse(3.02) == pytest.approx(28 / 3)
    assert not throttle.is_stuck(3.02 + PATIENCE)
    assert throttle.is_stuck(3.03 + PATIENCE)
    throttle.accept(99)
    assert not throttle.is_stuck(200)
