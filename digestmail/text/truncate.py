"""Shortening texts: at the end of a sentence if there is one, else between two words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\bcf)(?<!\bresp)(?<!\bFig)(?<!\bEq)(?<!\bSec)(?<!\b[A-Z])"
    r"[.!?][\"'\u201d\u2019)\]]*(?=\s+[^\sa-z])|[\u3002\uff01\uff1f]"
)


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of `text`, without the spaces between them."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield text[start : end.end()].strip()
        start = end.end()
    if rest := text[start:].strip():
        yield rest


def at_sentence(text: str, limit: int) -> str:
    """Shorten `text` to at most `limit` characters, at a sentence end if one is not too early, else at a word."""
    if len(text) <= limit:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: limit + 2]) if match.end() <= limit]
    if ends and ends[-1] >= limit // 3:
        return text[: ends[-1]]
    return at_word(text, limit)


def at_word(text: str, limit: int) -> str:
    """Shorten `text` to at most `limit` characters, at a space if there is one not too early, and mark the cut."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ") if text[limit - 1] != " " else limit
    if space > limit // 2:
        cut = cut[:space]
    return cut.rstrip(" ,;:.-\u2013\u2014(") + "\u2026"
