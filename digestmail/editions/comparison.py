"""Compares the editions of two replays of a digest, as readers of all topics get them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.selection.segments import for_all_topics


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPaper:
    """A paper that one or both configurations send."""

    paper_id: PaperId
    title: str
    link: str
    old_topic: str | None = None
    """The topic it appears under; None if it is not in the edition, or matches no topic."""
    new_topic: str | None = None
    other_slot: str | None = None
    """The slot in which the other configuration sends it, if that is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCount:
    """How many papers appear under a topic; `topic` is None for papers that match none."""

    topic: str | None
    old: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotComparison:
    """What two configurations send in a slot."""

    slot: str
    day: date
    both: tuple[ComparedPaper, ...]
    only_old: tuple[ComparedPaper, ...]
    only_new: tuple[ComparedPaper, ...]
    topics: tuple[TopicCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestComparison:
    """What two configurations send in a period. `both`, `only_old` and `only_new` count papers, whatever their slot."""

    digest: str
    old_editions: int
    """The number of editions with papers."""
    new_editions: int
    both: int
    only_old: int
    only_new: int
    topics: tuple[TopicCount, ...]
    slots: tuple[SlotComparison, ...]


@dataclass(frozen=True, slots=True)
class _Sent:
    title: str
    link: str
    topic: str | None


def compare_editions(name: str, old: Sequence[Edition], new: Sequence[Edition]) -> DigestComparison:
    """Compare the editions of digest `name` slot by slot, or day by day if the schedules have no slot in common."""
    sides = _by_slot(old, new)
    topics = tuple(dict.fromkeys(topic for edition in (*old[-1:], *new[-1:]) for topic in edition.topics))
    slots_of = [{paper: slot for slot, sent in side.items() for paper in sent} for side in sides]
    slots = tuple(
        _compare_slot(slot, [side.get(slot, {}) for side in sides], slots_of, topics)
        for slot in sorted(sides[0].keys() | sides[1].keys())
    )
    before, after = (frozenset(one) for one in slots_of)
    return DigestComparison(
        digest=name,
        old_editions=sum(bool(edition.entries) for edition in old),
        new_editions=sum(bool(edition.entries) for edition in new),
        both=len(before & after),
        only_old=len(before - after),
        only_new=len(after - before),
        topics=tuple(_counts(_topics(sides[0].values()), _topics(sides[1].values()), topics)),
        slots=slots,
    )


def _by_slot(old: Sequence[Edition], new: Sequence[Edition]) -> list[dict[str, dict[PaperId, _Sent]]]:
    """Return what each side sends, by slot, or by day if the two share no slot."""
    shared = {edition.slot.key for edition in old} & {edition.slot.key for edition in new}
    sides: list[dict[str, dict[PaperId, _Sent]]] = [{}, {}]
    for side, editions in zip(sides, (old, new), strict=True):
        for edition in editions:
            key = edition.slot.key if shared else edition.slot.day.isoformat()
            side.setdefault(key, {}).update(_sent(edition))
    return sides


def _sent(edition: Edition) -> Iterator[tuple[PaperId, _Sent]]:
    for section in for_all_topics(edition):
        for entry in section.entries:
            yield entry.paper.id, _Sent(title=entry.paper.title, link=entry.paper.link, topic=section.topic)


def _compare_slot(
    slot: str,
    sides: Sequence[Mapping[PaperId, _Sent]],
    slots_of: Sequence[Mapping[PaperId, str]],
    topics: Sequence[str],
) -> SlotComparison:
    old, new = sides
    return SlotComparison(
        slot=slot,
        day=date.fromisoformat(slot[:10]),
        both=tuple(_compared(paper, old[paper], new[paper]) for paper in new if paper in old),
        only_old=tuple(_compared(paper, old[paper], None, slots_of[1].get(paper)) for paper in old if paper not in new),
        only_new=tuple(_compared(paper, None, new[paper], slots_of[0].get(paper)) for paper in new if paper not in old),
        topics=tuple(_counts(_topics([old]), _topics([new]), topics)),
    )


def _compared(paper_id: PaperId, old: _Sent | None, new: _Sent | None, other_slot: str | None = None) -> ComparedPaper:
    known = new or old
    assert known is not None  # noqa: S101 - at least one side sends it
    return ComparedPaper(
        paper_id=paper_id,
        title=known.title,
        link=known.link,
        old_topic=old.topic if old else None,
        new_topic=new.topic if new else None,
        other_slot=other_slot,
    )


def _topics(sent: Iterable[Mapping[PaperId, _Sent]]) -> Counter[str | None]:
    return Counter(one.topic for papers in sent for one in papers.values())


def _counts(old: Counter[str | None], new: Counter[str | None], topics: Sequence[str]) -> Iterator[TopicCount]:
    for topic in (*topics, None):
        if old[topic] or new[topic] or topic is not None:
            yield TopicCount(topic=topic, old=old[topic], new=new[topic])
