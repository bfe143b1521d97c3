"""How well topics find papers: mean average precision on recorded days, against arXiv's own categories, and the cost.

The topics and days are in the data directory beside the project; where it is missing, nothing is measured. Each topic
is given as a few keywords and a sentence, and stands for a category of arXiv: a paper is about it if arXiv lists the
paper there. digestmail sees no categories here. "held out" are the papers of the last ten days, judged by what was
learned from the days before.
"""

from __future__ import annotations

import ast
import gzip
import json
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from benchmarks.figures import figure, tell
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.selection import Candidate
from digestmail.selection.learning import learn
from digestmail.selection.select import select
from digestmail.selection.similarity import compare
from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text, read
from digestmail.selection.topic_model import TopicModel, judge
from digestmail.selection.topics import compile_rule, match

SHARED = Path(__file__).resolve().parents[2] / "shared"
HELD_OUT = 10
DAY = 1000
"""The papers of a busy day."""
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


def _paper(row: dict[str, object]) -> Paper:
    return Paper(
        id=PaperId(f"arxiv:{row['id']}"),
        title=str(row["title"]),
        abstract=str(row["summary"]),
        origin=Origin.ARXIV,
        link=str(row["abs"]),
        categories=tuple(str(name) for name in row["categories"]),  # type: ignore[attr-defined]
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
    terms = [frequencies(terms_of(text)) for text in texts]
    return [[judge(model, one).probability if model else 0.0 for model in models] for one in terms]


def mean_average_precision(papers: Sequence[Paper], scores: Scores, categories: Sequence[str]) -> float:
    """Return the mean over topics of the average precision; topics without papers do not count."""
    found = []
    for place, category in enumerate(categories):
        order = sorted(range(len(papers)), key=lambda number: -scores[number][place])
        hits = [rank for rank, number in enumerate(order, start=1) if category in papers[number].categories]
        if hits:
            found.append(fmean(count / rank for count, rank in enumerate(hits, start=1)))
    return fmean(found)


def choosing_seconds(papers: Sequence[Paper], wanted: Sequence[Topic], models: dict[str, TopicModel]) -> float:
    """Return the CPU seconds of choosing from a day, the best of some rounds."""
    seen = datetime(2026, 4, 21, tzinfo=UTC)
    candidates = [Candidate(paper=paper, day=seen.date(), came_at=seen) for paper in papers]
    schedule = Schedule(cron="0 7 * * *", timezone="UTC")
    digest = Digest(name="daily", title="Papers", schedule=schedule, sources=("arxiv",), topics=tuple(wanted))
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        select(candidates, digest, seen.date(), published={}, models=models)
        best = min(best, time.process_time() - began)
    return best


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
    learned = learn(texts, rules)
    seconds = time.process_time() - began
    held_out = by_models(texts[early:], learn(texts[:early], rules))
    named = {topic.name: model for topic, model in zip(rules, learned, strict=True) if model is not None}
    plain, with_models = (choosing_seconds(papers[:DAY], rules, models) for models in ({}, named))
    tell(
        [
            figure("papers", len(papers), "", ">=", 5000),
            figure("words", mean_average_precision(papers, words, categories), "MAP", ">=", 0.3),
            figure("learned", mean_average_precision(papers, by_models(texts, learned), categories), "MAP", ">=", 0.4),
            figure(
                "words, held out", mean_average_precision(papers[early:], words[early:], categories), "MAP", ">=", 0.3
            ),
            figure("learned, held out", mean_average_precision(papers[early:], held_out, categories), "MAP", ">=", 0.4),
            figure("learning", seconds, "CPU s", "<=", 20),
            figure("choosing, by words", plain, "CPU s", "<=", 2),
            figure("choosing, learned", with_models, "CPU s", "<=", 2),
            figure("choosing, ratio", with_models / plain, "x", "<=", 1.5),
            figure("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB", "<=", 600),
        ]
    )


if __name__ == "__main__":
    main()
