"""How well topics find papers: mean average precision on recorded days, against arXiv's own categories, and the cost.

The topics and days are in the data directory beside the project; where it is missing, nothing is measured. Each topic
is given as a few keywords and a sentence, and stands for a category of arXiv: a paper is about it if arXiv lists the
paper there. digestmail sees no categories here. "held out" are the papers of the last ten days, judged by what was
learned from the days before. "shown" is the share of right decisions among those that `topics_labels.csv` judges: 200
papers that digests of five papers a topic and day had shown, each read and judged by hand for its topic.

With an OpenAI-compatible endpoint in BENCH_EMBEDDINGS_URL, and the model's name in BENCH_EMBEDDINGS_MODEL, it also
measures learning with embeddings; BENCH_EMBEDDINGS_KEY is the endpoint's key, if it needs one.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import day
from benchmarks.figures import Figure, figure, tell
from digestmail.clock import SystemClock
from digestmail.editions.topic_learning import MOST_PAPERS
from digestmail.model.digests import Topic
from digestmail.model.embeddings import packed
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.selection.learning import learn
from digestmail.selection.similarity import compare
from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text, read
from digestmail.selection.topic_model import Judge, TopicModel, dump, embedded_words, fingerprint
from digestmail.selection.topics import compile_rule, match
from digestmail.sources.embeddings import EmbeddingsEndpoint
from digestmail.storage import topic_models
from digestmail.storage.database import Database
from digestmail.storage.topic_models import Learned

SHARED = Path(__file__).resolve().parents[2] / "shared"
LABELS = Path(__file__).with_name("topics_labels.csv")
HELD_OUT = 10
ROUNDS = 5

Scores = list[list[float]]


def topics() -> dict[str, Topic]:
    """Return the topics by category, as they are written in the data directory's own baseline."""
    module = ast.parse((SHARED / "tools" / "topics_baseline.py").read_text("utf-8"))
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TOPICS":
            written = ast.literal_eval(node.value)
            return {
                category: Topic(name=category, keywords=tuple(keywords), description=description)
                for category, (keywords, description) in written.items()
            }
    raise ValueError("the baseline defines no TOPICS")


