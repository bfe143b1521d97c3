from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Event, Thread

import pytest
from supervising import Manager, Time, states, supervise, until, until_ready

from digestmail.errors import StorageError
from digestmail.service import part
from digestmail.service.part import STARTING, Control, ServiceHealth, ServicePart
from digestmail.service.supervisor import waiting_for_signals


def waiting(begun: Event | None = None) -> Callable[[Control], None]:
    """Return the work of a part that does nothing until it is stopped."""

    def run(control: Control) -> None:
        if begun is not None:
            begun.set()
        control.wait(60)

    return run


def named(name: str, run: Callable[[Control], None] | None = None, patience: float = 60.0) -> ServicePart:
    return ServicePart(name=name, run=run or waiting(), patience=patience)


def nothing() -> set[int]:
    return set()


@pytest.mark.parametrize(("watchdog", "tick"), [(None, 10), (60, 10), (9, 3)])
def test_the_watchdog_is_pinged_three_times_as_often_as_it_wants(watchdog, tick):
    manager = Manager(watchdog)
    assert supervise([named("web")], nothing, nothing, manager=manager) == [tick] * 3
    assert manager.heard == ["ready running: web", "alive", "alive", "stopping"]


def test_a_part_that_hangs_stops_the_pings_until_it_gives_a_sign_of_life(caplog):
    time, manager, asked, begun = Time(), Manager(), Event(), Event()
    ask = Event()

    def run(control: Control) -> None:
        begun.set()
        ask.wait(60)
        control.stopping()
        asked.set()
        control.wait(60)

    def later() -> set[int]:
        assert begun.wait(60)
        time.seconds = 100
        return set()

    def again() -> set[int]:
        ask.set()
        assert asked.wait(60)
        return set()

    health, found = ServiceHealth(), []

    def look() -> set[int]:
        found.append(health.is_good())
        return set()

    supervise(
        [named("web", run), named("run", patience=1000)],
        later,
        look,
        again,
        look,
        manager=manager,
        monotonic=time,
        health=health,
    )
    assert found == [False, True]
    problem = "web has given no sign of life for 100 s"
    assert manager.heard == [
        "ready running: web, run", "status hanging: web; running: run", "status running: web, run", "alive", "alive",
        "stopping",

    ]  # fmt: skip
    assert [record.getMessage() for record in caplog.records] == [problem]


def test_a_part_that_crashes_is_started_again_and_the_others_do_not_notice(monkeypatch):
    monkeypatch.setattr(part, "FIRST_DELAY", 0.0)
    runs: list[str] = []
    again = Event()

    def crash(control: Control) -> None:
        runs.append("web")
        if len([each for each in runs if each == "web"]) == 1:
            raise ValueError("a bug")
        again.set()
        control.wait(60)

    def work(control: Control) -> None:
        runs.append("run")
        control.wait(60)

    def until_again() -> set[int]:
        assert again.wait(60)
        return set()

    supervise([named("run", work), named("web", crash)], until_again)
    assert sorted(runs) == ["run", "web", "web"]


def test_a_part_that_waits_to_be_started_again_is_named_and_no_reason_to_restart_everything(monkeypatch):
    manager, begin, resting = Manager(), Event(), Event()

    def rest(control: Control, _: float) -> bool:
        resting.set()
        return control._stop.wait(60)

    def fail(_: Control) -> None:
        begin.wait(60)
        raise StorageError("no database")

    def later() -> set[int]:
        begin.set()
        assert resting.wait(60)
        return set()

    monkeypatch.setattr(Control, "wait", rest)
    supervise([named("web", fail)], later, manager=manager)
    assert manager.heard[-3:] == ["status waiting to be started again: web", "alive", "stopping"]


def test_it_is_ready_when_a_part_says_that_it_has_started():
    manager, begun, go_on, said = Manager(), Event(), Event(), Event()

    def run(control: Control) -> None:
        begun.set()
        go_on.wait(60)
        control.say("waiting for jobs")
        said.set()
        control.wait(60)

    def start() -> set[int]:
        assert begun.wait(60)
        return set()

    def go() -> set[int]:
        assert states(manager) == []
        go_on.set()
        assert said.wait(60)
        return set()

    part = ServicePart(name="worker", run=run, patience=60, doing=STARTING)
    waits = supervise([part], start, go, until_ready(manager, 1), manager=manager)
    assert states(manager) == ["ready waiting for jobs: worker", "stopping"]
    assert waits[0] < 1
    assert waits[-1] == 10


