"""`[enrichment]`: the indexes of the literature that are asked about papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from digestmail.config.fetched import HeaderValue
from digestmail.config.values import Table
from digestmail.model.literature import IndexName


class EnrichmentTable(Table):
    """`[enrichment]`: citations and venues of papers, asked for only if the table is there."""

    indexes: Annotated[tuple[IndexName, ...], Field(min_length=1)] = (IndexName.SEMANTIC_SCHOLAR,)
    semantic_scholar_key: HeaderValue | None = None
    semantic_scholar_key_file: Path | None = None
    openalex_key: HeaderValue | None = None
    openalex_key_file: Path | None = None
    days: int = Field(default=90, ge=1, le=3650)
    per_day: int = Field(default=100, ge=1)

    def secrets(self) -> Iterator[tuple[str, SecretStr | None, Path | None]]:
        """Yield each key as its name, its value and its file."""
        yield "semantic_scholar_key", self.semantic_scholar_key, self.semantic_scholar_key_file
        yield "openalex_key", self.openalex_key, self.openalex_key_file
