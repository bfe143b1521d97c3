r"""Regular expressions that search a paper in time linear to its length, whatever the pattern and the text are.

Patterns have the syntax of Rust's regex crate (https://docs.rs/regex/latest/regex/#syntax), which is close to RE2's: no
look-around and no references to groups. `\b`, `\w`, `\d` and `\s` know Unicode. Upper and lower case differ unless the
pattern starts with `(?i)`. Pydantic brings this engine along (https://docs.pydantic.dev/latest/api/config/, under
`regex_engine`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from pydantic_core import SchemaError, SchemaValidator, core_schema

from digestmail.model.papers import Paper

MOST_CHARACTERS = 1000
"""In a pattern with all counted repetitions written out: `a{3}` has three. It bounds the time for each character."""
_LONGEST_MESSAGE = 80
_UNLIKELY = "\ue000"
"""A character for private use, which no sensible pattern is about."""
_TOKEN = re.compile(
    r"\\[pPxuU]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}|.", re.DOTALL
)
"""An escaped character, a class, a counted repetition, or a single character."""
_REPEATED = "write a backslash before a *, +, ? or { of the text"
_HINTS = {
    "look-around": "write a second pattern instead, or combine block and keep",
    "backreferences": "write the text again instead",
    "unclosed group": "write \\( for a bracket of the text",
    "unopened group": "write \\) for a bracket of the text",
    "unclosed character class": "write \\[ for a bracket of the text",
    "incomplete escape sequence": "write \\\\ for a backslash of the text",
    "unrecognized escape sequence": "write \\z for the end of the text, and \\x{00e9} for a character by its number",
    "unrecognized flag": "the flags are i, m, s, x, U and u; comments and conditions are not possible",
    "repetition operator missing": _REPEATED,
    "unclosed counted repetition": _REPEATED,
    "repetition quantifier expects": _REPEATED,
    "Compiled regex exceeds size limit": "repeat smaller parts, or split it into several patterns",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regular expression."""

    written: str
    search: Callable[[str], bool]
    """Returns whether the pattern matches somewhere in a text."""


def compile_pattern(written: str) -> Pattern:
    """Compile a regular expression. Raises ValueError, which says what to write instead."""
    composed = _composed(written)
    if len(composed) > MOST_CHARACTERS:
        raise ValueError(f"longer than {MOST_CHARACTERS} characters: split it into several patterns")
    try:
        schema = core_schema.str_schema(pattern=composed, regex_engine="rust-regex", strict=True)
        search = SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        raise ValueError(f"not a regular expression: {_explained(str(error))}") from error
    _check_repetitions(composed)
    if search("") and search(_UNLIKELY):
        raise ValueError("it matches every paper, because it matches nothing at all: look for a stray | or *")
    return Pattern(written=written, search=search)


def finds(pattern: Pattern, paper: Paper) -> bool:
    """Return whether the pattern matches somewhere in the title or in the abstract."""
    return pattern.search(_composed(paper.title)) or pattern.search(_composed(paper.abstract))


def _composed(text: str) -> str:
    """Return `text` with accents as part of their letters, so that it does not matter how an é is encoded."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _explained(message: str) -> str:
    """Return the last line of the engine's message, which says what is wrong, with what to do about it."""
    said = message.splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
    hint = next((hint for start, hint in _HINTS.items() if said.startswith(start)), "docs/sources.md has examples")
    return f"{said[:_LONGEST_MESSAGE]}; {hint}"


def _check_repetitions(pattern: str) -> None:
    """Raise ValueError if a valid pattern repeats too much, or repeats a repetition, as "C++" does by mistake."""
    written_out = [0]
    """Characters of the open groups, outermost first."""
    last, repeats = 0, False
    for token in _TOKEN.finditer(pattern):
        text, in_group = token[0], len(written_out) > 1
        if text in {"*", "+"} and repeats:
            raise ValueError(f"not a regular expression: it repeats a repetition; {_REPEATED}")
        if text == "(":
            written_out.append(0)
            last = 0
        elif text == ")" and in_group:
            last = written_out.pop()
            written_out[-1] += last
        elif token["least"]:
            times = int(token["most"] or token["least"])
            written_out[-1] += last * (times - 1)
            last *= times
        elif text not in {"*", "+", "?"}:
            written_out[-1] += 1
            last = 1
        repeats = bool(token["least"]) or (text in {"*", "+", "?"} and last > 0)
    if sum(written_out) > MOST_CHARACTERS:
        repeated = f"longer than {MOST_CHARACTERS} characters with its repetitions written out"
        raise ValueError(f"{repeated}: repeat smaller parts, or split it into several patterns")
