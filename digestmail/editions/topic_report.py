"""Reports which of the stored papers a topic admits, how strongly, and what it was learned from. Read-only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from digestmail.editions.topic_learning import FEWEST_PAPERS, MOST_PAPERS, models_of
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.papers import Mentioned, PaperId
from digestmail.model.selection import Candidate, TopicMatch
from digestmail.selection.explain import evidence
from digestmail.selection.select import select
from digestmail.selection.tokenize import read
from digestmail.selection.topic_model import TopicModel, fingerprint, learns
from digestmail.selection.topics import compile_rule, excluded_by
from digestmail.storage import papers, topic_models
from digestmail.storage.database import Database

BORDERLINE = 0.15
"""A paper is borderline if its strength is within this distance of the topic's `min_strength`."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicBasis:
    """What a topic's strengths come from: a learned model, or its words only."""

    learned: bool
    papers: int
    """The number of papers that it was learned from; if it was not, that of papers that are there to learn from."""
    learned_on: date | None = None
    why_not: str = ""
    """Why it was not learned, a clause without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPaper:
    """A paper that a topic admits or nearly admits."""

    paper_id: PaperId
    title: str
    day: date
    """The latest date that a source gives it."""
    strength: float
    reason: str
    borderline: bool
    """Whether a small change of the topic may change the outcome. Categories and authors decide by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTest:
    """The papers of a period that a topic admits."""

    topic: str
    digests: tuple[str, ...]
    """The digests that use the topic."""
    sources: tuple[str, ...]
    """The sources whose papers were tested."""
    since: datetime
    papers: int
    """The number of papers that these sources showed for the first time since then."""
    min_strength: float
    basis: TopicBasis
    admitted: tuple[TopicPaper, ...] = ()
    """Strongest first, as are the others."""
    nearly: tuple[TopicPaper, ...] = ()
    """Borderline papers that are not admitted."""
    excluded: tuple[TopicPaper, ...] = ()
    """Papers that only an excluded phrase keeps out; `reason` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRow:
    """A topic as one digest uses it."""

    topic: str
    digest: str | None
    """None if no digest uses it."""
    basis: TopicBasis
    admitted: int
    papers: int
    """The number of papers of the digest's sources in the period."""


def examine_topic(
    database: Database, topic: Topic, users: Sequence[Digest], sources: Sequence[str], now: datetime, days: int
) -> TopicTest:
    """Return which papers that `sources` first showed in the `days` before `now` the topic admits.

    `users` are the digests that use the topic. What was published makes no difference.
    """
    since = now - timedelta(days=days)
    # Exclusions are checked separately, because the strength of a paper that is excluded is shown, too.
    open_topic = replace(topic, exclude=())
    with database.connect() as connection:
        found = _shown(connection, sources, since, now)
        basis = basis_of(connection, topic, used=bool(users))
        models = models_of(connection, _as_digest((topic,)))
    rule = compile_rule(topic)
    admitted, nearly, excluded = [], [], []
    for one, match, admits in _matches(found, open_topic, models, now.date()):
        paper = _paper(one, match, topic.min_strength)
        phrase = excluded_by(rule, read(one.paper))
        if phrase is not None and admits:
            excluded.append(replace(paper, reason=f"excluded by {phrase!r}; {paper.reason}", borderline=False))
        elif admits:
            admitted.append(paper)
        elif paper.borderline and phrase is None:
            nearly.append(paper)
    return TopicTest(
        topic=topic.name,
        digests=tuple(digest.name for digest in users),
        sources=tuple(sources),
        since=since,
        papers=len(found),
        min_strength=topic.min_strength,
        basis=basis,
        admitted=tuple(sorted(admitted, key=_order)),
        nearly=tuple(sorted(nearly, key=_order)),
        excluded=tuple(sorted(excluded, key=_order)),
    )


def list_topics(
    database: Database, topics: Sequence[Topic], digests: Sequence[Digest], now: datetime, days: int
) -> tuple[TopicRow, ...]:
    """Return every topic with each digest that uses it, and how many papers of the last `days` it admits there."""
    since = now - timedelta(days=days)
    used = {topic.name for digest in digests for topic in digest.topics}
    with database.connect() as connection:
        bases = {topic.name: basis_of(connection, topic, used=topic.name in used) for topic in topics}
        rows = [row for digest in digests for row in _rows(connection, digest, bases, since, now)]
    rows += [
        TopicRow(topic=topic.name, digest=None, basis=bases[topic.name], admitted=0, papers=0)
        for topic in topics
        if topic.name not in used
    ]
    places = {topic.name: place for place, topic in enumerate(topics)}
    return tuple(sorted(rows, key=lambda row: places[row.topic]))


