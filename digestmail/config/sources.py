"""`[[sources]]`: one table for each kind of source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from digestmail.config.values import Category, FeedAddress, Name, Table, WebAddress


class HuggingFaceTable(Table):
    """`[[sources]]` with `kind = "huggingface"`."""

    name: Name
    kind: Literal["huggingface"]
    base_url: WebAddress = "https://huggingface.co"


class ArxivFeedTable(Table):
    """`[[sources]]` with `kind = "arxiv-feed"`."""

    name: Name
    kind: Literal["arxiv-feed"]
    base_url: WebAddress = "https://rss.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    include_cross: bool = True
    include_replacements: bool = False


class ArxivApiTable(Table):
    """`[[sources]]` with `kind = "arxiv-api"`."""

    name: Name
    kind: Literal["arxiv-api"]
    base_url: WebAddress = "https://export.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    query: str = ""


class FeedTable(Table):
    """`[[sources]]` with `kind = "feed"`."""

    name: Name
    kind: Literal["feed"]
    url: FeedAddress


AnySource = HuggingFaceTable | ArxivFeedTable | ArxivApiTable | FeedTable
SourceTable = Annotated[AnySource, Field(discriminator="kind")]
