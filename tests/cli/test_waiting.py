from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeClock

from digestmail.app import App
from digestmail.cli import waiting
from digestmail.cli.waiting import run_while_waiting
from digestmail.model.reports import DigestReport, PublishReport, RunReport

MINUTE = timedelta(minutes=1)
DONE, BUSY = RunReport(), RunReport(busy=True)


def waits(until: datetime) -> RunReport:
    one = DigestReport(digest="daily", status="waiting", missing=("arxiv",), waits_until=until)
    return RunReport(publish=PublishReport(digests=(one, DigestReport(digest="weekly", status="not-due"))))


class Runs:
    """Gives the scripted reports, and records when it was called."""

    def __init__(self, clock: FakeClock, *reports: RunReport) -> None:
        self.clock = clock
        self.reports = list(reports)
        self.minutes: list[int] = []

    def __call__(self) -> RunReport:
        self.minutes.append(round((self.clock.now() - THURSDAY) / MINUTE))
        return self.reports.pop(0)


UNTIL = THURSDAY + 25 * MINUTE


@pytest.mark.parametrize(
    ("reports", "minutes"),
    [
        ([DONE], [0]),
        ([BUSY], [0]),  # the other process publishes
        ([waits(UNTIL), DONE], [0, 10]),
        ([waits(UNTIL), waits(UNTIL), waits(UNTIL), DONE], [0, 10, 20, 25]),  # at the deadline
        ([waits(UNTIL), BUSY, DONE], [0, 10, 20]),
        ([waits(UNTIL), BUSY, BUSY, BUSY], [0, 10, 20, 25]),
    ],
)
def test_a_run_that_waits_is_repeated_until_nothing_waits(reports, minutes):
    clock = FakeClock()
    runs = Runs(clock, *reports)
    assert list(run_while_waiting(runs, clock, lambda: False)) == reports
    assert runs.minutes == minutes


def test_a_signal_ends_the_wait_within_seconds():
    clock = FakeClock()
    runs = Runs(clock, waits(UNTIL), DONE)
    said = list(run_while_waiting(runs, clock, lambda: clock.now() > THURSDAY + MINUTE))
    assert len(said) == 1
    assert clock.now() - THURSDAY <= MINUTE + timedelta(seconds=5)


def test_the_report_says_what_waits_and_until_when():
    published = waits(UNTIL).publish
    assert (published.waiting, published.waits_until) == (("daily",), UNTIL)
    assert (PublishReport().waiting, PublishReport().waits_until) == ((), None)


CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
wait_for = ["hf"]
"""


@pytest.mark.parametrize(("words", "runs"), [((), 1), (("--wait",), 3), (("--wait", "--dry-run"), 1)])
def test_only_with_the_option_a_command_stays_and_it_prints_a_report_for_each_run(tmp_path, monkeypatch, words, runs):
    (tmp_path / "config.toml").write_text(CONFIG)
    reports = iter([waits(datetime(2190, 1, 1, tzinfo=UTC)), BUSY, DONE])
    monkeypatch.setattr(App, "run", lambda *_, **__: next(reports))
    monkeypatch.setattr(waiting, "_sleep", lambda *_: None)
    said = digestmail(tmp_path, "run", *words)
    assert [line.split()[0] for line in said.splitlines() if "daily" in line or "another" in line] == (
        ["publish", "another"][: max(runs - 1, 1)]
    )
    assert said.count("deliver ") == (2 if runs == 3 else 1)
    assert "publish  daily: waiting" in said
