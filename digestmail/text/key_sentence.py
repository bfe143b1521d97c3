"""Finds the sentence of an abstract that states the result, without a model."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from digestmail.text.truncate import sentences

_SHORTEST: Final = 40
_LONGEST: Final = 320
_ENOUGH: Final = 2
_SHOW: Final = r"(?:shows?|demonstrates?|reveals?|indicates?|suggests?|confirms?)"
_CUES: Final = (
    (2, r"\bwe (?:show|find|found|demonstrate|prove|observe|establish|conclude|report)\b"),
    (2, rf"\b(?:results?|experiments?|evaluations?|findings|analys[ei]s|simulations?) (?:\w+ ){{0,4}}?{_SHOW}\b"),
    (2, r"\b(?:outperform|surpass|exceed)(?:s|es|ed|ing)?\b"),
    (1, r"\b(?:achiev|improv|reduc|increas|halv|doubl|yield|attain|reach)(?:e|es|ed|ing|s)?\b"),
    (1, r"\bstate[- ]of[- ]the[- ]art\b"),
    (1, r"\d\s?\\?%|\bpercent\b|\d\s?[x×]\b|\btimes (?:faster|fewer|less|more|smaller)\b"),
    (1, r"\b(?:as a result|overall|in conclusion|remarkably|notably|surprisingly)\b"),
    (
        -1,
        r"^(?:it|they|both)\b|^this [a-z]+s\b|^(?:based on|building on|driven by|with) (?:this|these)\b",
    ),
    (-2, r"\b(?:in this (?:paper|work|article)|we (?:propose|introduce|present|study|investigate|describe))\b"),
    (-2, r"\b(?:however|remains?|has been|have been|existing|previous)\b"),
    (-1, r"\b(?:code|data|dataset|models?) (?:is|are|will be) (?:publicly )?available\b|https?:"),
)
"""Weights of what a sentence may say: a result, a number; that it needs the sentence before it; what the paper is
about, what others did, where the code is."""
_PATTERNS: Final = tuple((weight, re.compile(cue, re.IGNORECASE)) for weight, cue in _CUES)


@lru_cache(maxsize=512)
def key_sentence(abstract: str) -> str | None:
    """Return the sentence that states the result of a paper; None if no sentence clearly does, as in other languages.

    Of equally good sentences, the later one is returned: abstracts end with their results. Results are cached, because
    an email with picks is rendered for one reader.
    """
    best, most = None, _ENOUGH
    for sentence in sentences(abstract):
        if _SHORTEST <= len(sentence) <= _LONGEST and (score := _score(sentence)) >= most:
            best, most = sentence, score
    return best


def _score(sentence: str) -> int:
    return sum(weight for weight, cue in _PATTERNS if cue.search(sentence))
