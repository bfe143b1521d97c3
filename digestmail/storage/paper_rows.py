"""Converts papers to rows and back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.storage.schema import paper_aliases, papers
from digestmail.storage.upsert import chunks


def columns(paper: Paper) -> dict[str, Any]:
    """Return the columns of `paper` besides its key and times."""
    return {
        "origin": int(paper.origin),
        "title": paper.title,
        "abstract": paper.abstract,
        "raw_title": paper.raw_title,
        "raw_abstract": paper.raw_abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "keywords": list(paper.keywords),
        "published_at": paper.published_at,
        "link": paper.link,
        "summary": paper.summary,
        "organization": paper.organization,
        "comment": paper.comment,
        "discussion_url": paper.discussion_url,
        "code_url": paper.code_url,
        "project_url": paper.project_url,
        "thumbnail_url": paper.thumbnail_url,
        "withdrawn": paper.withdrawn,
    }


def from_row(row: Row[Any], aliases: Iterable[str]) -> Paper:
    """Return the paper of a row of `papers` and its aliases."""
    return Paper(
        id=PaperId(row.key),
        aliases=tuple(sorted(PaperId(alias) for alias in aliases if alias != row.key)),
        origin=Origin(row.origin),
        title=row.title,
        abstract=row.abstract,
        raw_title=row.raw_title,
        raw_abstract=row.raw_abstract,
        authors=tuple(row.authors),
        categories=tuple(row.categories),
        keywords=tuple(row.keywords),
        published_at=row.published_at,
        link=row.link,
        summary=row.summary,
        organization=row.organization,
        comment=row.comment,
        discussion_url=row.discussion_url,
        code_url=row.code_url,
        project_url=row.project_url,
        thumbnail_url=row.thumbnail_url,
        withdrawn=row.withdrawn,
    )


def row_ids(connection: Connection, paper_ids: Collection[PaperId]) -> dict[PaperId, int]:
    """Return the rows of those ids and aliases that are stored."""
    found: dict[PaperId, int] = {}
    for some in chunks(sorted(paper_ids)):
        statement = select(paper_aliases).where(paper_aliases.c.alias.in_(some))
        found.update({PaperId(row.alias): row.paper_id for row in connection.execute(statement)})
    return found


def load(connection: Connection, row_ids: Iterable[int]) -> Iterator[tuple[int, Paper]]:
    """Yield (row id, paper) for these rows, in the order of the row ids."""
    for some in chunks(sorted(row_ids)):
        aliases: dict[int, list[str]] = {}
        for row in connection.execute(select(paper_aliases).where(paper_aliases.c.paper_id.in_(some))):
            aliases.setdefault(row.paper_id, []).append(row.alias)
        for row in connection.execute(select(papers).where(papers.c.id.in_(some)).order_by(papers.c.id)):
            yield row.id, from_row(row, aliases.get(row.id, ()))
