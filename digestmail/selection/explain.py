"""Say in plain English why a paper was chosen, or was not."""

from __future__ import annotations

from collections.abc import Iterator

from digestmail.model import Decision, Limits, Outcome, Score, TopicMatch


def reasons(decision: Decision, limits: Limits | None) -> tuple[str, ...]:
    """Return the reasons for `decision`, one sentence each without a full stop, the outcome first.

    `limits` are those the decision was made under; None when they are not known any more.
    """
    return (_outcome(decision, limits), *_topics(decision), *_standing(decision))


def _outcome(decision: Decision, limits: Limits | None) -> str:
    place = f"under {decision.match.topic!r}" if decision.match else "among the papers without a topic"
    below = f"min_score {limits.min_score:g}" if limits else "min_score"
    per_topic, papers = (limits.max_per_topic, limits.max_papers) if limits else ("enough", "enough")
    return {
        Outcome.SELECTED: f"selected, {place}",
        Outcome.PUBLISHED_BEFORE: f"published before, in the edition of {decision.published_in}",
        Outcome.WITHDRAWN: "withdrawn by its authors",
        Outcome.NO_TOPIC: "left out: it matches no topic, and the digest has no section for such papers",
        Outcome.BELOW_MIN_SCORE: f"left out: its score is below {below}",
        Outcome.OVER_TOPIC_LIMIT: f"left out: {per_topic} better papers stand {place}",
        Outcome.OVER_LIMIT: f"left out: {papers} better papers are in the edition",
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
