"""How benchmarks report: a JSON line for each figure, and a table on standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A figure, its target, and whether the target is met."""

    name: str
    value: float
    unit: str
    aim: str
    holds: bool


def figure(name: str, value: float, unit: str, direction: Literal["<=", ">="], aim: float) -> Figure:
    """Return a figure whose aim is a bound."""
    holds = value <= aim if direction == "<=" else value >= aim
    return Figure(name=name, value=round(value, 3), unit=unit, aim=f"{direction} {aim:g}", holds=holds)


def tell(figures: list[Figure]) -> None:
    """Print the figures."""
    width = max(len(found.name) for found in figures)
    for found in figures:
        print(json.dumps(asdict(found)))
        verdict = "holds" if found.holds else "MISSED"
        sys.stderr.write(
            f"{found.name.ljust(width)}  {found.value:>12,.3f} {found.unit:<12} {found.aim:<10} {verdict}\n"
        )
