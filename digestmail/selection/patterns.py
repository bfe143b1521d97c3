r"""Regular expressions that search a paper in time linear to its length, whatever the pattern and the text are.

Patterns have the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), as in Miniflux. It is Python's without
look-around and references to groups. `\b`, `\w`, `\d` and `\s` know ASCII only; `\pL` is any letter. Upper and lower
case differ unless the pattern starts with `(?i)`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from digestmail.model.papers import Paper

LONGEST_PATTERN = 1000
"""In characters. It keeps patterns readable; what bounds the time of a search is the next limit."""
_LARGEST_PROGRAM = 10_000
"""In instructions of RE2. A search takes at most this number times the length of the text."""
_LONGEST_MESSAGE = 80
_UNLIKELY = "\ue000"
"""A character for private use, which no sensible pattern is about."""
_TOO_LARGE = "pattern too large"
_HINTS = {
    "invalid perl operator: (?": "look-around, comments, conditions and the flag x are not possible",
    "invalid escape sequence: \\Z": "write \\z for the end of the text",
    "invalid escape sequence: \\u": "write \\x{00e9} for a character by its number",
    "invalid escape sequence: \\N": "write \\x{00e9} for a character by its number",
    "missing )": "write \\( for a bracket of the text",
    "unexpected )": "write \\) for a bracket of the text",
    "missing ]": "write \\[ for a bracket of the text",
    "trailing \\": "write \\\\ for a backslash of the text",
    "no argument for repetition operator": "write a backslash before a *, + or ? of the text",
    "bad repetition operator": "write a backslash before a *, + or ? of the text",
    "invalid repetition size": "a part can be repeated at most 1000 times, nested repetitions included",
    _TOO_LARGE: "repeat smaller parts, or split it into several patterns",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regular expression."""

    written: str
    search: Callable[[str], object]
    """Returns a value that is true if the pattern matches somewhere in a text."""


def compile_pattern(written: str) -> Pattern:
    """Compile a regular expression. Raises ValueError, which says what to write instead."""
    # RE2 takes longer to import than most configurations take to load, and most have no patterns.
    import re2

    options = re2.Options()
    options.log_errors = False  # it would write to standard error
    options.never_capture = True
    try:
        compiled = re2.compile(_composed(written), options)
    except re2.error as error:
        raise ValueError(_explained(error.args[0])) from error
    if compiled.programsize > _LARGEST_PROGRAM:
        raise ValueError(_explained(_TOO_LARGE))
    search = cast("Callable[[str], object]", compiled.search)
    if search("") and search(_UNLIKELY):
        raise ValueError("it matches every paper, because it matches nothing at all: look for a stray | or *")
    return Pattern(written=written, search=search)


def finds(pattern: Pattern, paper: Paper) -> bool:
    """Return whether the pattern matches somewhere in the title or in the abstract."""
    return bool(pattern.search(_composed(paper.title)) or pattern.search(_composed(paper.abstract)))


def _composed(text: str) -> str:
    """Return `text` with accents as part of their letters, so that it does not matter how an é is encoded."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _explained(message: bytes | str) -> str:
    """Return RE2's message, which is bytes, with what to do about it."""
    said = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
    said = said if len(said) <= _LONGEST_MESSAGE else f"{said[:_LONGEST_MESSAGE]}..."
    if said.startswith("invalid escape sequence: \\") and said[-1:].isdigit():
        return f"not a pattern in RE2's syntax: {said}; references to groups are not possible"
    hint = next((hint for start, hint in _HINTS.items() if said.startswith(start)), "docs/sources.md has examples")
    return f"not a pattern in RE2's syntax: {said}; {hint}"
