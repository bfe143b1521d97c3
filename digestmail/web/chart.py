"""Computes a small chart of upvotes over time, which the template draws as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from digestmail.model.archive import StoredSighting

WIDTH: Final = 640
HEIGHT: Final = 140
_MARGIN: Final = 12
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A data point: its position in pixels, and its label."""

    x: float
    y: float
    upvotes: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A line chart of `width` by `height` pixels. `area` is the polygon below the line."""

    width: int
    height: int
    dots: tuple[Dot, ...]
    line: str
    area: str


def chart(sightings: Sequence[StoredSighting]) -> Chart | None:
    """Return the chart for the source with the most upvotes, or None for fewer than two data points."""
    by_source: dict[str, list[tuple[datetime, int]]] = {}
    for row in sightings:
        if row.signals.upvotes is not None:
            by_source.setdefault(row.source, []).append((row.seen_at, row.signals.upvotes))
    readings = max(by_source.values(), key=lambda rows: (len(rows), rows[-1][1]), default=[])
    if len(readings) < _FEWEST:
        return None
    first, last = readings[0][0], readings[-1][0]
    span = (last - first).total_seconds() or 1.0
    most = max(upvotes for _, upvotes in readings) or 1
    inner_width, inner_height = WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN
    dots = tuple(
        Dot(
            x=round(_MARGIN + inner_width * (at - first).total_seconds() / span, 1),
            y=round(_MARGIN + inner_height * (1 - max(upvotes, 0) / most), 1),
            upvotes=upvotes,
            at=at,
        )
        for at, upvotes in readings
    )
    line = " ".join(f"{dot.x},{dot.y}" for dot in dots)
    ground = HEIGHT - _MARGIN
    area = f"{dots[0].x},{ground} {line} {dots[-1].x},{ground}"
    return Chart(width=WIDTH, height=HEIGHT, dots=dots, line=line, area=area)
