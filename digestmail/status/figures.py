"""Figures of the status as text, and as values for SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from digestmail.model.history import RunRecord, SourceDay
from digestmail.status.overview import SourceLine

CELL: Final = 14
"""The width of a day in pixels, with the gap after it."""
_WIDTH, _HEIGHT, _MARGIN = 640, 90, 6
_FEWEST = 3
_STEP = 1000
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A day of a source: the position in pixels, the class that colours it, and what it says."""

    x: int
    kind: str
    """`new`, `quiet`, `partly`, `failed` or `unread`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChart:
    """The size of the database after the last runs, as a line of `width` by `height` pixels."""

    width: int
    height: int
    line: str
    least: int
    most: int


def source_cells(line: SourceLine) -> Iterator[Cell]:
    """Yield a cell for each day of a source, oldest first."""
    for place, day in enumerate(line.days):
        kind = kind_of(day)
        text = "not read"
        if day is not None:
            text = f"{day.day:%a %d %b}: {day.readings} read, {day.failures} failed, {day.new_papers} new"
        yield Cell(x=place * CELL, kind=kind, text=text)


def kind_of(day: SourceDay | None) -> str:
    """Return what a day of a source was like."""
    if day is None or not day.readings:
        return "unread"
    if day.failures:
        return "failed" if day.failures == day.readings else "partly"
    return "new" if day.new_papers else "quiet"


def growth_chart(runs: Sequence[RunRecord]) -> SizeChart | None:
    """Return the chart of the size of the database; None for fewer than three runs whose size is known."""
    known = [run.database_bytes for run in reversed(runs) if run.database_bytes is not None]
    if len(known) < _FEWEST:
        return None
    least, most = min(known), max(known)
    wide, high = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    xs = (_MARGIN + wide * place / (len(known) - 1) for place in range(len(known)))
    ys = (_MARGIN + high * (1 - (count - least) / ((most - least) or 1)) for count in known)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return SizeChart(width=_WIDTH, height=_HEIGHT, line=line, least=least, most=most)


def in_bytes(count: float) -> str:
    """Return a number of bytes in SI units: "1.2 MB"."""
    unit = 0
    while abs(count) >= _STEP and unit < len(_UNITS) - 1:
        count, unit = count / _STEP, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} B"


def share(count: int, total: int) -> str:
    """Return a share in percent, with two digits after the point: a complaint rate of 0.3 % is bad."""
    return f"{100 * count / total:.2f} %" if total else "-"
