"""Papers get embeddings: the newest first, in batches, again and again until all have one by the current model."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from fakes import THURSDAY, sighting
from sqlalchemy import select

from digestmail.collect.embedding import embed_papers
from digestmail.errors import SourceRefusedError, SourceUnavailableError
from digestmail.model.papers import PaperId
from digestmail.model.reports import EmbeddingReport, never
from digestmail.storage import paper_embeddings, papers, topic_models
from digestmail.storage.schema import paper_embeddings as table


class FakeEmbedder:
    """Makes a vector of the length of each text; refuses texts with `refused` in them, and every text from `fails`."""

    def __init__(self, model: str = "one", dimensions: int = 2, refused: str = "\0", status: int = 400) -> None:
        self.model = model
        self.dimensions = dimensions
        self.refused = refused
        self.status = status
        self.fails: str | None = None
        self.asked: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        if self.fails is not None and any(self.fails in text for text in texts):
            raise SourceUnavailableError("the server is down")
        if any(self.refused in text for text in texts):
            raise SourceRefusedError("too long", status=self.status)
        return [[float(len(text)), *[1.0] * (self.dimensions - 1)] for text in texts]


def store(database, *numbers: int, **fields) -> None:
    with database.begin() as connection:
        for number in numbers:
            papers.add_sightings(connection, [sighting(number, **fields)], THURSDAY)


def embed(database, embedder, most: int = 100, batch_size: int = 2, stop=never) -> EmbeddingReport | None:
    return embed_papers(database, embedder, most=most, batch_size=batch_size, stop=stop)


def count(database, model: str) -> int:
    with database.connect() as connection:
        return paper_embeddings.count(connection, model, 100)


def test_the_newest_papers_come_first_in_batches(database):
    store(database, 1, 2, 3)
    embedder = FakeEmbedder()
    assert embed(database, embedder) == EmbeddingReport(papers=3)
    study = "We study something."
    assert embedder.asked == [[f"Paper 3. {study}", f"Paper 2. {study}"], [f"Paper 1. {study}"]]
    assert embed(database, embedder) is None
    assert len(embedder.asked) == 2


def test_vectors_have_length_one_and_the_order_of_the_papers(database):
    store(database, 1)
    store(database, 2, abstract="")
    store(database, 3, title="A longer title")
    embed(database, FakeEmbedder())
    with database.connect() as connection:
        vectors = paper_embeddings.newest(connection, "one", 9)
        texts = [title for title, _, _ in topic_models.newest_texts(connection, 9)]
    assert texts == ["Paper 1", "A longer title"]
    numbers = [struct.unpack("<2e", vector) for vector in vectors]
    assert [x * x + y * y for x, y in numbers] == pytest.approx([1, 1], abs=1e-3)
    assert numbers[0][1] > numbers[1][1]


def test_a_run_is_bounded_and_the_next_continues(database):
    store(database, 1, 2, 3)
    assert embed(database, FakeEmbedder(), most=2) == EmbeddingReport(papers=2)
    assert embed(database, FakeEmbedder(), most=2) == EmbeddingReport(papers=1)


def test_a_failure_is_reported_and_keeps_the_batches_before_it(database):
    store(database, 1, 2, 3, 4)
    embedder = FakeEmbedder()
    embedder.fails = "Paper 2"
    assert embed(database, embedder) == EmbeddingReport(papers=2, problem="the server is down")
    embedder.fails = None
    assert embed(database, embedder) == EmbeddingReport(papers=2)


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_text_that_the_model_refuses_holds_up_no_other_and_is_not_sent_again(database, status):
    store(database, 1, 2, 3)
    embedder = FakeEmbedder(refused="Paper 2", status=status)
    assert embed(database, embedder, batch_size=9) == EmbeddingReport(papers=2)
    assert count(database, "one") == 2
    assert embed(database, embedder) is None


def test_a_text_that_is_too_long_for_the_model_is_embedded_by_its_beginning(database):
    store(database, 1)
    store(database, 2, abstract="x" * 100)
    embedder = FakeEmbedder(refused="x" * 50)
    assert embed(database, embedder) == EmbeddingReport(papers=2)
    assert [len(text) for (text,) in embedder.asked[2:]] == [109, 54, 28]
    assert embed(database, embedder) is None


def test_an_endpoint_that_refuses_everything_costs_two_requests_and_marks_no_paper(database):
    store(database, 1, 2, 3)
    embedder = FakeEmbedder(refused="")
    assert embed(database, embedder) == EmbeddingReport(problem="too long")
    assert len(embedder.asked) == 2
    assert embed(database, FakeEmbedder()) == EmbeddingReport(papers=3)


def test_a_refused_login_is_tried_once(database):
    store(database, 1, 2, 3)
    embedder = FakeEmbedder(refused="", status=401)
    assert embed(database, embedder) == EmbeddingReport(problem="too long")
    assert len(embedder.asked) == 1


def test_another_model_replaces_the_vectors_gradually(database):
    store(database, 1, 2, 3)
    embed(database, FakeEmbedder())
    assert embed(database, FakeEmbedder("two"), most=2) == EmbeddingReport(papers=2)
    assert (count(database, "one"), count(database, "two")) == (1, 2)
    assert embed(database, FakeEmbedder("two"), most=2) == EmbeddingReport(papers=1)
    assert (count(database, "one"), count(database, "two")) == (0, 3)


def test_another_model_behind_the_same_name_replaces_vectors_of_another_size(database):
    store(database, 1, 2)
    embed(database, FakeEmbedder())
    store(database, 3)
    assert embed(database, FakeEmbedder(dimensions=5)) == EmbeddingReport(papers=1)
    assert count(database, "one") == 1
    assert embed(database, FakeEmbedder(dimensions=5)) == EmbeddingReport(papers=2)


def test_it_stops_between_two_batches(database):
    store(database, 1, 2, 3)
    answers = iter([False, True])
    assert embed(database, FakeEmbedder(), stop=lambda: next(answers)) == EmbeddingReport(papers=2)


def test_a_paper_that_is_merged_leaves_its_vector_to_the_other(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1), sighting(2)], THURSDAY)
    embed(database, FakeEmbedder())
    both = sighting(1, aliases=(PaperId("arxiv:2604.00002"),))
    with database.begin() as connection:
        added = papers.add_sightings(connection, [both], THURSDAY)
        assert added.merged == 1
        assert len(connection.execute(select(table)).all()) == 1
    assert embed(database, FakeEmbedder()) is None
