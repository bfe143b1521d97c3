"""Determines what a subscriber gets of an edition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from digestmail.model.editions import Edition, Segment
from digestmail.model.papers import PaperId
from digestmail.model.selection import Entry, PersonalSection, Section

_Placed = Iterable[tuple[str | None, Entry]]


def for_all_topics(edition: Edition) -> tuple[Section, ...]:
    """Return the sections for subscribers of all topics, as in the archive."""
    return for_segment(edition, (), frozenset())


def paper_count(edition: Edition) -> int:
    """Return how many papers of an edition subscribers of all topics get. It contains more for those of one topic."""
    return sum(len(section.entries) for section in for_all_topics(edition))


def for_page(edition: Edition, topic: str | None) -> tuple[Section, ...] | None:
    """Return what the archive shows: everything, or one topic; None if the edition has no such topic.

    The empty topic is what matches none.
    """
    if topic is None:
        return for_all_topics(edition)
    found = next((section for section in alone(edition) if (section.topic or "") == topic), None)
    return None if found is None else (found,)


def alone(edition: Edition) -> Iterator[Section]:
    """Yield each topic as readers of only that topic get it, then what matches none."""
    for topic in edition.topics:
        yield from for_segment(edition, (topic,), ())
    yield from (section for section in for_all_topics(edition) if section.topic is None)


def for_segment(edition: Edition, topics: Sequence[str], without: Collection[PaperId]) -> tuple[Section, ...]:
    """Return the sections for subscribers who chose `topics` (empty means all) and received the papers `without`.

    Each paper is in the section of its best matching chosen topic. Papers are added by rank up to the limits of the
    edition: `max_per_topic` for each section (for the last one unless the digest has no topics), `max_papers` for all
    sections together. Papers over a limit are counted in `more` of their section. The last section, with papers that
    match no topic, is only for subscribers of all topics.
    """
    limits = edition.limits
    per_section = limits.max_per_topic if edition.topics else limits.max_papers
    taken: dict[str | None, list[Entry]] = {}
    more: Counter[str | None] = Counter()
    room = limits.max_papers
    for topic, entry in _placed(edition.entries, topics):
        if entry.paper.id in without:
            continue
        section = taken.setdefault(topic, [])
        if room and len(section) < per_section:
            section.append(entry)
            room -= 1
        else:
            more[topic] += 1
    for beyond in edition.beyond:
        if not topics or any(topic in topics for topic in beyond.topics):
            more[_best(beyond.topics, topics)] += beyond.papers
    return tuple(_in_order(edition, taken, more))


def committed(edition: Edition, segment: Segment) -> tuple[Section, ...]:
    """Return the sections of a stored segment, with exactly its papers."""
    kept = frozenset(segment.paper_ids)
    taken: dict[str | None, list[Entry]] = {}
    for topic, entry in _placed(edition.entries, segment.topics):
        if entry.paper.id in kept:
            taken.setdefault(topic, []).append(entry)
    return tuple(_in_order(edition, taken, dict(segment.more)))


def with_picks(sections: tuple[Section, ...], picked: PersonalSection | None, most: int) -> tuple[Section, ...]:
    """Return `picked`, then `sections` without its papers; at most `most` papers altogether.

    To stay within `most`, the lowest-ranked papers of `sections` are left out and counted in `more`.
    """
    if picked is None:
        return sections
    taken = {entry.paper.id for entry in picked.entries}
    others = [entry for section in sections for entry in section.entries if entry.paper.id not in taken]
    room = max(most - len(picked.entries), 0)
    kept = {entry.rank for entry in sorted(others, key=lambda entry: entry.rank)[:room]}
    left = (_without_picks(section, taken, kept) for section in sections)
    return (picked, *sorted((section for section in left if section.entries), key=_best_first))


def _without_picks(section: Section, taken: Collection[PaperId], kept: Collection[int]) -> Section:
    others = [entry for entry in section.entries if entry.paper.id not in taken]
    entries = tuple(entry for entry in others if entry.rank in kept)
    return replace(section, entries=entries, more=section.more + len(others) - len(entries))


def matching(edition: Edition, topics: Sequence[str]) -> frozenset[PaperId]:
    """Return the papers of an edition that match `topics`, ignoring limits."""
    return frozenset(entry.paper.id for _, entry in _placed(edition.entries, topics))


def _placed(entries: Iterable[Entry], topics: Sequence[str]) -> _Placed:
    """Yield (topic, entry with that topic's match first) for every entry that matches `topics`."""
    for entry in entries:
        if not topics:
            yield (entry.match.topic if entry.match else None), entry
            continue
        under = next((match for match in entry.matches if match.topic in topics), None)
        if under is not None:
            others = tuple(match for match in entry.matches if match is not under)
            yield under.topic, replace(entry, matches=(under, *others))


def _best(matched: Sequence[str], topics: Sequence[str]) -> str | None:
    return next((topic for topic in matched if not topics or topic in topics), None)


def _in_order(
    edition: Edition, taken: Mapping[str | None, Sequence[Entry]], more: Mapping[str | None, int]
) -> Iterator[Section]:
    sections = [
        Section(topic=topic, entries=tuple(taken[topic]), more=more.get(topic, 0))
        for topic in (*edition.topics, None)
        if taken.get(topic)
    ]
    yield from sorted(sections, key=_best_first)


def _best_first(section: Section) -> tuple[bool, int]:
    """Order sections by their best paper. Papers that match no topic come last, however good they are."""
    return section.topic is None, section.entries[0].rank
