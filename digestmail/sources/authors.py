"""Authors out of the ways sources write them."""

from __future__ import annotations

from collections.abc import Iterable

from digestmail.texmath import readable


def split_authors(text: str) -> tuple[str, ...]:
    """Return the names in `text`."""
    return clean_names(text.split(","))


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` made readable, each once, in order."""
    return tuple(dict.fromkeys(name for given in names if (name := readable(given))))
