"""Summaries of papers by a language model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from digestmail.model.papers import Paper


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSummary:
    """What a language model wrote about a paper: plain text in single lines that passed `text.summary_check`."""

    language: str
    """IETF tag."""
    sentence: str
    points: tuple[str, ...] = ()
    """Three statements, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """The answer of a chat endpoint."""

    text: str
    complete: bool = True
    """False if it was cut at the limit of tokens."""
    tokens: int | None = None
    """What the endpoint counted for prompt and answer together, if it said so."""


class ChatModel(Protocol):
    """A language model; `sources.chat.ChatEndpoint`."""

    @property
    def model(self) -> str:
        """The name of the model."""
        ...

    @property
    def max_tokens(self) -> int:
        """The most tokens of an answer."""
        ...

    def ask(self, instructions: str, material: str, *, timeout: float) -> ChatAnswer:
        """Return the answer to a system message and a user message, within `timeout` seconds. Raises SourceError."""
        ...


def text_hash(paper: Paper) -> str:
    """Return a hash of the texts that a summary depends on."""
    return hashlib.sha256(f"{paper.title}\0{paper.abstract}".encode(errors="replace")).hexdigest()[:32]


def summary_in(summaries: Sequence[PaperSummary], language: str) -> PaperSummary | None:
    """Return the summary in `language`, or in the language that it is a variant of: for `de-AT` also `de`."""
    found = {one.language.lower(): one for one in summaries}
    tag = language.lower()
    return found.get(tag) or found.get(tag.partition("-")[0])
