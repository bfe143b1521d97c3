"""Checks what a language model wrote about a paper against the texts of the paper, in any language. Pure.

An abstract is written by strangers, and may make a model write what its author wants. So a summary is shown only if it
is plain text of a limited length, leads nowhere, brings in no numbers, and is written like the language that was asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from digestmail.text.hidden import talks_to_a_model, without_hidden
from digestmail.text.numbers import foreign_numbers

LONGEST_SENTENCE: Final = 320
LONGEST_POINT: Final = 200
_SHORTEST: Final = 8
_ADDRESS: Final = re.compile(
    r"://|\bwww\b|\b(?:mailto|javascript|data|tel):\S"
    r"|[^\W_]\.[^\W\d_][\w-]*[^\W_]|[a-z0-9]\u3002[a-z]{2}"  # a domain, or a full stop without a space behind it
    r"|(?<!\w)@\w|\w@(?!\d|k\b|\s)"  # but Recall@10 and pass@k
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b|\+\d[\d ()/-]{6,}",
    re.IGNORECASE,
)
_MARKUP: Final = re.compile(
    r"</?[a-z!?]|&#?\w{1,31};|\]\s*\(|\[\[|```|\*\*|__|~~|^\s*(?:#{1,6}|>)\s|\\[a-z([{]|\$[^$\d][^$]*\$|\{\{|\}\}|\{%",
    re.IGNORECASE,
)
_JSON: Final = re.compile(r"[\"'](?:sentence|points)[\"']\s*:", re.IGNORECASE)
_EXCUSE: Final = re.compile(
    r"\A(?:i(?:'|\u2019)?m sorry|i am sorry|sorry\b|i can(?:no|'|\u2019)t\b|i cannot\b|i(?:'|\u2019)m unable|sure[,!]"
    r"|certainly[,!]|of course[,!]|here (?:is|are)\b|here(?:'|\u2019)s\b|okay[,!]|no abstract|the abstract is missing)",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(
    r"\.\.\.\s*\Z|\A\W*\Z|\b(?:lorem ipsum|your (?:sentence|point)|first point)\b", re.IGNORECASE
)
_WORD: Final = re.compile(r"[^\W\d_]{5,}")
_STEM: Final = 5
_LEAST_SHARED: Final = 0.4
_FEWEST_WORDS: Final = 4
_LEAST_IN_SCRIPT: Final = 0.4
_NAMES_OF: Final = {
    "HAN": ("CJK",),
    "JAPANESE": ("CJK", "HIRAGANA", "KATAKANA"),
    "KOREAN": ("HANGUL", "CJK"),
}
"""Scripts whose letters do not all have one name."""
_ENGLISH: Final = re.compile(r"\b(?:the|of|and|to|in|we|that|is|with|for|on|are)\b")
_WORDS_PER_ENGLISH: Final = 8
"""Of so many words of an English text, at least one is among the most frequent ones."""


def problem_of(sentence: str, points: tuple[str, ...], source: str, *, language: str, script: str) -> str | None:
    """Return why a summary must not be shown, None if nothing is wrong with it.

    `source` is the title and abstract as the model got them, `language` the IETF tag that it was asked for, and
    `script` the first word of the Unicode names of its letters, such as `LATIN` or `HEBREW`.
    """
    texts = (sentence, *points)
    for text, longest in ((sentence, LONGEST_SENTENCE), *((point, LONGEST_POINT) for point in points)):
        if (problem := next(_problems(text, longest), None)) is not None:
            return problem
    together = " \n ".join(texts)
    if numbers := foreign_numbers(together, source):
        return f"the number {numbers[0]} is not in the abstract"
    if len(set(map(str.casefold, texts))) < len(texts):
        return "it repeats itself"
    if not _is_in_script(together, script):
        return f"it is not written in the script of the language {language}"
    if language.partition("-")[0].lower() == "en" and _is_english(source) and _shared(together, source) < _LEAST_SHARED:
        return "it has little to do with the abstract"
    return None


def _problems(text: str, longest: int) -> Iterator[str]:
    if len(text) > longest:
        yield f"a text has more than {longest} characters"
    if len(text) < _SHORTEST or _PLACEHOLDER.search(text):
        yield "a text says nothing"
    if without_hidden(text) != text:
        yield "it contains control characters or invisible characters"
    normal = unicodedata.normalize("NFKC", text)
    if _ADDRESS.search(normal) or _ADDRESS.search(text):
        yield "it contains an address"
    if _MARKUP.search(normal) or _JSON.search(normal):
        yield "it contains markup"
    if talks_to_a_model(normal) or _EXCUSE.search(normal):
        yield "it is not about the paper"


def _is_in_script(text: str, script: str) -> bool:
    """Return whether enough letters are of the script. Names and terms may be in another, but not most of the text."""
    letters = [one for one in text if one.isalpha()]
    if not letters:
        return False
    matching = sum(unicodedata.name(one, "").startswith(_NAMES_OF.get(script, (script,))) for one in letters)
    return matching / len(letters) >= _LEAST_IN_SCRIPT


def _is_english(source: str) -> bool:
    words = len(re.findall(r"[^\W\d_]+", source))
    return words > 0 and len(_ENGLISH.findall(source.lower())) * _WORDS_PER_ENGLISH >= words


def _shared(text: str, source: str) -> float:
    """Return the share of the longer words of `text` that begin like a word of `source`; 1 if there are few."""
    stems = {word[:_STEM] for word in _WORD.findall(source.lower())}
    words = [word[:_STEM] for word in _WORD.findall(text.lower())]
    return 1.0 if len(words) < _FEWEST_WORDS else sum(word in stems for word in words) / len(words)
