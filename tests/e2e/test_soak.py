"""Twelve simulated days of `digestmail up` with faults: one email a day for every reader, and nothing leaks.

`make bench BENCH=soak_up` simulates 60 days with a run every hour.
"""

from __future__ import annotations

import importlib
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAYS, WARM_UP = 12, 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open descriptors are counted in /proc, as on Linux")
def test_twelve_days_with_faults_lose_nothing_repeat_nothing_and_leak_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    soak = importlib.import_module("benchmarks.soak_up")
    rhythm = soak.Rhythm(run=timedelta(hours=6), look=timedelta(hours=1))
    found = soak.simulated(tmp_path, DAYS, 3, rhythm)
    missed = {each.name: each for each in soak.judge(found, WARM_UP) if not each.holds and each.unit != "MB"}
    assert missed == {}, capsys.readouterr().err
    assert 0 < found.editions < DAYS, "there were days with and without news"
    assert {"429", "500", "truncated", "stall", "refused"} <= found.source_faults.keys()
    assert {
        "deferred",
        "refused",
        "dropped before the message",
        "dropped after the message",
    } <= found.mail_faults.keys()
    flat = {"workers", "connection_leases", "rates", "servers", "host_limits", "sources", "source_health"}
    for name in flat:
        counts = [day.rows[name] for day in found.days[WARM_UP - 1 :]]
        assert max(counts) <= counts[0] + 8, (name, counts)
