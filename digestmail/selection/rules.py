"""Applies block and keep rules: a paper that matches `block` is left out, and one that does not match `keep`.

`block` wins over `keep`, and the order of conditions does not matter. The rules of a source say which papers do not
count as shown by this source; another source can still bring them. The rules of a digest hold for all of its papers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from digestmail.model.digests import Conditions, FilterRules
from digestmail.model.papers import Mentioned, Paper
from digestmail.model.selection import Outcome, Rejection
from digestmail.selection.authors import Name, compile_name, named
from digestmail.selection.categories import compile_category, places
from digestmail.selection.patterns import Pattern, compile_pattern, finds
from digestmail.selection.phrases import Phrase, compile_phrase, occurs_in
from digestmail.selection.tokenize import Text, read


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """Rules, compiled for many papers."""

    block: _Compiled | None
    keep: _Compiled | None


@dataclass(frozen=True, slots=True)
class _Compiled:
    words: tuple[Phrase, ...]
    authors: tuple[Name, ...]
    categories: tuple[str, ...]
    patterns: tuple[Pattern, ...]


def compile_rules(rules: FilterRules) -> PaperFilter:
    """Compile `rules` for many papers. Raises ValueError if a pattern is invalid."""
    return PaperFilter(
        block=None if rules.block is None else _compile(rules.block),
        keep=None if rules.keep is None else _compile(rules.keep),
    )


def rejection(paper_filter: PaperFilter, paper: Paper, text: Text) -> Rejection | None:
    """Return why rules leave `paper` out, or None if they do not. `text` is the paper's text."""
    block, keep = paper_filter.block, paper_filter.keep
    if block is not None and (met := tuple(_met(block, paper, text))):
        return Rejection(outcome=Outcome.BLOCKED, conditions=met)
    if keep is not None and next(_met(keep, paper, text), None) is None:
        return Rejection(outcome=Outcome.NOT_KEPT)
    return None


def compile_sources(source_rules: Iterable[tuple[str, FilterRules]]) -> dict[str, PaperFilter]:
    """Compile the rules of sources, by name."""
    return {source: compile_rules(rules) for source, rules in source_rules}


def admit(mentioned: Iterable[Mentioned], filters: Mapping[str, PaperFilter]) -> Iterator[Mentioned]:
    """Yield the papers with those mentions that count by the rules of their sources; no papers without mentions."""
    for one in mentioned:
        rejected = rejected_by(one.paper, [mention.source for mention in one.mentions], filters)
        counting = tuple(mention for mention in one.mentions if mention.source not in rejected)
        if counting:
            yield replace(one, mentions=counting) if rejected else one


def rejected_by(paper: Paper, sources: Iterable[str], filters: Mapping[str, PaperFilter]) -> dict[str, Rejection]:
    """Return those of `sources` for which `paper` does not count as shown, and why."""
    ruled = [source for source in sources if source in filters]
    if not ruled:
        return {}
    text = read(paper)
    found = ((source, rejection(filters[source], paper, text)) for source in ruled)
    return {source: one for source, one in found if one is not None}


def _compile(conditions: Conditions) -> _Compiled:
    return _Compiled(
        words=tuple(map(compile_phrase, conditions.words)),
        authors=tuple(map(compile_name, conditions.authors)),
        categories=tuple(map(compile_category, conditions.categories)),
        patterns=tuple(map(compile_pattern, conditions.patterns)),
    )


def _met(conditions: _Compiled, paper: Paper, text: Text) -> Iterator[str]:
    """Yield each condition that holds, with what it found."""
    yield from (f"word {phrase.written!r}" for phrase in conditions.words if occurs_in(phrase, text))
    yield from (f"author {author!r}" for author in named(conditions.authors, paper))
    yield from (f"category {paper.categories[place]}" for place in places(conditions.categories, paper))
    yield from (f"pattern {pattern.written!r}" for pattern in conditions.patterns if finds(pattern, paper))
