"""`[embeddings]`: the endpoint that makes vectors of papers, and the keys of every OpenAI-compatible endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from digestmail.config.fetched import HeaderValue
from digestmail.config.values import Line, Table, WebAddress


def _check_endpoint(value: str) -> str:
    from digestmail.errors import SourceRefusedError
    from digestmail.sources.http.ssrf import parse_target

    try:
        parse_target(value)
    except SourceRefusedError as error:
        raise ValueError(str(error)) from error
    return value


class EndpointTable(Table):
    """Where an OpenAI-compatible endpoint is, and the key for it."""

    url: Annotated[WebAddress, AfterValidator(_check_endpoint)]
    model: Line
    api_key: HeaderValue | None = None
    api_key_file: Path | None = None


class EmbeddingsTable(EndpointTable):
    """`[embeddings]`: an OpenAI-compatible endpoint, used only if the table is there."""

    batch_size: int = Field(default=32, ge=1, le=2048)
    papers_per_run: int = Field(default=2000, ge=1)
    max_characters: int = Field(default=2000, ge=100)
    timeout: float = Field(default=60.0, gt=0, le=3600)
