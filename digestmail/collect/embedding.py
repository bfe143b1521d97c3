"""Gets the embeddings of papers that have none, the newest first."""

from __future__ import annotations

from collections.abc import Sequence

from digestmail.errors import SourceError
from digestmail.model.embeddings import Embedder, packed
from digestmail.model.reports import EmbeddingReport, Stop
from digestmail.storage import paper_embeddings
from digestmail.storage.database import Database
from digestmail.storage.paper_embeddings import Unembedded
from digestmail.storage.upsert import chunks

_ABOUT_A_TEXT = frozenset({400, 413, 422, 500})
"""Statuses by which servers refuse a text that is too long: OpenAI and Ollama 400, text-embeddings-inference 413, some
others 422, llama.cpp 500."""
_PARTS = (1, 2, 4)
_REFUSED = b""
_HARMLESS = "paper"
"""A text that every model takes."""


def embed_papers(
    database: Database, embedder: Embedder, *, most: int, batch_size: int, stop: Stop
) -> EmbeddingReport | None:
    """Store the embeddings of up to `most` papers that have none by this model; None if there are no such papers.

    Each batch is stored at once. The first failure ends it, is reported, and the next call continues there. If a batch
    is refused, its texts are sent one by one, and shorter; those that are refused even so are recorded and not sent
    again.
    """
    with database.connect() as connection:
        waiting = paper_embeddings.without_embedding(connection, embedder.model, most)
    if not waiting:
        return None
    embedded = 0
    for batch in chunks(waiting, batch_size):
        if stop():
            break
        try:
            vectors = _embed_batch(embedder, batch)
        except SourceError as error:
            return EmbeddingReport(papers=embedded, problem=str(error))
        with database.begin() as connection:
            paper_embeddings.store(connection, embedder.model, vectors)
        embedded += sum(bool(vector) for _, vector in vectors)
    return EmbeddingReport(papers=embedded)


def _embed_batch(embedder: Embedder, batch: Sequence[Unembedded]) -> list[tuple[int, bytes]]:
    try:
        vectors = embedder.embed([_text(paper) for paper in batch])
    except SourceError as error:
        if error.status not in _ABOUT_A_TEXT:
            raise
        embedder.embed([_HARMLESS])  # raises if the refusal is not about a text
        return [(paper.row_id, _embed_alone(embedder, paper)) for paper in batch]
    return [(paper.row_id, packed(vector)) for paper, vector in zip(batch, vectors, strict=True)]


def _embed_alone(embedder: Embedder, paper: Unembedded) -> bytes:
    """Return the vector of a text, or of its beginning if the model cannot read all of it."""
    text = _text(paper)
    for part in _PARTS:
        try:
            return packed(embedder.embed([text[: len(text) // part]])[0])
        except SourceError as error:
            if error.status not in _ABOUT_A_TEXT:
                raise
    return _REFUSED


def _text(paper: Unembedded) -> str:
    return f"{paper.title}. {paper.abstract}"
