"""Say in plain English why a paper was chosen, or was not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from digestmail.model.digests import Limits
from digestmail.model.editions import Edition
from digestmail.model.papers import Mention, PaperId
from digestmail.model.selection import Decision, Outcome, Score, TopicMatch
from digestmail.selection.newness import OLDEST_NEWS, is_old
from digestmail.selection.segments import for_segment


def reasons(decision: Decision, limits: Limits | None) -> tuple[str, ...]:
    """Return the reasons for `decision`, one sentence each without a full stop, the outcome first.

    `limits` are those the decision was made under; None when they are not known any more.
    """
    return (_outcome(decision, limits), *_topics(decision), *_standing(decision))


def readers(edition: Edition, paper_id: PaperId) -> Iterator[str]:
    """Yield which readers of `edition` get a paper it holds, one sentence each without a full stop."""
    entry = next((entry for entry in edition.entries if entry.paper.id == paper_id), None)
    if entry is None:
        return
    under = _section_of(edition, paper_id, ())
    if under is not None and not edition.topics:
        return
    if under is None:
        yield f"who takes everything does not get it: the limits are met before it comes, at rank {entry.rank}"
    else:
        yield f"who takes everything gets it {under}"
    alone = [match.topic for match in entry.matches]
    for topic in alone:
        gets = _section_of(edition, paper_id, (topic,)) is not None
        yield f"who chose only {topic!r} {'gets it' if gets else 'does not get it: others come before it'}"


def _section_of(edition: Edition, paper_id: PaperId, topics: tuple[str, ...]) -> str | None:
    for section in for_segment(edition, topics, ()):
        if any(entry.paper.id == paper_id for entry in section.entries):
            return f"under {section.topic!r}" if section.topic else "among the papers without a topic"
    return None


def why_old(mentions: Sequence[Mention], curated: Collection[str], since: datetime, zone: str = "UTC") -> Iterator[str]:
    """Yield why a paper is no news in the window that begins at `since`, one sentence for each source.

    Times are written in the IANA time zone `zone`.
    """
    yield f"too old: the window begins {_moment(since, zone)}"
    for mention in mentions:
        said = f"{mention.source} first showed it {_moment(mention.first_seen_at, zone)} and dates it {mention.day}"
        if mention.first_seen_at >= since and is_old(mention, since):
            said += f": over {OLDEST_NEWS.days} days before the window"
        elif mention.first_seen_at >= since and mention.source not in curated:
            said += ": an announcement does not make new what another source showed before the window"
        yield said


def _moment(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _come(limit: int | None) -> str:
    if limit is None:
        return "enough papers come"
    return "1 paper comes" if limit == 1 else f"{limit} papers come"


def _outcome(decision: Decision, limits: Limits | None) -> str:
    place = f"under {decision.match.topic!r}" if decision.match else "among the papers without a topic"
    below = f"min_score {limits.min_score:g}" if limits else "min_score"
    per_topic, papers = map(_come, (limits.max_per_topic, limits.max_papers) if limits else (None, None))
    return {
        Outcome.SELECTED: f"selected, {place}",
        Outcome.PUBLISHED_BEFORE: f"published before, in the edition of {decision.published_in}",
        Outcome.WITHDRAWN: "withdrawn by its authors",
        Outcome.NO_TOPIC: "left out: it matches no topic, and the digest has no section for such papers",
        Outcome.BELOW_MIN_SCORE: f"left out: its score is below {below}",
        Outcome.OVER_TOPIC_LIMIT: f"left out: {per_topic} before it {place}",
        Outcome.OVER_LIMIT: f"left out: {papers} before it",
    }[decision.outcome]


def _topics(decision: Decision) -> Iterator[str]:
    if decision.match is not None:
        yield f"matches {_matched(decision.match)}"
    for found in decision.other_matches:
        yield f"also matches {_matched(found)}"
    for struck in decision.excluded:
        topic, _, word = struck.rpartition(": ")
        yield f"kept out of {topic!r} by the excluded {word!r}"


def _matched(found: TopicMatch) -> str:
    evidence = [
        _listed("keyword", found.keywords),
        _listed("category", found.categories),
        _listed("author", found.authors),
    ]
    if found.similar_words:
        evidence.append(f"similarity {found.similarity:.2f} by {', '.join(found.similar_words)}")
    return f"{found.topic!r} with strength {found.strength:.2f}: {'; '.join(part for part in evidence if part)}"


def _listed(kind: str, names: tuple[str, ...]) -> str:
    return f"{kind} {', '.join(names)}" if names else ""


def _standing(decision: Decision) -> Iterator[str]:
    yield f"score {_summed(decision.score)}"
    if not decision.new:
        yield "left over: it came before the last edition, so papers that came since are taken first"
    if decision.rank is not None:
        yield f"rank {decision.rank}"


def _summed(score: Score) -> str:
    parts = {
        "upvotes": score.upvotes,
        "comments": score.comments,
        "stars": score.stars,
        "growth": score.growth,
        "topic match": score.topic,
    }
    summed = " + ".join(f"{name} {part:.2f}" for name, part in parts.items() if part)
    if not summed:
        return f"{score.total:.2f}: it matches no topic, and no source counts anything for it"
    return f"{score.total:.2f} = {score.age:.2f} for age * ({summed})"
