"""`[embeddings]`: the endpoint that makes vectors of papers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from digestmail.config.sources import HeaderValue
from digestmail.config.values import Line, Table, WebAddress


class EmbeddingsTable(Table):
    """`[embeddings]`: an OpenAI-compatible endpoint, used only if the table is there."""

    url: WebAddress
    model: Line
    api_key: HeaderValue | None = None
    api_key_file: Path | None = None
    batch_size: int = Field(default=32, ge=1, le=2048)
    papers_per_run: int = Field(default=2000, ge=1)
    max_characters: int = Field(default=2000, ge=100)
    timeout: float = Field(default=60.0, gt=0, le=3600)
