"""Topics suggested from recorded days: readable, and about something."""

from __future__ import annotations

import gzip
import json
from functools import cache

from replaying import DATA, needs_shared

from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.suggest import suggest_topics
from digestmail.selection.tokenize import read, spelled, stem, words_of

pytestmark = needs_shared


@cache
def announced() -> tuple[Paper, ...]:
    """Return what arXiv announced on some days in April 2026."""
    found = {}
    for path in sorted((DATA / "arxiv_daily").glob("2026-04-2[1-4].jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                found[row["id"]] = Paper(
                    id=PaperId(f"arxiv:{row['id']}"),
                    title=row["title"],
                    abstract=row["summary"],
                    origin=Origin.ARXIV,
                    link=row["abs"],
                )
    return tuple(found.values())


def test_suggested_topics_are_words_that_their_papers_share():
    papers = announced()
    texts = [read(paper) for paper in papers]
    found = suggest_topics(papers, 8)
    assert len(found) == 8
    assert sum(topic.papers for topic in found) == len(papers)
    assert len({topic.name.casefold() for topic in found}) == 8
    for topic in found:
        assert len(topic.keywords) == 5
        roots = [stem(word) for keyword in topic.keywords for word in words_of(spelled(keyword))]
        assert len(set(roots)) == len(roots)
        assert all(roots)
        phrases = [compile_phrase(keyword) for keyword in topic.keywords]
        holding = sum(any(occurs_in(phrase, text) for phrase in phrases) for text in texts)
        # The keywords say what the group is about: most of its papers have one, and most papers are not in it.
        assert topic.papers / 2 < holding < len(papers) * 0.7
    named = {keyword.casefold() for topic in found for keyword in topic.keywords}
    assert "reinforcement learning" in named
    assert named & {"agent", "agents"}
