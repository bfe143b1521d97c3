r"""Letters that TeX spells with macros: `\'e`, `\ss`, `\char"00E9`, and Greek letters that some cleaning tore."""

from __future__ import annotations

import re

from digestmail.text.tex_math import SYMBOLS, read_formula

ACCENTED = re.compile(r"\\['\"`^~=.] ?(?:\{\\?[A-Za-z]\}|[A-Za-z]|\\[ij](?![A-Za-z]))")
_LETTER_ACCENT = re.compile(r"\\[bcdHkruv](?:\{\\?[A-Za-z]\}| [A-Za-z](?=[a-z]))")
_LETTERS = frozenset(
    ("aa", "AA", "ae", "AE", "dh", "DH", "dj", "DJ", "i", "j", "l", "L", "ng", "NG", "o", "O", "oe", "OE", "ss", "TH")
)
_AFTER_LETTER = re.compile(r"\{\}| (?=[a-z])|(?=[}\\.,;:?!'\"-]|$)")
# Accents that some cleaning made of Greek letters: \r{ho} was \rho.
_TORN_GREEK = re.compile(r"\\([a-z])\{([a-z]{1,6})\}")
_GREEK = frozenset(name for name, text in SYMBOLS.items() if "\u0391" <= text <= "\u03c9" and name.isalpha())
_CHARACTER = re.compile(r'\\char"([0-9A-F]{2,4})(?![0-9A-F]) ?')


def letter_with_argument(text: str, start: int) -> tuple[str, int] | None:
    """Return the letter that the macro at `start` makes of what follows, and where that ends; None if it makes none."""
    character = _CHARACTER.match(text, start)
    if character and chr(int(character[1], 16)).isprintable():
        return chr(int(character[1], 16)), character.end()
    torn = _TORN_GREEK.match(text, start)
    if torn and torn[1] + torn[2] in _GREEK:
        return SYMBOLS[torn[1] + torn[2]], torn.end()
    accent = _LETTER_ACCENT.match(text, start)
    return (read_formula(accent[0]) or accent[0], accent.end()) if accent else None


def letter(name: str, text: str, start: int, end: int) -> tuple[str, int] | None:
    """Return the letter called `name`, whose macro is `text[start:end]`, and where it ends; None if there is none."""
    if name not in _LETTERS:
        return None
    after = _AFTER_LETTER.match(text, end)
    return (SYMBOLS[name], after.end()) if after else (text[start:end], end)
