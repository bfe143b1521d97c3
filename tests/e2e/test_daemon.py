from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from fakes import THURSDAY, FakeClock
from websites import open_app

from digestmail.daemon import Daemon, clock_offset
from digestmail.errors import StorageError
from digestmail.model.reports import DeliverReport, DigestReport, PublishReport, RunReport, Stop, never

YEAR = timedelta(days=365)


def test_what_was_planned_by_a_clock_ahead_is_planned_anew(sqlite, tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        scheduler = daemon._scheduler
        scheduler.start(paused=True)
        try:
            for job in scheduler.get_jobs():
                scheduler.modify_job(job.id, next_run_time=datetime.now(UTC) + YEAR)
            daemon.reschedule()
            due = {job.id: job.next_run_time - datetime.now(UTC) for job in scheduler.get_jobs()}
        finally:
            scheduler.shutdown()
    assert set(due) == {"digest daily", "digest weekly", "run", "outbox", "outputs", "upkeep"}
    assert due["outbox"] <= timedelta(minutes=1)
    assert due["run"] <= timedelta(hours=1)
    assert due["digest daily"] <= timedelta(days=1)


class TwoClocks(FakeClock):
    def monotonic(self) -> float:
        return 100.0


def test_a_clock_that_is_set_shows_in_its_distance_from_the_other():
    clock = TwoClocks()
    before = clock_offset(clock)
    clock.time = THURSDAY - YEAR
    assert clock_offset(clock) - before == -YEAR.total_seconds()


def test_the_next_run_of_every_digest_is_said_in_its_own_time_zone(sqlite, tmp_path, caplog):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        daemon._clock = FakeClock(THURSDAY)
        lines = list(daemon._next_runs())
    assert [line.split(":")[0] for line in lines] == ["next run of digest daily", "next run of digest weekly"]
    assert all(line.endswith(digest.schedule.timezone) for line, digest in zip(lines, app.digests, strict=True))


def test_the_watch_gives_a_sign_of_life_only_while_no_work_is_in_progress(sqlite, tmp_path):
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(True)
        return False

    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        waits = iter([False, True])
        daemon = Daemon(app, on_report=lambda _: None, stop=stop, wait=lambda _: next(waits))
        daemon._is_working = True
        daemon._watch_the_clock()
        assert not asked
        waits = iter([False, True])
        daemon._is_working = False
        daemon._watch_the_clock()
    assert asked == [True]


def test_upkeep_that_fails_is_reported_and_stops_nothing(sqlite, tmp_path, caplog, monkeypatch):
    def fail(_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr("digestmail.daemon.tidy", fail)
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)._tidy()
    assert "upkeep failed, and is tried again tomorrow: the disk is full" in caplog.text


def test_while_an_edition_waits_there_is_a_run_every_ten_minutes(sqlite, tmp_path, monkeypatch):
    clock, calls = FakeClock(), []
    reports = {"run": waiting_report("waiting"), "deliver": RunReport()}
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        monkeypatch.setattr(app, "run", lambda *, outputs, stop: calls.append("run") or reports["run"])
        monkeypatch.setattr(app, "deliver", lambda *, stop: calls.append("deliver") or DeliverReport())
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        daemon._clock = clock
        daemon._post(daemon._run_mail)
        for _ in range(12):
            clock.sleep(60)
            daemon._look()
        assert calls == ["run", *["deliver"] * 9, "run", *["deliver"] * 2]
        reports["run"] = waiting_report("published")
        for _ in range(20):
            clock.sleep(60)
            daemon._look()
    assert calls.count("run") == 3


def waiting_report(status: str) -> RunReport:
    return RunReport(publish=PublishReport(digests=(DigestReport(digest="daily", status=status),)))


def test_an_output_that_hangs_holds_up_no_delivery(sqlite, tmp_path, monkeypatch):
    hangs, delivered, over = threading.Event(), threading.Event(), threading.Event()

    def hang(*, stop: Stop) -> DeliverReport:
        hangs.set()
        over.wait(20)
        return DeliverReport()

    def deliver(*, stop: Stop) -> DeliverReport:
        assert hangs.wait(20)
        delivered.set()
        return DeliverReport()

    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        monkeypatch.setattr(app, "send_outputs", hang)
        monkeypatch.setattr(app, "deliver", deliver)
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        scheduler = daemon._scheduler
        scheduler.start(paused=True)
        try:
            for name in ("outputs", "outbox"):
                scheduler.modify_job(name, next_run_time=datetime.now(UTC))
            scheduler.resume()
            assert delivered.wait(20)
            assert not over.is_set()
        finally:
            over.set()
            scheduler.shutdown()


def test_what_fails_in_the_same_way_every_minute_is_said_once_an_hour_and_when_it_is_over(
    sqlite, tmp_path, monkeypatch, caplog
):
    clock, problems = FakeClock(), ["the disk is full"]

    def deliver(*, stop):
        if problems:
            raise StorageError(problems[0])
        return DeliverReport()

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if "delivery" in record.getMessage()]

    caplog.set_level("INFO", "digestmail.daemon")
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        monkeypatch.setattr(app, "deliver", deliver)
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        daemon._clock = clock
        for _ in range(90):
            clock.sleep(60)
            daemon._look()
        assert [line.rpartition(": ")[2] for line in said()] == ["the disk is full"] * 2
        problems[0] = "the database is locked"
        daemon._look()
        assert said()[-1].endswith("the database is locked")
        problems.clear()
        daemon._look()
        daemon._look()
    assert said()[-1] == "the delivery works again"
    assert len(said()) == 4


def test_a_run_that_failed_is_tried_again_after_ten_minutes(sqlite, tmp_path, monkeypatch, caplog):
    clock, calls, problems = FakeClock(), [], ["the database is locked"]

    def run(*, outputs, stop):
        calls.append("run")
        if problems:
            raise StorageError(problems.pop())
        return RunReport()

    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        monkeypatch.setattr(app, "run", run)
        monkeypatch.setattr(app, "deliver", lambda *, stop: calls.append("deliver") or DeliverReport())
        daemon = Daemon(app, on_report=lambda _: None, stop=never, wait=lambda _: True)
        daemon._clock = clock
        daemon._run()
        for _ in range(20):
            clock.sleep(60)
            daemon._look()
    assert calls == ["run", *["deliver"] * 9, "run", *["deliver"] * 10]
    assert "the run failed, and is tried again in ten minutes: the database is locked" in caplog.text
