"""The summaries of papers by a language model, one for each paper and language."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection, delete, select

from digestmail.model.papers import Paper, PaperId
from digestmail.model.summaries import PaperSummary, text_hash
from digestmail.storage import paper_rows
from digestmail.storage.schema import paper_summaries, storable_text
from digestmail.storage.upsert import chunks, insert

MOST_REFUSED: Final = 2
"""After so many answers that did not pass the checks, a paper gets no summary."""


def of_papers(connection: Connection, model: str, wanted: Collection[Paper]) -> dict[PaperId, tuple[PaperSummary, ...]]:
    """Return the summaries by `model` of the texts that these papers have now, by language."""
    found: dict[PaperId, list[PaperSummary]] = {}
    hashes = {paper.id: text_hash(paper) for paper in wanted}
    rows = paper_rows.row_ids(connection, hashes.keys())
    by_row = {row_id: paper_id for paper_id, row_id in rows.items()}
    s = paper_summaries.c
    for some in chunks(sorted(by_row)):
        statement = select(paper_summaries).where(s.paper_id.in_(some), s.model == model, s.sentence != "")
        for row in connection.execute(statement.order_by(s.language)):
            paper_id = by_row[row.paper_id]
            if row.text_hash == hashes[paper_id]:
                one = PaperSummary(language=row.language, sentence=row.sentence, points=tuple(row.points))
                found.setdefault(paper_id, []).append(one)
    return {paper_id: tuple(summaries) for paper_id, summaries in found.items()}


def lacking(connection: Connection, model: str, wanted: Sequence[tuple[Paper, str]]) -> list[tuple[Paper, str]]:
    """Return those of the papers and languages that have no summary by `model` and may get one, in their order."""
    rows = paper_rows.row_ids(connection, {paper.id for paper, _ in wanted})
    s = paper_summaries.c
    done: set[tuple[int, str, str]] = set()
    for some in chunks(sorted(set(rows.values()))):
        statement = select(s.paper_id, s.language, s.text_hash).where(s.paper_id.in_(some), s.model == model)
        final = (s.sentence != "") | (s.refused >= MOST_REFUSED)
        done.update((row.paper_id, row.language, row.text_hash) for row in connection.execute(statement.where(final)))
    return [
        (paper, language)
        for paper, language in wanted
        if paper.id in rows and (rows[paper.id], language, text_hash(paper)) not in done
    ]


def store(connection: Connection, model: str, paper: Paper, summary: PaperSummary) -> None:
    """Store a summary in place of an earlier one in the same language."""
    _put(connection, model, paper, summary, problem="", refused=0)


def store_refusal(connection: Connection, model: str, paper: Paper, language: str, problem: str) -> None:
    """Record that an answer was refused, and why."""
    s = paper_summaries.c
    row_id = paper_rows.row_ids(connection, [paper.id]).get(paper.id)
    before = select(s.refused).where(
        s.paper_id == row_id, s.language == language, s.model == model, s.text_hash == text_hash(paper)
    )
    refused = (connection.execute(before).scalar() or 0) + 1
    nothing = PaperSummary(language=language, sentence="")
    _put(connection, model, paper, nothing, problem=storable_text(problem), refused=refused)


def _put(
    connection: Connection, model: str, paper: Paper, summary: PaperSummary, *, problem: str, refused: int
) -> None:
    row_id = paper_rows.row_ids(connection, [paper.id]).get(paper.id)
    if row_id is None:
        return
    values = {
        "model": model,
        "text_hash": text_hash(paper),
        "sentence": summary.sentence,
        "points": list(summary.points),
        "problem": problem,
        "refused": refused,
    }
    statement = insert(connection, paper_summaries).values(paper_id=row_id, language=summary.language, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["paper_id", "language"], set_=values))


def drop(connection: Connection, row_id: int) -> None:
    """Remove the summaries of the paper in this row, which was merged into another."""
    connection.execute(delete(paper_summaries).where(paper_summaries.c.paper_id == row_id))
