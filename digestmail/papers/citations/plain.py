"""Text from feeds on one line, without characters that no bibliography format can hold. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Controls, line and paragraph separators, bidirectional overrides, surrogates and noncharacters.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_NOT_DECOMPOSED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "\u0131": "i", "þ": "th", "ð": "d"}
)
"""Latin letters that Unicode does not decompose into an ASCII letter and an accent."""


def one_line(text: str) -> str:
    """Return `text` on one line, with single spaces and without unprintable characters."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def to_ascii(text: str) -> str:
    """Return `text` in lower case with accents removed; what has no ASCII equivalent is left out."""
    folded = unicodedata.normalize("NFKD", text.lower().translate(_NOT_DECOMPOSED))
    return folded.encode("ascii", "ignore").decode()
