"""Decides whether a paper matches a topic, how strongly, and because of which words.

Each of these is evidence e for a topic, and the strength of the match is 1 - (1 - e1)(1 - e2)...: more evidence makes
it stronger, up to 1, so that topics with many and with few keywords are comparable.

- The probability that the paper is about the topic, if a model was learned (`selection/topic_model.py`). Otherwise the
  topic's keywords in the paper, and the similarity of its text to the topic's description (`selection/similarity.py`).
- One of the topic's categories or authors.

A paper matches if the strength is at least the topic's `min_strength`, and always if it is in one of the categories or
has one of the authors. A paper with an excluded phrase in title, abstract or keywords never matches.

- Keywords are literal phrases, see `selection/phrases.py`.
- Categories and entire archives, see `selection/categories.py`.
- Authors: full names, see `selection/authors.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from digestmail.model.digests import Topic
from digestmail.model.papers import Paper
from digestmail.model.selection import TopicMatch
from digestmail.selection.authors import Name, compile_name, named
from digestmail.selection.categories import compile_category, places
from digestmail.selection.phrases import Phrase, compile_phrase, occurs_in, occurs_in_title
from digestmail.selection.similarity import Similarity
from digestmail.selection.terms import written
from digestmail.selection.tokenize import Text
from digestmail.selection.topic_model import FAINTEST, Judgement

_KEYWORD_IN_TITLE = 0.7
_KEYWORD_IN_BODY = 0.5
# What the operator names outright counts no less than what is learned, most of which is over 0.9.
_PRIMARY_CATEGORY = 0.9
_OTHER_CATEGORY = 0.8
_AUTHOR = 0.99


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A topic, compiled for matching many papers."""

    topic: Topic
    keywords: tuple[Phrase, ...]
    words: frozenset[str] | None
    """A text without any of these words contains no keyword; None if words cannot decide."""
    exclude: tuple[Phrase, ...]
    categories: tuple[str, ...]
    authors: tuple[Name, ...]


def compile_rule(topic: Topic) -> TopicRule:
    """Compile `topic` for matching many papers."""
    keywords = tuple(compile_phrase(keyword) for keyword in topic.keywords)
    words = frozenset[str]().union(*(phrase.words for phrase in keywords))
    return TopicRule(
        topic=topic,
        keywords=keywords,
        words=words if all(phrase.words for phrase in keywords) else None,
        exclude=tuple(compile_phrase(keyword) for keyword in topic.exclude),
        categories=tuple(compile_category(category) for category in topic.categories),
        authors=tuple(compile_name(author) for author in topic.authors),
    )


def match(
    rule: TopicRule, paper: Paper, text: Text, similarity: Similarity, judgement: Judgement | None = None
) -> TopicMatch | None:
    """Return the evidence that `paper` is about the topic, or None. `admits` decides whether it is enough.

    `text` is the paper's text, `judgement` what the topic's model says, if there is one. Exclusions are not checked.
    """
    found = _found(rule, text)
    within = places(rule.categories, paper)
    authors = named(rule.authors, paper)
    words: tuple[str, ...] = ()
    if judgement is not None:
        proof = [judgement.probability]
    else:
        in_words = [_KEYWORD_IN_TITLE if occurs_in_title(phrase, text) else _KEYWORD_IN_BODY for phrase in found]
        proof, words = [*in_words, similarity.value], similarity.words
    proof += [_OTHER_CATEGORY if place else _PRIMARY_CATEGORY for place in within] + [_AUTHOR for _ in authors]
    strength = 1 - math.prod(1 - weight for weight in proof)
    if strength < FAINTEST and not (within or authors):
        return None
    if judgement is not None and strength >= rule.topic.min_strength:
        words = written(judgement.terms, text)
    return TopicMatch(
        topic=rule.topic.name,
        strength=strength,
        keywords=tuple(phrase.written for phrase in found),
        categories=tuple(paper.categories[place] for place in within),
        authors=authors,
        probability=None if judgement is None else judgement.probability,
        similarity=similarity.value,
        words=words,
    )


def admits(rule: TopicRule, found: TopicMatch) -> bool:
    """Return whether the evidence is enough for a match."""
    return found.strength >= rule.topic.min_strength or bool(found.categories or found.authors)


def excluded_by(rule: TopicRule, text: Text) -> str | None:
    """Return the first excluded phrase in the text."""
    return next((phrase.written for phrase in rule.exclude if occurs_in(phrase, text)), None)


def _found(rule: TopicRule, text: Text) -> list[Phrase]:
    # Most papers contain none of a topic's words, so this avoids checking each keyword.
    if rule.words is not None and text.words.keys().isdisjoint(rule.words):
        return []
    return [phrase for phrase in rule.keywords if occurs_in(phrase, text)]
