"""Finds block and keep rules that leave no paper, and topics and conditions that no paper can meet. Pure.

A condition is tried on made papers that meet it and have nothing else in common. If `block` leaves out all of them, it
leaves out every paper that meets the condition.
"""

from __future__ import annotations

from collections.abc import Iterator

from digestmail.model.digests import Conditions, FilterRules, Topic
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.selection import Outcome
from digestmail.selection.authors import compile_name
from digestmail.selection.patterns import compile_pattern
from digestmail.selection.rules import PaperFilter, compile_rules, rejection
from digestmail.selection.tokenize import read
from digestmail.selection.topics import compile_rule, excluded_by

_TITLES = ("a {}", "Z {} z", "7 {}", "я {} я", "学 {} 学")
"""Have no letter or digit in common."""


def rule_faults(rules: FilterRules) -> Iterator[str]:
    """Yield what is wrong with the rules of a digest or source: a sentence each without a full stop, with the fix."""
    block, keep = rules.block, rules.keep
    if block is None:
        return
    for written in block.patterns:
        pattern = compile_pattern(written)
        if all(pattern.search(title.format("")) for title in _TITLES):
            yield f"block: the pattern {written!r} matches every paper, so no paper is left: remove it"
            return
    if keep is None:
        return
    blocks = compile_rules(FilterRules(block=block))
    blocked = {name: by for name, papers in _specimens(keep) if (by := _blocked_by(blocks, papers))}
    blocked |= {f"pattern {one!r}": f"pattern {one!r}" for one in keep.patterns if one in block.patterns}
    if len(blocked) == sum(map(len, (keep.words, keep.authors, keep.categories, keep.patterns))):
        every = ", ".join(blocked)
        yield f"block leaves out everything that keep keeps ({every}), so no paper is left: change one of them"
        return
    for name, by in blocked.items():
        yield f"keep: {name} has no effect, because block leaves out such papers ({by}): remove one of the two"


def topic_faults(topic: Topic) -> Iterator[str]:
    """Yield why no paper can match a topic, or one of its keywords: a sentence each as above."""
    if topic.min_strength >= 1 and not (topic.categories or topic.authors):
        yield f"no paper is as strong as min_strength = {topic.min_strength:g}: write 0.9 or less"
    rule = compile_rule(topic)
    for keyword in topic.keywords:
        found = {excluded_by(rule, read(paper)) for paper in _titled(keyword)}
        if None not in found:
            by = ", ".join(repr(phrase) for phrase in sorted(filter(None, found)))
            why = f"because exclude leaves out such papers ({by})"
            yield f"the keyword {keyword!r} has no effect, {why}: remove one of the two"


def is_only_a_name(topic: Topic) -> bool:
    """Return whether nothing but its name says what a topic is about."""
    return not (topic.keywords or topic.categories or topic.authors or topic.description.strip())


def _specimens(keep: Conditions) -> Iterator[tuple[str, list[Paper]]]:
    """Yield each condition but patterns, and papers that meet it."""
    yield from ((f"word {word!r}", _titled(word)) for word in keep.words)
    for author in keep.authors:
        if len(compile_name(author).first) > 1:  # An initial stands for many names.
            yield f"author {author!r}", _titled("", authors=(author,))
    for category in keep.categories:
        yield f"category {category}", _titled("", categories=(category.removesuffix(".*"),))


def _titled(phrase: str, authors: tuple[str, ...] = (), categories: tuple[str, ...] = ()) -> list[Paper]:
    """Return papers whose titles contain a phrase."""
    return [
        Paper(
            id=PaperId(f"specimen:{number}"),
            title=title.format(phrase),
            origin=Origin.FEED,
            link="https://specimen.example/",
            authors=authors,
            categories=categories,
        )
        for number, title in enumerate(_TITLES)
    ]


def _blocked_by(blocks: PaperFilter, papers: list[Paper]) -> str:
    """Return the conditions that leave out all of the papers; empty if one of the papers is left."""
    found = [rejection(blocks, paper, read(paper)) for paper in papers]
    if not all(one is not None and one.outcome is Outcome.BLOCKED for one in found):
        return ""
    return ", ".join(dict.fromkeys(met for one in found if one is not None for met in one.conditions))
