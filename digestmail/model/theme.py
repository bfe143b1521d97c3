"""The appearance of a digest's emails: layout, colors, logo, language. Checks that its colors are readable. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

LOWEST_CONTRAST: Final = 4.5
"""WCAG 2.2 success criterion 1.4.3 for text of any size."""
COLOUR_PATTERN: Final = r"^#[0-9a-fA-F]{6}$"
_LINEAR_BELOW: Final = 0.04045


class Layout(StrEnum):
    """How much of each paper an email shows."""

    FULL = "full"
    COMPACT = "compact"
    HEADLINES = "headlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colors as `#rrggbb`. Every text color is used on `card`; those of header and footer are also used on `paper`."""

    paper: str = "#f6f5f2"
    """The background."""
    card: str = "#ffffff"
    """The background of papers."""
    ink: str = "#111827"
    """Headings and titles."""
    text: str = "#1f2937"
    quiet: str = "#4b5563"
    link: str = "#1d4ed8"
    accent: str = "#b45309"
    """Ranks."""
    bar: str = "#f59e0b"
    """The bars of upvotes, always with the number next to them."""
    rule: str = "#e5e7eb"
    """Lines between papers, which are only decorative."""


LIGHT: Final = Palette()
DARK: Final = Palette(
    paper="#0f1115",
    card="#171a21",
    ink="#f3f4f6",
    text="#d7dbe2",
    quiet="#a9b1bd",
    link="#8ab4ff",
    accent="#fbbf24",
    bar="#fbbf24",
    rule="#2b303b",
)

CONTRAST_PAIRS: Final = {
    "ink": ("card", "paper"),
    "text": ("card",),
    "quiet": ("card", "paper"),
    "link": ("card", "paper"),
    "accent": ("card",),
}
"""The background of each text color."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """An image above the title: https, its size in CSS pixels, and its alternative text."""

    url: str
    alt: str
    width: int = 120
    height: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The light and dark colors, and a logo."""

    light: Palette = LIGHT
    dark: Palette = DARK
    logo: Logo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """The appearance of a digest's emails. `language` is an IETF tag with a catalog."""

    layout: Layout = Layout.FULL
    thumbnails: bool = False
    language: str = "en"
    theme: Theme = Theme()


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def invert(palette: Palette) -> Palette:
    """Return the palette as shown by mail programs that force dark mode by inverting all colors."""
    turned = {each.name: _complement(getattr(palette, each.name)) for each in fields(palette)}
    return Palette(**turned)


def contrast_problems(palette: Palette) -> Iterator[tuple[str, str]]:
    """Yield the name of each unreadable text color, with a sentence about it."""
    for name, grounds in CONTRAST_PAIRS.items():
        for ground in grounds:
            ratio = contrast(getattr(palette, name), getattr(palette, ground))
            if ratio < LOWEST_CONTRAST:
                yield name, f"has a contrast of {ratio:.1f}:1 on {ground}; at least {LOWEST_CONTRAST}:1 is needed"


def is_colour(value: object) -> bool:
    """Return whether `value` is a color in the format `#rrggbb`."""
    return isinstance(value, str) and re.fullmatch(COLOUR_PATTERN, value) is not None


def _luminance(colour: str) -> float:
    """Return the relative luminance, 0 to 1 (WCAG 2.2, sRGB)."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= _LINEAR_BELOW else float(((value + 0.055) / 1.055) ** 2.4)


def _complement(colour: str) -> str:
    return f"#{0xFFFFFF - int(colour[1:], 16):06x}"
