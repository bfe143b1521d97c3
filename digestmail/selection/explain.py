"""Explains in plain English why a paper was selected or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from digestmail.model.digests import Limits
from digestmail.model.editions import Edition
from digestmail.model.papers import Mention, PaperId
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Decision, Outcome, Rejection, Score, TopicMatch
from digestmail.selection.newness import OLDEST_NEWS, is_old
from digestmail.selection.segments import for_segment


def reasons(decision: Decision, limits: Limits) -> tuple[str, ...]:
    """Return the reasons for `decision`, one sentence each without a full stop, the outcome first.

    `limits` are those of the decision.
    """
    return (_outcome(decision, limits), *grounds(decision))


def grounds(decision: Decision) -> tuple[str, ...]:
    """Return what the outcome rests on: topics, score and rank, one sentence each without a full stop."""
    return (*_topics(decision), *_ranking(decision))


def place_of(match: TopicMatch | None) -> str:
    """Return under which topic a paper stands."""
    return f"under {match.topic!r}" if match else "among the papers without a topic"


def readers(edition: Edition, paper_id: PaperId) -> Iterator[str]:
    """Yield which subscribers of `edition` get a paper, one sentence each without a full stop."""
    entry = next((entry for entry in edition.entries if entry.paper.id == paper_id), None)
    if entry is None:
        return
    under = _section_of(edition, paper_id, ())
    if under is not None and not edition.topics:
        return
    if under is None:
        yield f"subscribers of all topics do not get it: the limits are reached before rank {entry.rank}"
    else:
        yield f"subscribers of all topics get it {under}"
    alone = [match.topic for match in entry.matches]
    for topic in alone:
        gets = _section_of(edition, paper_id, (topic,)) is not None
        yield f"subscribers who chose only {topic!r} {'get it' if gets else 'do not get it: others rank higher'}"


def no_reader(edition: Edition, paper_id: PaperId) -> str:
    """Return why no subscriber got a paper of `edition`, as the end of a sentence."""
    entry = next(entry for entry in edition.entries if entry.paper.id == paper_id)
    if _section_of(edition, paper_id, ()) is not None:
        return "the edition had no readers, or only such as chose other topics or had received the paper before"
    alone = [match.topic for match in entry.matches if _section_of(edition, paper_id, (match.topic,)) is not None]
    only = f", and none chose only {' or '.join(map(repr, alone))}" if alone else ""
    return f"the limits are reached before rank {entry.rank} for subscribers of all topics{only}"


def left_out(edition: Edition, rank: int, places: Sequence[tuple[str, int]]) -> str:
    """Return where a paper stood that qualified for `edition` and is not in it, as a sentence without a full stop.

    `rank` is among all papers that qualified, `places` among those under each topic that it matched ("" for none).
    """
    sections = for_segment(edition, (), ())
    took = {section.topic or "": len(section.entries) for section in sections}
    each = ", ".join(
        f"number {place} of {name!r}, which took {took.get(name, 0)}"
        if name
        else f"number {place} of those that match no topic, of which {took.get(name, 0)} were taken"
        for name, place in places
    )
    return (
        f"qualified for the edition of {edition.slot.day:%a %d %B %Y} at rank {rank} ({each}); "
        f"the edition took {sum(took.values())} for subscribers of all topics"
    )


def _section_of(edition: Edition, paper_id: PaperId, topics: tuple[str, ...]) -> str | None:
    for section in for_segment(edition, topics, ()):
        if any(entry.paper.id == paper_id for entry in section.entries):
            return f"under {section.topic!r}" if section.topic else "among the papers without a topic"
    return None


def why_old(mentions: Sequence[Mention], curated: Collection[str], since: datetime, zone: str = "UTC") -> Iterator[str]:
    """Yield why a paper is not new in the window that starts at `since`, one sentence for each source.

    Times are written in the IANA time zone `zone`.
    """
    yield f"too old: the window starts {_moment(since, zone)}"
    for mention in mentions:
        sentence = f"{mention.source} first showed it {_moment(mention.first_seen_at, zone)} and dates it {mention.day}"
        if mention.first_seen_at >= since and is_old(mention, since):
            sentence += f", which is over {OLDEST_NEWS.days} days before the window"
        elif mention.first_seen_at >= since and mention.source not in curated:
            sentence += "; an announcement does not make a paper new that another source showed before the window"
        yield sentence


def _moment(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _rank_higher(limit: int) -> str:
    return "1 paper ranks higher" if limit == 1 else f"{limit} papers rank higher"


def _outcome(decision: Decision, limits: Limits) -> str:
    place = place_of(decision.match)
    per_topic, papers = map(_rank_higher, (limits.max_per_topic, limits.max_papers))
    if decision.rejection is not None:
        return f"left out by the digest's rule {_rejected(decision.rejection)}"
    return {
        Outcome.SELECTED: f"selected, {place}",
        Outcome.PUBLISHED_BEFORE: f"published before, in the edition of {decision.published_in}",
        Outcome.WITHDRAWN: "withdrawn by its authors",
        Outcome.NO_TOPIC: "left out: it matches no topic, and the digest has no section for such papers",
        Outcome.BELOW_MIN_SCORE: f"left out: its score is below min_score {limits.min_score:g}",
        Outcome.OVER_TOPIC_LIMIT: f"left out: {per_topic} {place}",
        Outcome.OVER_LIMIT: f"left out: {papers}",
    }[decision.outcome]


def why_not_counted(rejected: Mapping[str, Rejection]) -> Iterator[str]:
    """Yield for each source why the paper does not count as shown by it; `rejected` is by name of the source."""
    for source, one in rejected.items():
        yield f"{source} does not count, because of its rule {_rejected(one)}"


def _rejected(rejection: Rejection) -> str:
    if rejection.outcome is Outcome.BLOCKED:
        return f"block: {', '.join(rejection.conditions)}"
    return "keep: the paper meets none of its conditions"


def why_picked(reason: PickReason) -> str:
    """Return why a paper was picked for a reader, as the end of a sentence."""
    names = ", ".join(reason.names)
    return {
        PickKind.AUTHOR: f"by {names}, whom they follow",
        PickKind.LIKED: f"like {reason.title!r}, which they liked",
        PickKind.READING_LIST: f"like {reason.title!r} from their reading list",
        PickKind.INTERESTS: f"because of their interests: {names}",
        PickKind.EXPLORATION: "something different, to learn whether they like it",
    }[reason.kind]


def _topics(decision: Decision) -> Iterator[str]:
    if decision.match is not None:
        yield f"matches {_matched(decision.match)}"
    for found in decision.other_matches:
        yield f"also matches {_matched(found)}"
    for found in decision.below:
        yield f"too weak for {_matched(found)}"
    for struck in decision.excluded:
        topic, _, word = struck.rpartition(": ")
        yield f"excluded from {topic!r} by {word!r}"


def _matched(found: TopicMatch) -> str:
    return f"{found.topic!r} with strength {found.strength:.2f}: {evidence(found)}"


def evidence(found: TopicMatch) -> str:
    """Return what makes a paper match a topic: "probability 0.93 because of agents, tool; keyword agent"."""
    words = f" because of {', '.join(found.words)}" if found.words else ""
    learned = "" if found.probability is None else f"probability {found.probability:.2f}{words}"
    compared = f"similarity {found.similarity:.2f}{words}" if found.similarity else ""
    proof = [
        learned or compared,
        _listed("keyword", found.keywords),
        _listed("category", found.categories),
        _listed("author", found.authors),
    ]
    return "; ".join(part for part in proof if part)


def _listed(kind: str, names: tuple[str, ...]) -> str:
    return f"{kind} {', '.join(names)}" if names else ""


def _ranking(decision: Decision) -> Iterator[str]:
    yield f"score {_summed(decision.score)}"
    if not decision.new:
        yield "left over from the last edition, so newer papers come first"
    if decision.rank is not None:
        yield f"rank {decision.rank}"


def _summed(score: Score) -> str:
    parts = {
        "upvotes": score.upvotes,
        "comments": score.comments,
        "stars": score.stars,
        "growth": score.growth,
    }
    counts = " + ".join(f"{name} {part:.2f}" for name, part in parts.items() if part)
    if not counts and not score.topic:
        return f"{score.total:.2f}; it matches no topic, and no source has counts for it"
    if counts and score.relevance < 1:
        counts = f"{score.relevance:.2f} for relevance * ({counts})"
    summed = " + ".join(part for part in (counts, f"topic match {score.topic:.2f}" if score.topic else "") if part)
    return f"{score.total:.2f} = {score.age:.2f} for age * ({summed})"