def days() -> list[list[Paper]]:
    """Return what was announced on each day, each paper once."""
    known: set[str] = set()
    found: list[list[Paper]] = []
    for path in sorted((SHARED / "data" / "arxiv_daily").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = {row["id"]: row for row in map(json.loads, lines)}
        found.append([_paper(row) for name, row in rows.items() if name not in known])
        known.update(rows)
    return found


def _paper(row: dict[str, Any]) -> Paper:
    return Paper(
        id=PaperId(f"arxiv:{row['id']}"),
        title=str(row["title"]),
        abstract=str(row["summary"]),
        origin=Origin.ARXIV,
        link=str(row["abs"]),
        categories=tuple(str(name) for name in row["categories"]),
    )


def by_words(papers: Sequence[Paper], texts: Sequence[Text], wanted: Sequence[Topic]) -> Scores:
    """Return the strength of each paper for each topic, by words alone."""
    rules = [compile_rule(topic) for topic in wanted]
    found = []
    for paper, text, row in zip(papers, texts, compare(texts, wanted), strict=True):
        matches = [match(rule, paper, text, similar) for rule, similar in zip(rules, row, strict=True)]
        found.append([one.strength if one else 0.0 for one in matches])
    return found


def by_models(texts: Sequence[Text], models: Sequence[TopicModel | None]) -> Scores:
    """Return the strength of each paper for each topic, as learned."""
    judge = Judge({str(place): model for place, model in enumerate(models) if model is not None})
    found = [judge.judge(frequencies(terms_of(text))) for text in texts]
    return [
        [row[str(place)].probability if str(place) in row else 0.0 for place in range(len(models))] for row in found
    ]


def mean_average_precision(papers: Sequence[Paper], scores: Scores, categories: Sequence[str]) -> float:
    """Return the mean over topics of the average precision; topics without papers do not count."""
    found = []
    for place, category in enumerate(categories):
        order = sorted(range(len(papers)), key=lambda number: -scores[number][place])
        hits = [rank for rank, number in enumerate(order, start=1) if category in papers[number].categories]
        if hits:
            found.append(fmean(count / rank for count, rank in enumerate(hits, start=1)))
    return fmean(found)


def precision_of_shown(papers: Sequence[Paper], scores: Scores, wanted: Sequence[Topic]) -> float:
    """Return the share of right ones among the judged decisions that are shown."""
    places = {topic.name: place for place, topic in enumerate(wanted)}
    strengths = {paper.id: row for paper, row in zip(papers, scores, strict=True)}
    with LABELS.open(encoding="utf-8", newline="") as lines:
        verdicts = [
            row["about"] == "yes"
            for row in csv.DictReader(lines)
            if strengths[PaperId(row["paper"])][place := places[row["topic"]]] >= wanted[place].min_strength
        ]
    return sum(verdicts) / len(verdicts)


def with_embeddings(papers: Sequence[Paper], texts: Sequence[Text], wanted: Mapping[str, Topic]) -> list[Figure]:
    """Return how well topics find papers that are learned with embeddings, if an endpoint is in the environment."""
    if not (url := os.environ.get("BENCH_EMBEDDINGS_URL")):
        return []
    endpoint = EmbeddingsEndpoint(
        url=url,
        model=os.environ.get("BENCH_EMBEDDINGS_MODEL", ""),
        api_key=os.environ.get("BENCH_EMBEDDINGS_KEY"),
        timeout=600,
        max_body_bytes=20_000_000,
        max_characters=2000,
        clock=SystemClock(),
        host_limits=NoLimits(),
        user_agent="digestmail-benchmark",
    )
    rules, early = list(wanted.values()), len(papers) - sum(len(day) for day in days()[-HELD_OUT:])
    with endpoint:
        written = [f"{paper.title}. {paper.abstract}" for paper in papers]
        vectors = [
            packed(vector)
            for start in range(0, len(written), 32)
            for vector in endpoint.embed(written[start : start + 32])
        ]
        of_topics = [packed(vector) for vector in endpoint.embed([embedded_words(topic) for topic in rules])]
    everything = by_models(texts, learn(texts, rules, vectors, of_topics))
    held_out = by_models(texts[early:], learn(texts[:early], rules, vectors[:early], of_topics))
    found = mean_average_precision(papers, everything, list(wanted))
    found_later = mean_average_precision(papers[early:], held_out, list(wanted))
    return [
        figure("learned, with embeddings", found, "MAP", ">=", 0.4),
        figure("learned, with embeddings, held out", found_later, "MAP", ">=", 0.4),
    ]


class NoLimits:
    """No host is asked too often here."""

    def reserve(self, host: str, now: datetime, min_interval: float) -> datetime:
        """Allow the request."""
        del host, min_interval
        return now

    def block(self, host: str, until: datetime) -> None:
        """Give up."""
        raise RuntimeError(f"{host} asks for no requests until {until}")


def day_seconds(wanted: Sequence[Topic], models: Mapping[str, TopicModel], canned: day.Canned) -> float:
    """Return the CPU seconds of collecting and publishing a day of 1,050 papers with these models stored."""
    digest = replace(day.DIGEST, topics=tuple(wanted))
    with tempfile.TemporaryDirectory() as directory:
        day.new_database(Path(directory))
        database = Database.open("sqlite:///day.db", base=Path(directory))
        with database.begin() as connection:
            learned = {
                fingerprint(topic): Learned(
                    model=dump(models[topic.name]), papers=MOST_PAPERS, learned_on=day.NOW.date()
                )
                for topic in wanted
                if topic.name in models
            }
            topic_models.replace_all(connection, learned)
        database.close()
        return day.cpu(lambda: day.one_day(canned, Path(directory), digest))


def day_ratio(wanted: Sequence[Topic], models: Mapping[str, TopicModel], learning: float) -> tuple[float, float]:
    """Return the CPU seconds of a day by words, and how many times that is a learned day and a 14th of the learning."""
    canned = day.recorded()
    rounds = [(day_seconds(wanted, {}, canned), day_seconds(wanted, models, canned)) for _ in range(ROUNDS)]
    plain, learned = (statistics.median(column) for column in zip(*rounds, strict=True))
    return plain, (learned + learning / 14) / plain


def main() -> None:
    """Measure and report."""
    if not SHARED.is_dir():
        sys.stderr.write(f"nothing was measured: {SHARED} is missing\n")
        return
    wanted, by_day = topics(), days()
    categories = list(wanted)
    papers = [paper for day in by_day for paper in day]
    early = sum(len(day) for day in by_day[:-HELD_OUT])
    texts = [read(paper) for paper in papers]
    rules = list(wanted.values())
    words = by_words(papers, texts, rules)
    began = time.process_time()
    learn(texts[-MOST_PAPERS:], rules)
    seconds = time.process_time() - began
    learned = learn(texts, rules)
    as_learned = by_models(texts, learned)
    held_out = by_models(texts[early:], learn(texts[:early], rules))
    named = {topic.name: model for topic, model in zip(rules, learned, strict=True) if model is not None}
    plain, ratio = day_ratio(rules, named, seconds)
    tell(
        [
            figure("papers", len(papers), "", ">=", 5000),
            figure("words", mean_average_precision(papers, words, categories), "MAP", ">=", 0.3),
            figure("learned", mean_average_precision(papers, as_learned, categories), "MAP", ">=", 0.4),
            figure("shown", precision_of_shown(papers, as_learned, rules), "precision", ">=", 0.75),
            figure(
                "words, held out", mean_average_precision(papers[early:], words[early:], categories), "MAP", ">=", 0.3
            ),
            figure("learned, held out", mean_average_precision(papers[early:], held_out, categories), "MAP", ">=", 0.4),
            *with_embeddings(papers, texts, wanted),
            figure("learning", seconds, "CPU s", "<=", 20),
            figure("a day, by words", plain, "CPU s", "<=", 20),
            figure("a day, learned", ratio, "times", "<=", 1.5),
            figure("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB", "<=", 600),
        ]
    )


if __name__ == "__main__":
    main()
