"""Learns the topics of all digests from the stored papers, when there is something new to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection

from digestmail.editions.learning_process import LearningError, Row, learn_here, learn_in_child
from digestmail.model.digests import Digest, Topic
from digestmail.model.reports import LearningReport, Stop, never
from digestmail.selection.topic_model import TopicModel, fingerprint, learns, load
from digestmail.storage import topic_models
from digestmail.storage.database import Database
from digestmail.storage.topic_models import Learned

FEWEST_PAPERS = 1000
"""With fewer papers, keywords and descriptions find a topic's papers better than what is learned (docs/choosing.md)."""
MOST_PAPERS = 5000
"""The newest papers are enough, and bound time and memory."""
_KEPT_FOR = timedelta(days=14)
_GROWTH = 1.5


Learn = Callable[[Sequence[Row], Sequence[Topic], Stop], list[str | None] | None]


def refresh_models(
    database: Database, digests: Sequence[Digest], today: date, *, stop: Stop = never, learn: Learn = learn_in_child
) -> LearningReport | None:
    """Learn the topics of `digests` anew if that is due; return None if it is not, or if `stop` returned true."""
    topics = {fingerprint(topic): topic for digest in digests for topic in digest.topics if learns(topic)}
    with database.connect() as connection:
        known = topic_models.by_fingerprint(connection, sorted(topics))
        papers = min(topic_models.count_papers(connection), MOST_PAPERS)
        if papers < FEWEST_PAPERS or stop() or not is_due(sorted(topics), known, papers, today):
            return None
        rows = list(topic_models.newest_texts(connection, MOST_PAPERS))
    try:
        models = learn(rows, list(topics.values()), stop)
    except (LearningError, OSError) as error:
        # What was learned before stays in use, and the papers are in any case collected.
        return LearningReport(papers=len(rows), problem=str(error))
    if models is None:
        return None
    with database.begin() as connection:
        topic_models.replace_all(connection, _learned(topics, models, len(rows), today))
    return LearningReport(topics=sum(model is not None for model in models), papers=len(rows))


def is_due(fingerprints: Sequence[str], known: Mapping[str, Learned], papers: int, today: date) -> bool:
    """Return whether to learn anew: a topic is new, two weeks passed, or there are half as many papers more."""
    if not fingerprints:
        return False
    if any(name not in known for name in fingerprints):
        return True
    return any(
        papers >= one.papers * _GROWTH or not today - _KEPT_FOR < one.learned_on <= today for one in known.values()
    )


def models_of(connection: Connection, digest: Digest) -> dict[str, TopicModel]:
    """Return what was learned about the topics of `digest`, by the topic's name."""
    fingerprints = {fingerprint(topic): topic.name for topic in digest.topics if learns(topic)}
    stored = topic_models.by_fingerprint(connection, sorted(fingerprints))
    return {fingerprints[name]: load(one.model) for name, one in stored.items() if one.model is not None}


def models_as_learned_now(connection: Connection, topics: Sequence[Topic], today: date) -> dict[str, TopicModel]:
    """Return what is known about `topics`, by fingerprint; what was not learned yet is learned, but not stored.

    Nothing is learned from fewer than `FEWEST_PAPERS` papers. Raises LearningError.
    """
    wanted = {fingerprint(topic): topic for topic in topics if learns(topic)}
    known = topic_models.by_fingerprint(connection, sorted(wanted))
    missing = {name: wanted[name] for name in sorted(wanted) if name not in known}
    if missing and topic_models.count_papers(connection) >= FEWEST_PAPERS:
        rows = list(topic_models.newest_texts(connection, MOST_PAPERS))
        known |= _learned(missing, learn_here(rows, list(missing.values())), len(rows), today)
    return {name: load(one.model) for name, one in known.items() if one.model is not None}


def _learned(fingerprints: Iterable[str], models: Sequence[str | None], papers: int, today: date) -> dict[str, Learned]:
    return {
        name: Learned(model=model, papers=papers, learned_on=today)
        for name, model in zip(fingerprints, models, strict=True)
    }
