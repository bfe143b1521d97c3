"""What a probe finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a finding needs something done."""

    OK = "ok"
    SKIP = "skip"
    """Not examined, and why."""
    WARN = "warn"
    """Emails arrive, but something should be changed, or could not be found out."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFinding:
    """One line of the report."""

    probe: str
    severity: Severity
    text: str
    fix: str = ""
    """What to do, as a sentence without a full stop; empty if nothing has to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Examines one thing. `run` may raise anything, and may take long."""

    name: str
    run: Callable[[], Iterable[ProbeFinding]]


def ok(probe: str, text: str) -> ProbeFinding:
    """Return a finding that all is well."""
    return ProbeFinding(probe=probe, severity=Severity.OK, text=text)


def skip(probe: str, text: str) -> ProbeFinding:
    """Return a finding that something was not examined."""
    return ProbeFinding(probe=probe, severity=Severity.SKIP, text=text)


def warn(probe: str, text: str, fix: str = "") -> ProbeFinding:
    """Return a finding that something should be changed."""
    return ProbeFinding(probe=probe, severity=Severity.WARN, text=text, fix=fix)


def fail(probe: str, text: str, fix: str = "") -> ProbeFinding:
    """Return a finding that emails do not arrive, or that readers cannot do what they should."""
    return ProbeFinding(probe=probe, severity=Severity.FAIL, text=text, fix=fix)
