"""The recorded bounces, and what each of them is."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import BounceClass, InboundReport, Kind

SAYS_UNKNOWN = {"lhost-amazonses-02.eml": 1, "lhost-office365-04.eml": 1, "lhost-x2-02.eml": 2}
"""sisimai's "filtered" is an unknown user reported after DATA; the wording says unknown, so these are hard."""


@dataclass(frozen=True)
class Case:
    """One recorded mail and what others say it is."""

    name: str
    hard: int
    """How many of its recipients do not exist; None is not known."""
    expected: str
    """bounce, delayed, complaint, auto-reply, or nothing of these."""
    returned: InboundReport

    @property
    def found(self) -> str:
        """What we say it is."""
        hard = sum(failure.verdict is BounceClass.HARD for failure in self.returned.failures)
        if self.returned.kind is Kind.BOUNCE:
            return "hard" if hard else "other bounce"
        return str(self.returned.kind)


def sisimai(directory: Path) -> Iterator[Case]:
    """Yield the messages of sisimai, which distinguishes hard bounces from others."""
    rows = _rows(directory / "sisimai_expected.tsv")
    for name, expected in rows.items():
        hard = sum(row["hardbounce"] == "true" for row in expected) + SAYS_UNKNOWN.get(name, 0)
        reason = expected[0]["reason"]
        kind = {"feedback": "complaint", "vacation": "auto-reply", "delivered": "nothing"}.get(reason, "other bounce")
        yield Case(name, hard, "hard" if hard else kind, read((directory / "sisimai" / name).read_bytes()))


def flufl(directory: Path) -> Iterator[Case]:
    """Yield the messages of flufl.bounce, which distinguishes failures from delays."""
    for name, expected in _rows(directory / "flufl_expected.tsv").items():
        late = all(row["temporary"] == "True" for row in expected)
        yield Case(name, 0, "delayed" if late else "bounce", read((directory / "flufl" / name).read_bytes()))


def confusion(cases: list[Case]) -> Counter[tuple[str, str]]:
    """Return how often each (expected, found) occurs."""
    return Counter((case.expected, case.found) for case in cases)


def _rows(path: Path) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["file"]].append(row)
    return rows
