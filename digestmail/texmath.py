"""TeX in titles and abstracts, made readable as plain text."""

from __future__ import annotations


def readable(text: str) -> str:
    """Return `text` with white space folded."""
    return " ".join(text.split())
