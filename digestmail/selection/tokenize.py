"""Text normalized for comparison: letters, hyphens and case, and the words in it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from digestmail.model.papers import Paper

STEM_HEAD = 3
"""Stems have at least this many letters of their word."""

_WORD = re.compile(r"\w+")
_HYPHENS = str.maketrans(dict.fromkeys("_\u2010\u2011\u2012\u2013\u2014\u2212", "-") | {"\u00ad": None})
"""Underscores and all dashes become hyphens; invisible soft hyphens are removed."""
_DOUBLED = re.compile(r"(?<=.{2})([bcdfgmnprt])\1$")
_SUFFIXES = (
    ("ization", 4), ("isation", 4), ("izing", 4), ("ising", 4), ("ized", 4), ("ised", 4), ("izer", 4), ("ize", 4),
    ("ational", 4), ("ation", 4), ("ating", 4), ("ative", 4), ("ated", 4), ("ator", 4), ("ate", 4),
    ("ically", 4), ("ical", 4), ("ic", 4), ("ment", 5), ("ness", 4), ("ality", 5), ("ity", 5),
    ("ion", 4), ("ive", 5), ("ing", 3), ("edly", 4), ("ed", 4), ("er", 5), ("or", 6), ("ly", 4), ("al", 6), ("e", 4),
)  # fmt: skip
"""Endings, and how many letters must remain before them. The first that fits is removed."""
_SHORTEST_STEMMED = 5
_LONGEST_STEMMED = 40
"""Characters. Longer words are no English words, and would make the cache as large as their feed likes."""

_EMPTY_WORDS = """
a about above across after again against all also although among an and any are as at be because been before being
between both but by can cannot could did do does doing done due during each either et etc even every few first for
from further furthermore get given had has have having hence how however i if in instead into is it its itself just
least less let made main make makes making many may means might more moreover most much must near new no nor not now
of off often on once one only onto or other others our out over own per quite rather s same second several shall she
should since so some still such than that the their them then there thereby therefore these they third this those
three through thus to together too toward towards two under until up upon us use used uses using usually various very
via was we well were what when where whereas whether which while who whose why will with within without would yet you
your
"""
_STOP_WORDS = frozenset(_EMPTY_WORDS.split())


@dataclass(frozen=True, slots=True)
class Text:
    """A paper's text, normalized for comparison. `body` is the abstract and the paper's own keywords."""

    title: str
    body: str
    title_words: frozenset[str]
    words: Counter[str]
    """How often each word occurs. A word in the title counts twice."""


def spelled(text: str) -> str:
    """Return `text` normalized for comparison: NFKC, case-folded, with uniform hyphens."""
    if text.isascii():
        return text.lower().replace("_", "-")
    return unicodedata.normalize("NFKC", text).casefold().translate(_HYPHENS)


def words_of(spelled_text: str) -> list[str]:
    """Return the words of a normalized text in order. Words consist of letters and digits."""
    return _WORD.findall(spelled_text)


def title_key(title: str) -> str:
    """Return the letters and digits of a title, by which copies of a paper are recognized; empty if there are none."""
    return "".join(words_of(spelled(title)))


def read(paper: Paper) -> Text:
    """Return the text of a paper, normalized for comparison."""
    # A full stop prevents phrases from matching across the abstract and keywords.
    return read_text(paper.title, " . ".join((paper.abstract, *paper.keywords)))


def read_text(title: str, body: str) -> Text:
    """Return a text, normalized for comparison."""
    title, body = spelled(title), spelled(body)
    title_words = words_of(title)
    return Text(
        title=title,
        body=body,
        title_words=frozenset(title_words),
        words=Counter(words_of(body) + title_words + title_words),
    )


def stem(word: str) -> str:
    """Return an English word without its endings, or an empty string for stop words.

    This is a light stemmer for comparison: "quantized" and "quantization" both become "quant". Words without a known
    ending, such as those of other languages, and very long words are not changed.
    """
    return _stem(word) if len(word) <= _LONGEST_STEMMED else word


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if word in _STOP_WORDS or word.isdecimal() or (len(word) == 1 and word.isascii()):
        return ""
    word = _singular(word)
    if len(word) < _SHORTEST_STEMMED:
        return word
    for suffix, remaining in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= remaining:
            return _DOUBLED.sub(r"\1", word.removesuffix(suffix))
    return word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > len("ies") + STEM_HEAD - 1:
        return word.removesuffix("ies") + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > STEM_HEAD:
        return word.removesuffix("s")
    return word