def test_it_is_ready_for_systemd_though_a_part_has_not_started():
    time, manager = Time(), Manager()

    def later() -> set[int]:
        assert states(manager) == []
        time.seconds = 61
        return set()

    part = ServicePart(name="worker", run=waiting(), patience=3600, doing=STARTING)
    supervise([part], later, until_ready(manager, 1), manager=manager, monotonic=time)
    assert states(manager) == ["ready starting: worker", "stopping"]


def test_a_reload_replaces_adds_and_ends_parts_and_is_over_when_all_have_taken_it():
    manager, taken, added = Manager(), Event(), Event()
    ended: list[str] = []

    def leave(control: Control) -> None:
        control.wait(60)
        ended.append("bounces")

    supervise(
        [named("run"), named("bounces", leave)],
        lambda: {signal.SIGHUP},
        until(taken.is_set, added.is_set),
        until_ready(manager, 2),
        manager=manager,
        reload=lambda: [named("run", waiting(taken)), named("web", waiting(added))],
    )
    assert states(manager) == ["ready running: run, bounces", "reloading", "ready running: run, web", "stopping"]
    assert ended == ["bounces"]


def test_a_configuration_that_is_not_valid_changes_nothing():
    manager, begun = Manager(), []

    def run(control: Control) -> None:
        begun.append(True)
        control.wait(60)

    supervise([named("run", run)], lambda: {signal.SIGHUP}, until_ready(manager, 2), manager=manager)
    assert begun == [True]
    assert states(manager) == ["ready running: run", "reloading", "ready running: run", "stopping"]


def test_a_reload_that_crashes_changes_nothing(caplog):
    def crash() -> None:
        raise ValueError("a bug")

    manager = Manager()
    supervise([named("run")], lambda: {signal.SIGHUP}, until_ready(manager, 2), manager=manager, reload=crash)
    assert states(manager) == ["ready running: run", "reloading", "ready running: run", "stopping"]
    assert "reload: failed" in caplog.text


def test_a_signal_during_a_reload_reads_the_configuration_once_more():
    manager, begun, go_on = Manager(), Event(), Event()
    loads: list[bool] = []

    def load() -> None:
        loads.append(True)
        begun.set()
        go_on.wait(60)

    def again() -> set[int]:
        assert begun.wait(60)
        return {signal.SIGHUP}

    def finish() -> set[int]:
        go_on.set()
        return set()

    ready = until_ready(manager, 2)
    supervise([named("run")], lambda: {signal.SIGHUP}, again, again, finish, ready, manager=manager, reload=load)
    assert loads == [True, True]


def test_a_reload_that_hangs_does_not_keep_the_process_from_stopping():
    begun, end = Event(), Event()

    def hang() -> None:
        begun.set()
        end.wait(60)

    supervise([named("run")], lambda: {signal.SIGHUP}, until(begun.is_set), reload=hang)
    end.set()


def test_a_reload_is_finished_for_systemd_though_a_part_is_still_at_work():
    time, manager, asked, end = Time(), Manager(), Event(), Event()

    def work(control: Control) -> None:
        control.wait(60)
        asked.set()
        end.wait(60)

    def later() -> set[int] | None:
        if not asked.is_set():
            return None
        time.seconds = 61
        return set()

    supervise(
        [named("run", work, patience=1000)],
        lambda: {signal.SIGHUP},
        later,
        until_ready(manager, 2),
        manager=manager,
        monotonic=time,
        reload=lambda: [named("run", patience=1000)],
        on_stop=end.set,
    )
    assert states(manager) == ["ready running: run", "reloading", "ready running: run", "stopping"]


def test_at_the_end_the_time_is_limited_before_the_parts_are_asked():
    order: list[str] = []

    def run(control: Control) -> None:
        control.wait(60)
        order.append("stopped")

    supervise([named("run", run)], on_stop=lambda: order.append("limited"))
    assert order == ["limited", "stopped"]


def test_signals_are_waited_for_and_handlers_put_back():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    with waiting_for_signals() as signals:
        assert signals(0) == set()
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals(60) == {signal.SIGHUP}
        other = Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
        other.start()
        assert signals(60) == {signal.SIGTERM}
        other.join()
    assert before == {number: signal.getsignal(number) for number in before}
