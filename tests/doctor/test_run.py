"""Probes side by side: one that fails or hangs stops no other."""

from __future__ import annotations

import threading

from digestmail.doctor.findings import Probe, ProbeFinding, Severity, fail, ok, warn
from digestmail.doctor.run import has_failed, run_probes
from digestmail.errors import TransportError


def raising(error: Exception):
    raise error


def hanging(end: threading.Event) -> list[ProbeFinding]:
    end.wait()
    return []


def half(name: str):
    yield ok(name, "so far")
    raise OSError("gone")


def test_findings_come_in_the_order_of_the_probes():
    first_may_end = threading.Event()

    def slow() -> list[ProbeFinding]:
        first_may_end.wait()
        return [ok("slow", "done")]

    def quick() -> list[ProbeFinding]:
        first_may_end.set()
        return [ok("quick", "one"), warn("quick", "two")]

    found = run_probes([Probe(name="slow", run=slow), Probe(name="quick", run=quick)], seconds=30)
    assert [f"{one.probe} {one.text}" for one in found] == ["slow done", "quick one", "quick two"]


def test_an_error_is_a_finding_and_the_others_go_on():
    found = run_probes(
        [
            Probe(name="ours", run=lambda: raising(TransportError("no route"))),
            Probe(name="bug", run=lambda: raising(KeyError("x"))),
            Probe(name="half", run=lambda: half("half")),
            Probe(name="well", run=lambda: [ok("well", "yes")]),
        ],
        seconds=30,
    )
    assert [(one.severity, one.text) for one in found] == [
        (Severity.FAIL, "no route"),
        (Severity.FAIL, "could not be examined: KeyError: 'x'"),
        (Severity.FAIL, "could not be examined: OSError: gone"),
        (Severity.OK, "yes"),
    ]


def test_a_probe_that_hangs_is_left_behind():
    end = threading.Event()
    try:
        found = run_probes(
            [
                Probe(name="hangs", run=lambda: hanging(end)),
                Probe(name="well", run=lambda: [ok("well", "")]),
            ],
            seconds=0.2,
        )
    finally:
        end.set()
    assert [(one.probe, one.severity) for one in found] == [("hangs", Severity.FAIL), ("well", Severity.OK)]
    assert "did not finish within 0.2 seconds" in found[0].text


def test_only_a_failure_counts_as_one():
    assert not has_failed([ok("a", ""), warn("b", "")])
    assert has_failed([ok("a", ""), fail("b", "")])
