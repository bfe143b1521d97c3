"""`[summaries]`: the endpoint of the language model that summarizes papers."""

from __future__ import annotations

from pydantic import Field

from digestmail.config.embeddings import EndpointTable


class SummariesTable(EndpointTable):
    """`[summaries]`: an OpenAI-compatible chat endpoint, used only if the table is there."""

    per_day: int = Field(default=200, ge=1)
    tokens_per_day: int | None = Field(default=None, ge=1)
    max_characters: int = Field(default=4000, ge=500, le=20_000)
    max_tokens: int = Field(default=1500, ge=100, le=32_000)
    timeout: float = Field(default=60.0, gt=0, le=600)
    seconds_per_run: float = Field(default=120.0, gt=0, le=3600)
