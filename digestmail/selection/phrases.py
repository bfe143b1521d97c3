"""Finds keywords in papers: literal phrases, regardless of case, hyphens and plurals.

Spaces and hyphens are equivalent, a hyphen may be missing ("pre-training" finds "pretraining"), and the last word may
be singular or plural. Phrases start and end at word boundaries, except in scripts without spaces between words. No
character is special: "C++" and "R&D" match literally.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digestmail.selection.tokenize import Text, spelled, words_of

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Japanese, Chinese
    r"\u1100-\u11ff\uac00-\ud7af"  # Korean, whose particles are attached to the word
)
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_GAP = re.compile(r"([\s-]+)")
_EDGES = re.compile(r"^[\s-]+|[\s-]+$")
_NOWHERE = frozenset({""})
"""No text contains an empty word."""
_FIRST_OR_LAST = re.compile(rf"\w(?<![{_UNSPACED}])")
"""A letter or digit that would extend an adjacent word."""
_SIBILANTS = ("s", "x", "z", "ch", "sh", "o")
_SHORTEST_PLURAL = 4
_NEVER_PLURAL = frozenset({"news", "lens", "gas", "physics", "mathematics", "species", "series"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A compiled keyword. Without `pattern`, it matches if one of `words` occurs."""

    written: str
    words: frozenset[str]
    """A text without any of these words does not contain the phrase; empty if words cannot decide."""
    pattern: re.Pattern[str] | None


def compile_phrase(keyword: str) -> Phrase:
    """Compile `keyword`. A keyword without letters, digits or symbols matches nothing."""
    phrase = _EDGES.sub("", spelled(keyword))
    if not phrase:
        return Phrase(written=keyword, words=_NOWHERE, pattern=None)
    if words_of(phrase) == [phrase] and not _HAS_UNSPACED.search(phrase):
        return Phrase(written=keyword, words=_forms(phrase), pattern=None)
    parts = _GAP.split(phrase)
    pattern = "".join(_gap(part) if index % 2 else re.escape(part) for index, part in enumerate(parts))
    if ending := _last_word(phrase):
        forms = "|".join(sorted(map(re.escape, _forms(ending)), key=lambda form: (-len(form), form)))
        pattern = f"{pattern.removesuffix(re.escape(ending))}(?:{forms})"
    return Phrase(written=keyword, words=_first_words(parts), pattern=re.compile(_bordered(phrase, pattern)))


def is_empty(phrase: Phrase) -> bool:
    """Return whether the phrase contains no letters, digits or symbols, so that it occurs nowhere."""
    return phrase.words == _NOWHERE


def occurs_in(phrase: Phrase, text: Text) -> bool:
    """Return whether the phrase occurs in the title, abstract or the paper's keywords."""
    if phrase.words and text.words.keys().isdisjoint(phrase.words):
        return False
    if phrase.pattern is None:
        return True
    return phrase.pattern.search(text.title) is not None or phrase.pattern.search(text.body) is not None


def occurs_in_title(phrase: Phrase, text: Text) -> bool:
    """Return whether the phrase occurs in the title."""
    if phrase.words and phrase.words.isdisjoint(text.title_words):
        return False
    return phrase.pattern is None or phrase.pattern.search(text.title) is not None


def count(phrase: Phrase, text: Text) -> int:
    """Return how often the phrase occurs in the abstract and the paper's keywords."""
    if not occurs_in(phrase, text):
        return 0
    if phrase.pattern is None:
        return sum(text.words[word] for word in phrase.words) - 2 * count_in_title(phrase, text)
    return len(phrase.pattern.findall(text.body))


def count_in_title(phrase: Phrase, text: Text) -> int:
    """Return how often the phrase occurs in the title."""
    if not occurs_in_title(phrase, text):
        return 0
    if phrase.pattern is None:
        return sum(word in phrase.words for word in words_of(text.title))
    return len(phrase.pattern.findall(text.title))


def _gap(separator: str) -> str:
    return r"[\s-]*" if "-" in separator else r"[\s-]+"


def _last_word(phrase: str) -> str:
    """Return the word whose plural also matches, if the phrase ends in one."""
    words = words_of(phrase)
    return words[-1] if words and phrase.endswith(words[-1]) and not _HAS_UNSPACED.search(words[-1]) else ""


def _bordered(phrase: str, pattern: str) -> str:
    before = r"(?<!\w)" if _FIRST_OR_LAST.match(phrase[0]) else ""
    after = r"(?!\w)" if _FIRST_OR_LAST.match(phrase[-1]) else ""
    return f"{before}{pattern}{after}"


def _first_words(parts: list[str]) -> frozenset[str]:
    """Return words of which every text with the phrase contains at least one, or nothing if there are none.

    This is the first word of the phrase. If a hyphen follows it, which a text may omit, it is also the joined word.
    `parts` are the words of the phrase and, at odd positions, the separators.
    """
    if _HAS_UNSPACED.search("".join(parts)):
        return frozenset()
    found: set[str] = set()
    joined = ""
    for index in range(0, len(parts), 2):
        words = words_of(parts[index])
        if not words:
            break
        is_last = index == len(parts) - 1
        found.update(joined + form for form in (_forms(words[0]) if is_last else (words[0],)))
        joined += words[0]
        if is_last or words[0] != parts[index] or "-" not in parts[index + 1]:
            break
    return frozenset(found)


def _forms(word: str) -> frozenset[str]:
    """Return an English noun with its plurals and its possible singular. Forms that are not words do no harm."""
    forms = {word, f"{word}s"}
    if word.endswith(_SIBILANTS):
        forms.add(f"{word}es")
    if word.endswith("y"):
        forms.add(f"{word[:-1]}ies")
    if word.endswith("is"):
        forms.add(f"{word[:-2]}es")
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word in _NEVER_PLURAL:
        return frozenset(forms)
    if not word.endswith(("ss", "us", "is")):
        forms.add(word[:-1])
    if word.endswith("es") and word[:-2].endswith(_SIBILANTS):
        forms.update((word[:-2], f"{word[:-2]}is"))
    if word.endswith("ies"):
        forms.add(f"{word[:-3]}y")
    return frozenset(forms)