def _rows(
    connection: Connection, digest: Digest, bases: Mapping[str, TopicBasis], since: datetime, now: datetime
) -> Iterator[TopicRow]:
    found = _shown(connection, digest.sources, since, now)
    models = models_of(connection, digest)
    selection = select(_candidates(found), digest, now.date(), published={}, models=models)
    admitted = Counter(
        match.topic for one in selection.decisions for match in (one.match, *one.other_matches) if match is not None
    )
    for topic in digest.topics:
        name = topic.name
        yield TopicRow(topic=name, digest=digest.name, basis=bases[name], admitted=admitted[name], papers=len(found))


def unlearned(database: Database, digests: Sequence[Digest]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of topics that are not learned although enough papers are stored.

    First those that too few papers are certainly about, then those that the next `collect` should learn.
    """
    topics = {fingerprint(topic): topic.name for digest in digests for topic in digest.topics if learns(topic)}
    with database.connect() as connection:
        known = topic_models.by_fingerprint(connection, sorted(topics))
        enough = topic_models.count_papers(connection, FEWEST_PAPERS) >= FEWEST_PAPERS
    rare = sorted(topics[key] for key, learned in known.items() if learned.model is None)
    due = sorted(name for key, name in topics.items() if key not in known) if enough else []
    return tuple(rare), tuple(due)


def basis_of(connection: Connection, topic: Topic, *, used: bool) -> TopicBasis:
    """Return what the strengths of `topic` come from; `used` says whether a digest uses it."""
    known = topic_models.by_fingerprint(connection, [fingerprint(topic)]).get(fingerprint(topic))
    available = topic_models.count_papers(connection, MOST_PAPERS)
    if learns(topic) and known is not None:
        why_not = "" if known.model else f"too few of {known.papers:,} papers are certainly about it"
        return TopicBasis(
            learned=known.model is not None, papers=known.papers, learned_on=known.learned_on, why_not=why_not
        )
    return TopicBasis(learned=False, papers=available, why_not=_why_not(topic, available, used=used))


def _why_not(topic: Topic, available: int, *, used: bool) -> str:
    if not topic.learn:
        return "learn = false"
    if not learns(topic):
        return "it has neither keywords nor a description to learn from"
    if available < FEWEST_PAPERS:
        return f"too few papers: {available:,} of {FEWEST_PAPERS:,}"
    if not used:
        return "no digest uses it"
    return "it is new or changed, and the next `digestmail collect` learns it"


def _shown(connection: Connection, sources: Sequence[str], since: datetime, now: datetime) -> list[Mentioned]:
    """Return the papers that one of `sources` showed for the first time from `since` to `now`."""
    found = papers.mentioned(connection, sources, since, now)
    return [one for one in found if not one.paper.withdrawn]


def _candidates(found: Sequence[Mentioned]) -> Iterator[Candidate]:
    for one in found:
        first_seen = min(mention.first_seen_at for mention in one.mentions)
        yield Candidate(paper=one.paper, day=_day(one), came_at=first_seen, signals=one.signals)


def _matches(
    found: Sequence[Mentioned], topic: Topic, models: Mapping[str, TopicModel], today: date
) -> Iterator[tuple[Mentioned, TopicMatch, bool]]:
    """Yield each paper with evidence for the topic, and whether it is enough, as an edition would decide."""
    by_id = {one.paper.id: one for one in found}
    selection = select(_candidates(found), _as_digest((topic,)), today, published={}, models=models)
    for decision in selection.decisions:
        if decision.match is not None:
            yield by_id[decision.paper_id], decision.match, True
        elif decision.below:
            yield by_id[decision.paper_id], decision.below[0], False


def _as_digest(topics: tuple[Topic, ...]) -> Digest:
    return Digest(name="", title="", schedule=Schedule(cron="@daily", timezone="UTC"), sources=(), topics=topics)


def _paper(one: Mentioned, match: TopicMatch, least: float) -> TopicPaper:
    by_itself = bool(match.categories or match.authors)
    return TopicPaper(
        paper_id=one.paper.id,
        title=one.paper.title,
        day=_day(one),
        strength=match.strength,
        reason=evidence(match),
        borderline=not by_itself and abs(match.strength - least) <= BORDERLINE + _ROUNDING,
    )


def _day(one: Mentioned) -> date:
    return max(mention.day for mention in one.mentions)


def _order(paper: TopicPaper) -> tuple[float, int, PaperId]:
    return -paper.strength, -paper.day.toordinal(), paper.paper_id
