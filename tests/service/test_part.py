from __future__ import annotations

from random import Random
from threading import Event

import pytest

from digestmail.errors import StorageError
from digestmail.service import part
from digestmail.service.part import Control, Runner, ServicePart, restart_delay


class Time:
    """A monotonic clock that moves on request."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    monkeypatch.setattr(part, "FIRST_DELAY", 0.0)


def runner(run, *, monotonic=None, patience=60.0) -> Runner:
    return Runner(ServicePart(name="web", run=run, patience=patience), monotonic or Time(), Random(1))


def test_delays_double_up_to_five_minutes(monkeypatch):
    monkeypatch.setattr(part, "FIRST_DELAY", 1.0)
    never = Random(1)
    never.random = lambda: 0.0  # type: ignore[method-assign] # no jitter
    assert [restart_delay(failures, never) for failures in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]


@pytest.mark.parametrize("seed", range(20))
def test_up_to_a_quarter_is_added_at_random(seed, monkeypatch):
    monkeypatch.setattr(part, "FIRST_DELAY", 1.0)
    assert 8 <= restart_delay(4, Random(seed)) <= 10


@pytest.mark.parametrize("error", [ValueError("a bug"), StorageError("no database"), SystemExit(1), None])
def test_a_part_that_ends_is_started_again(error, caplog):
    attempts: list[int] = []
    done = Event()

    def run(control: Control) -> None:
        attempts.append(1)
        if len(attempts) == 3:
            done.set()
            control.wait(60)
        elif error is not None:
            raise error

    started = runner(run)
    started.start()
    assert done.wait(60)
    started.stop()
    started.join()
    assert len(attempts) == 3
    said = [record.getMessage() for record in caplog.records]
    assert said.count("part web is started again in 0 s") == 2
    assert any(record.exc_info for record in caplog.records) is isinstance(error, ValueError | SystemExit)


def test_a_part_that_ran_well_for_long_begins_with_the_shortest_delay_again(monkeypatch):
    failures: list[int] = []
    monkeypatch.setattr(part, "restart_delay", lambda count, _: failures.append(count) or 0.0)
    time, done = Time(), Event()
    runs = iter([0.0, 0.0, part.STEADY, 0.0])

    def run(control: Control) -> None:
        lasts = next(runs, None)
        if lasts is None:
            done.set()
            control.wait(60)
            return
        time.seconds += lasts

    started = runner(run, monotonic=time)
    started.start()
    assert done.wait(60)
    started.stop()
    started.join()
    assert failures == [1, 2, 1, 2]


def test_a_part_is_replaced_when_the_work_in_hand_is_finished():
    order: list[str] = []
    first, second = Event(), Event()

    def work(name: str, begun: Event):
        def run(control: Control) -> None:
            begun.set()
            control.wait(60)
            order.append(name)

        return run

    started = runner(work("old", first))
    started.start()
    assert first.wait(60)
    assert started.is_ready()
    started.replace(ServicePart(name="web", run=work("new", second), patience=60))
    assert second.wait(60)
    assert order == ["old"]
    assert started.is_ready()
    started.stop()
    started.join()
    assert order == ["old", "new"]
    assert started.has_ended()


def test_a_part_that_asks_is_alive_and_one_that_does_not_is_hanging():
    time, ask, asked, end = Time(), Event(), Event(), Event()

    def run(control: Control) -> None:
        ask.wait(60)
        control.stopping()
        asked.set()
        end.wait(60)

    started = runner(run, monotonic=time, patience=60)
    started.start()
    time.seconds = 60
    assert started.problem() is None
    time.seconds = 61
    assert started.problem() == "web has given no sign of life for 61 s"
    ask.set()
    assert asked.wait(60)
    assert started.problem() is None
    end.set()
    started.stop()
    started.join()
    assert started.problem() == "the thread of web is gone"
