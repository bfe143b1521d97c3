"""Wrapping text for the plain part of an email. Pure."""

from __future__ import annotations

from typing import Final

TEXT_WIDTH: Final = 72
"""Characters in a line."""


def wrap(text: str, indent: str = "", hanging: str | None = None) -> str:
    """Wrap `text` to the width of a text email. Long words are not broken.

    The first line begins with `indent`, the others with `hanging`, which is the same unless it is given.
    """
    lines, line = [], indent
    hanging = indent if hanging is None else hanging
    for word in filter(None, text.replace("\n", " ").split(" ")):  # do not break lines at no-break spaces
        if len(line) + len(word) > TEXT_WIDTH and line.strip():
            lines.append(line[:-1])
            line = hanging
        line += f"{word} "
    return "\n".join((*lines, line.rstrip(" ")))
