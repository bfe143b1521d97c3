"""Every fault of the replay server with every source: the others are delivered, the health shows why, nothing hangs."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from replaying import Replay, needs_shared, replaying

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.model.papers import Health
from digestmail.model.reports import RunReport
from digestmail.subscribers import admin

pytestmark = needs_shared

TIMEOUT = 2.0
SLOW = {"gzip-bomb": 90.0}
"""Faults the replay server itself needs long to make: it packs a gigabyte for each request."""
BOMB_MB = 200
"""Allowed while a bomb is read with everything else of the run; unpacked, it alone is a thousand."""

CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["127.0.0.1"]
timeout = {timeout}
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{url}"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
base_url = "{url}"
categories = ["cs.CL"]
[[sources]]
name = "api"
kind = "arxiv-api"
base_url = "{url}"
categories = ["cs.MA"]
[[sources]]
name = "other"
kind = "feed"
url = "{url}/atom/cs.IR"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 11 * * *"
sources = ["huggingface", "arxiv", "api", "other"]
max_papers = 20
max_per_topic = 20
"""

ROUTES = {"huggingface": "/api/daily_papers", "arxiv": "/rss", "api": "/api/query", "other": "/atom"}

ONE_OF = {
    "403": {Health.REFUSED, Health.THROTTLED},
    "404": {Health.REFUSED},
    "406": {Health.REFUSED, Health.THROTTLED},
    "429": {Health.THROTTLED},
    "500": {Health.UNAVAILABLE},
    "503": {Health.THROTTLED},
    "rate-exceeded": {Health.THROTTLED, Health.UNREADABLE},
    "empty": {Health.UNREADABLE},
    "truncate": {Health.PARTIAL, Health.UNREADABLE},
    "garbage": {Health.UNREADABLE},
    "stall": {Health.UNAVAILABLE},
    "slow": {Health.UNAVAILABLE},
    "gzip-bomb": {Health.REFUSED, Health.UNREADABLE},
    "entity-bomb": {Health.UNREADABLE},
    "redirect-private": {Health.REFUSED},
    "redirect-loop": {Health.REFUSED, Health.UNAVAILABLE, Health.UNREADABLE},
}


@pytest.fixture(scope="module")
def replay():
    with replaying("2026-04-02") as running:
        yield running


class RealWaitsShortened(SystemClock):
    """The real clock, moved to a day of the replay, and waiting takes no time."""

    def __init__(self, day: int) -> None:
        super().__init__(datetime(2026, 4, day, 11, 30, tzinfo=UTC))

    def sleep(self, seconds: float) -> None:
        del seconds


def run(replay: Replay, directory: Path, timeout: float = TIMEOUT, day: int = 2) -> tuple[RunReport, float]:
    path = directory / "config.toml"
    path.write_text(CONFIG.format(url=replay.url, timeout=timeout), "utf-8")
    began, clock = time.monotonic(), RealWaitsShortened(day)
    with App(load(path), directory, clock, wall_clock=clock) as app:
        admin.add(app.database, app.digests, "reader@example.org", "daily", (), app.clock.now())
        return app.run(), time.monotonic() - began


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """The most that was allocated at once since the block began, in MiB; the process's own past does not count."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] / 1024 / 1024
    finally:
        tracemalloc.stop()


def costs_only_its_own(replay: Replay, directory: Path, fault: str, source: str) -> None:
    """Run with a fault in one source, and check the others, the edition and the delivery."""
    replay.control(faults={ROUTES[source]: fault})
    try:
        report, seconds = run(replay, directory, SLOW.get(fault, TIMEOUT))
    finally:
        replay.control(faults={ROUTES[source]: None})
    by_name = {row.source: row for row in report.collect.sources}
    assert by_name[source].health[0].health in ONE_OF[fault], by_name[source].health[0]
    assert by_name[source].health[0].detail
    for name in set(ROUTES) - {source}:
        assert by_name[name].health[0].health is Health.FRESH, by_name[name].health[0]
        assert by_name[name].entries > 0
    (digest,) = report.publish.digests
    assert digest.status == "published"
    assert report.deliver.sent == 1
    assert seconds < SLOW.get(fault, TIMEOUT) * 3 + 8


@pytest.mark.parametrize("source", ROUTES)
@pytest.mark.parametrize("fault", [fault for fault in ONE_OF if not fault.endswith("-bomb")])
def test_a_fault_costs_only_its_own_source(replay, tmp_path, fault, source):
    costs_only_its_own(replay, tmp_path, fault, source)


@pytest.mark.parametrize("source", ROUTES)
@pytest.mark.parametrize("fault", [fault for fault in ONE_OF if fault.endswith("-bomb")])
def test_a_bomb_costs_only_its_own_source_and_is_never_unpacked(replay, tmp_path, fault, source):
    with peak_memory() as peak:
        costs_only_its_own(replay, tmp_path, fault, source)
        assert peak() < BOMB_MB


def test_a_stale_feed_is_called_stale_though_its_dates_are_of_today(replay, tmp_path):
    replay.control(today="2026-04-01")
    run(replay, tmp_path, day=1)
    replay.control(today="2026-04-02", faults={"/rss": "stale"})
    try:
        report, _ = run(replay, tmp_path)
    finally:
        replay.control(faults={"/rss": None})
    arxiv = next(row for row in report.collect.sources if row.source == "arxiv")
    assert arxiv.health[0].health is Health.STALE
    assert [row.category for row in arxiv.health] == ["", "cs.CL"]
