"""Run probes side by side: each is bounded in time, and none can stop another."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Sequence

from digestmail.doctor.findings import Probe, ProbeFinding, Severity, fail
from digestmail.errors import DigestmailError

log = logging.getLogger("digestmail.doctor")
_Findings = tuple[ProbeFinding, ...]


def run_probes(probes: Sequence[Probe], *, seconds: float) -> _Findings:
    """Return the findings of all probes, in their order.

    A probe that takes longer than `seconds` or that raises an error is a finding itself. Its thread is left behind,
    because nothing can end a thread that waits for a system call.
    """
    results: queue.SimpleQueue[tuple[int, _Findings]] = queue.SimpleQueue()
    for index, probe in enumerate(probes):
        threading.Thread(target=_run, args=(index, probe, results), name=f"doctor {probe.name}", daemon=True).start()
    found: dict[int, _Findings] = {}
    ends = time.monotonic() + seconds
    while len(found) < len(probes):
        try:
            index, findings = results.get(timeout=max(ends - time.monotonic(), 0))
        except queue.Empty:
            break
        found[index] = findings
    late = f"did not finish within {seconds:g} seconds"
    return tuple(
        finding for index, probe in enumerate(probes) for finding in found.get(index, (fail(probe.name, late),))
    )


def has_failed(findings: Iterable[ProbeFinding]) -> bool:
    """Return whether something needs to be done before emails can be sent."""
    return any(finding.severity is Severity.FAIL for finding in findings)


def _run(index: int, probe: Probe, results: queue.SimpleQueue[tuple[int, _Findings]]) -> None:
    try:
        findings = tuple(probe.run())
    except DigestmailError as error:
        findings = (fail(probe.name, str(error)),)
    except Exception as error:
        log.debug("probe %s", probe.name, exc_info=True)
        findings = (fail(probe.name, f"could not be examined: {type(error).__name__}: {error}"),)
    results.put((index, findings))
