"""Indexes of the literature, and what they know about papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol


class IndexName(StrEnum):
    """An index of the literature."""

    SEMANTIC_SCHOLAR = "semantic-scholar"
    OPENALEX = "openalex"


INDEX_TITLES: Final = {IndexName.SEMANTIC_SCHOLAR: "Semantic Scholar", IndexName.OPENALEX: "OpenAlex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperIds:
    """The ids by which an index may know a paper."""

    row_id: int
    arxiv_id: str | None = None
    dois: tuple[str, ...] = ()
    """In lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRecord:
    """What an index knows about a paper."""

    source: IndexName
    citations: int | None = None
    venue: str | None = None
    """The journal or conference; None if it is unknown, or only a preprint server."""
    url: str | None = None
    """Where the index shows the paper, https."""
    read_at: datetime | None = None


class LiteratureIndex(Protocol):
    """An index; `sources.semantic_scholar.SemanticScholar`, `sources.openalex.OpenAlex`."""

    @property
    def name(self) -> IndexName:
        """The name of the index."""
        ...

    @property
    def batch_size(self) -> int:
        """The most papers of one request."""
        ...

    def look_up(self, papers: Sequence[PaperIds]) -> dict[int, IndexRecord]:
        """Return what is known, by row id; papers that the index does not know are left out. Raises SourceError."""
        ...
