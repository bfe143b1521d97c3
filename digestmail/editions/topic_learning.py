"""Learns the topics of all digests from the stored papers, when there is something new to learn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection

from digestmail.editions.learning_process import LearningError, Material, learn_here, learn_in_child
from digestmail.errors import SourceError
from digestmail.model.digests import Digest, Topic
from digestmail.model.embeddings import Embedder, packed
from digestmail.model.reports import LearningReport, Stop, never
from digestmail.selection.topic_model import TopicModel, embedded_words, fingerprint, learns, load
from digestmail.storage import paper_embeddings, topic_models
from digestmail.storage.database import Database
from digestmail.storage.topic_models import Learned

log = logging.getLogger("digestmail.topics")

FEWEST_PAPERS = 1000
"""With fewer papers, keywords and descriptions find a topic's papers better than what is learned (docs/choosing.md)."""
MOST_PAPERS = 5000
"""The newest papers are enough, and bound time and memory."""
_KEPT_FOR = timedelta(days=14)
_GROWTH = 1.5
_SHARE_EMBEDDED = 0.5
"""With embeddings of fewer papers, those that have one would be preferred to those that have none."""


Learn = Callable[[Material, Stop], list[str | None] | None]


def refresh_models(
    database: Database,
    digests: Sequence[Digest],
    today: date,
    embedder: Embedder | None = None,
    *,
    stop: Stop = never,
    learn: Learn = learn_in_child,
) -> LearningReport | None:
    """Learn the topics of `digests` anew if that is due; return None if it is not, or if `stop` returned true.

    The papers' embeddings by the model of `embedder` count, too, once at least half of the papers have one. If the
    topics cannot be embedded, they are learned from the embeddings of the papers only.
    """
    topics = {fingerprint(topic): topic for digest in digests for topic in digest.topics if learns(topic)}
    with database.connect() as connection:
        known = topic_models.by_fingerprint(connection, sorted(topics))
        if embedder is None and is_settled(sorted(topics), known, today):
            return None
        papers, embedded = _counts(connection, embedder)
        if papers < FEWEST_PAPERS or stop() or not is_due(sorted(topics), known, papers, today, embedded):
            return None
        rows = list(topic_models.newest_texts(connection, MOST_PAPERS))
        vectors = paper_embeddings.newest(connection, embedder.model, MOST_PAPERS) if embedder and embedded else []
    wanted = list(topics.values())
    of_topics, problem = _embedded_topics(wanted, embedder if vectors else None)
    material = Material(papers=rows, topics=wanted, embeddings=vectors, topic_embeddings=of_topics)
    try:
        models = learn(material, stop)
    except (LearningError, OSError) as error:
        # What was learned before stays in use, and the papers are in any case collected.
        log.warning("topics were not learned: %s", error)
        return LearningReport(papers=len(rows), problem=str(error))
    if models is None:
        return None
    with database.begin() as connection:
        topic_models.replace_all(connection, _learned(topics, models, material, today))
    count = sum(model is not None for model in models)
    return LearningReport(topics=count, papers=len(rows), without_topics=problem)


def _counts(connection: Connection, embedder: Embedder | None) -> tuple[int, int]:
    """Return how many of the newest papers there are to learn from, and how many embeddings of them count."""
    papers = topic_models.count_papers(connection, MOST_PAPERS)
    embedded = paper_embeddings.count(connection, embedder.model, MOST_PAPERS) if embedder else 0
    return papers, embedded if embedded >= papers * _SHARE_EMBEDDED else 0


def _embedded_topics(topics: Sequence[Topic], embedder: Embedder | None) -> tuple[list[bytes], str]:
    """Return the vectors of the words of `topics`, or else why there are none."""
    if embedder is None:
        return [], ""
    try:
        return [packed(embedder.embed([embedded_words(topic)])[0]) for topic in topics], ""
    except SourceError as error:
        return [], str(error)


def is_due(
    fingerprints: Sequence[str], known: Mapping[str, Learned], papers: int, today: date, embedded: int = 0
) -> bool:
    """Return whether to learn anew: a topic is new, two weeks passed, or there are half as many papers more.

    The same holds if the number of papers with an embedding, `embedded`, grew or fell that much.
    """
    if not fingerprints:
        return False
    if any(name not in known for name in fingerprints):
        return True
    return any(
        papers >= one.papers * _GROWTH
        or max(embedded, one.embedded) > _GROWTH * min(embedded, one.embedded)
        or not _is_recent(one, today)
        for one in known.values()
    )


def is_settled(fingerprints: Sequence[str], known: Mapping[str, Learned], today: date) -> bool:
    """Return whether nothing is learned anew however many papers there are, so that they need not be counted.

    Every topic was learned lately, from so many papers that half as many more would be over the limit.
    """
    return all(
        (one := known.get(name)) is not None
        and not one.embedded
        and one.papers * _GROWTH > MOST_PAPERS
        and _is_recent(one, today)
        for name in fingerprints
    )


def _is_recent(learned: Learned, today: date) -> bool:
    return today - _KEPT_FOR < learned.learned_on <= today


def models_of(connection: Connection, digest: Digest) -> dict[str, TopicModel]:
    """Return what was learned about the topics of `digest`, by the topic's name."""
    fingerprints = {fingerprint(topic): topic.name for topic in digest.topics if learns(topic)}
    stored = topic_models.by_fingerprint(connection, sorted(fingerprints))
    return {fingerprints[name]: model for name, one in stored.items() if (model := _loaded(name, one)) is not None}


def _loaded(name: str, learned: Learned) -> TopicModel | None:
    """Return a stored model; None if there is none, or if it is damaged: then words count until it is learned anew."""
    try:
        return None if learned.model is None else load(learned.model)
    except (ValueError, TypeError):
        log.warning("the stored model %s of a topic is damaged and not used", name)
        return None


def models_as_learned_now(connection: Connection, topics: Sequence[Topic], today: date) -> dict[str, TopicModel]:
    """Return what is known about `topics`, by fingerprint; what was not learned yet is learned, but not stored.

    Nothing is learned from fewer than `FEWEST_PAPERS` papers. Raises LearningError.
    """
    wanted = {fingerprint(topic): topic for topic in topics if learns(topic)}
    known = topic_models.by_fingerprint(connection, sorted(wanted))
    missing = {name: wanted[name] for name in sorted(wanted) if name not in known}
    if missing and topic_models.count_papers(connection, FEWEST_PAPERS) >= FEWEST_PAPERS:
        rows = list(topic_models.newest_texts(connection, MOST_PAPERS))
        material = Material(papers=rows, topics=list(missing.values()))
        known |= _learned(missing, learn_here(material), material, today)
    return {name: model for name, one in known.items() if (model := _loaded(name, one)) is not None}


def _learned(
    fingerprints: Iterable[str], models: Sequence[str | None], material: Material, today: date
) -> dict[str, Learned]:
    papers, embedded = len(material.papers), sum(map(bool, material.embeddings))
    return {
        name: Learned(model=model, papers=papers, learned_on=today, embedded=embedded)
        for name, model in zip(fingerprints, models, strict=True)
    }
