"""Decide whether a paper belongs to a topic, how strongly, and by which words.

A paper belongs to a topic if a keyword occurs in it, it lies in a category, one of its authors is named, or it
resembles the topic's words enough (`selection/similarity.py`). Each of these is proof e, and the strength of the
match is 1 - (1 - e1)(1 - e2)...: more proof makes it stronger, but never stronger than 1, so that topics with many
and with few keywords can be compared. One exclusion in title, abstract or the paper's keywords takes the paper out.

- Keywords are literal phrases, see `selection/phrases.py`. - Categories: "cs.LG", or a whole archive as "cs" or
"cs.*". - Authors: whole names, accents and case aside. First names may be initials on either side and middle names
missing: "T. Dao" and "Tri Dao" are the same. A surname alone names nobody.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from digestmail.model.digests import Topic
from digestmail.model.papers import Paper
from digestmail.model.selection import TopicMatch
from digestmail.selection.phrases import Phrase, compile_phrase, occurs_in, occurs_in_title
from digestmail.selection.similarity import Similarity
from digestmail.selection.tokenize import Text

_KEYWORD_IN_TITLE = 0.6
_KEYWORD_IN_BODY = 0.4
_PRIMARY_CATEGORY = 0.4
_OTHER_CATEGORY = 0.25
_AUTHOR = 0.8

_PLAIN_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A topic, ready to be matched against many papers."""

    topic: Topic
    keywords: tuple[Phrase, ...]
    words: frozenset[str] | None
    """No keyword occurs in a text with none of these words; None if words do not tell."""
    exclude: tuple[Phrase, ...]
    categories: tuple[str, ...]
    authors: tuple[_Name, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    first: str
    """Empty when the name is one word."""
    last: str


def compile_rule(topic: Topic) -> TopicRule:
    """Return `topic` ready to be matched; compile once, match many papers."""
    keywords = tuple(compile_phrase(keyword) for keyword in topic.keywords)
    words = frozenset[str]().union(*(phrase.words for phrase in keywords))
    return TopicRule(
        topic=topic,
        keywords=keywords,
        words=words if all(phrase.words for phrase in keywords) else None,
        exclude=tuple(compile_phrase(keyword) for keyword in topic.exclude),
        categories=tuple(_archive(category) for category in topic.categories),
        authors=tuple(_name(author) for author in topic.authors),
    )


def match(rule: TopicRule, paper: Paper, text: Text, similarity: Similarity) -> TopicMatch | None:
    """Return why `paper` belongs to the rule's topic, or None. `text` is the paper read, exclusions are not asked."""
    found = _found(rule, text)
    places = _places(rule, paper)
    authors = tuple(_named(rule, paper)) if rule.authors else ()
    similar = 0 < similarity.value >= rule.topic.min_similarity
    proof = [
        *(_KEYWORD_IN_TITLE if occurs_in_title(phrase, text) else _KEYWORD_IN_BODY for phrase in found),
        *(_OTHER_CATEGORY if place else _PRIMARY_CATEGORY for place in places),
        *(_AUTHOR for _ in authors),
        *([similarity.value] if similar else []),
    ]
    if not proof:
        return None
    return TopicMatch(
        topic=rule.topic.name,
        strength=1 - math.prod(1 - weight for weight in proof),
        keywords=tuple(phrase.written for phrase in found),
        categories=tuple(paper.categories[place] for place in places),
        authors=authors,
        similarity=similarity.value,
        similar_words=similarity.words if similar else (),
    )


def excluded_by(rule: TopicRule, text: Text) -> str | None:
    """Return the first of the topic's exclusions that occurs in the text."""
    return next((phrase.written for phrase in rule.exclude if occurs_in(phrase, text)), None)


def _found(rule: TopicRule, text: Text) -> list[Phrase]:
    # Most papers have none of a topic's words: asked once, that spares asking for every keyword.
    if rule.words is not None and text.words.keys().isdisjoint(rule.words):
        return []
    return [phrase for phrase in rule.keywords if occurs_in(phrase, text)]


# -- categories ------------------------------------------------------------------------------------------------------


def _archive(category: str) -> str:
    return category.strip().casefold().removesuffix(".*")


def _places(rule: TopicRule, paper: Paper) -> list[int]:
    """Return the places of the paper's categories that are, or lie in, one of the topic's."""
    if not rule.categories:
        return []
    return [place for place, name in enumerate(paper.categories) if _lies_in(name.casefold(), rule.categories)]


def _lies_in(category: str, wanted: tuple[str, ...]) -> bool:
    return any(category == name or category.startswith(f"{name}.") for name in wanted)


# -- authors ---------------------------------------------------------------------------------------------------------


def _named(rule: TopicRule, paper: Paper) -> Iterator[str]:
    """Yield the paper's authors that the topic names."""
    for author in dict.fromkeys(paper.authors):
        name = _name(author)
        if any(_same(wanted, name) for wanted in rule.authors):
            yield author


def _name(author: str) -> _Name:
    surname, comma, given = author.partition(",")
    words = _plain(f"{given} {surname}" if comma else author).replace(".", " ").split()
    return _Name(first=words[0] if len(words) > 1 else "", last=words[-1] if words else "")


def _plain(name: str) -> str:
    """Return a name in lower case and without accents."""
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_PLAIN_LETTERS)


def _same(one: _Name, other: _Name) -> bool:
    if one.last != other.last or not one.last or bool(one.first) != bool(other.first):
        return False
    shorter, longer = sorted((one.first, other.first), key=len)
    return shorter == longer or (len(shorter) == 1 and longer.startswith(shorter))
