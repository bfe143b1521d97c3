"""Find keywords in papers: literal phrases, tolerant of case, hyphens and plurals.

Case does not matter, spaces and hyphens are the same, a hyphen may be missing ("pre-training" finds "pretraining"), the
last word may be singular or plural. Phrases begin and end at word borders, except in scripts that put no spaces between
words. Nothing in a keyword has a special meaning: "C++" and "R&D" are what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digestmail.selection.tokenize import Text, spelled, words_of

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Japanese, Chinese
    r"\u1100-\u11ff\uac00-\ud7af"  # Korean, whose particles stick to the word
)
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_GAP = re.compile(r"([\s-]+)")
_EDGES = re.compile(r"^[\s-]+|[\s-]+$")
_NOWHERE = frozenset({""})
"""No text has an empty word."""
_FIRST_OR_LAST = re.compile(rf"\w(?<![{_UNSPACED}])")
"""A letter or digit that another one next to it would make part of a longer word."""
_SIBILANTS = ("s", "x", "z", "ch", "sh", "o")
_SHORTEST_PLURAL = 4
_NEVER_PLURAL = frozenset({"news", "lens", "gas", "physics", "mathematics", "species", "series"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A keyword, ready to be looked for. Without `pattern`, one of `words` occurring is proof."""

    written: str
    words: frozenset[str]
    """If none of these words is in a text, neither is the phrase; empty if words do not tell."""
    pattern: re.Pattern[str] | None


def compile_phrase(keyword: str) -> Phrase:
    """Return `keyword` ready to be looked for. One without letters, digits or symbols occurs nowhere."""
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


def occurs_in(phrase: Phrase, text: Text) -> bool:
    """Return whether the phrase occurs in title, abstract or the paper's keywords."""
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


def _gap(separator: str) -> str:
    return r"[\s-]*" if "-" in separator else r"[\s-]+"


def _last_word(phrase: str) -> str:
    """Return the word whose plural is to be found too, if the phrase ends in one."""
    words = words_of(phrase)
    return words[-1] if words and phrase.endswith(words[-1]) and not _HAS_UNSPACED.search(words[-1]) else ""


def _bordered(phrase: str, pattern: str) -> str:
    before = r"(?<!\w)" if _FIRST_OR_LAST.match(phrase[0]) else ""
    after = r"(?!\w)" if _FIRST_OR_LAST.match(phrase[-1]) else ""
    return f"{before}{pattern}{after}"


def _first_words(parts: list[str]) -> frozenset[str]:
    """Return the words one of which every text with the phrase has, or nothing if there are none to go by.

    It is the phrase's first word; with a hyphen behind it, which a text may leave out, also what it is joined to then.
    `parts` are the words of the phrase and, at odd places, what separates them.
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
    """Return an English noun with its plurals and what could be its singular; what is no word does no harm."""
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
