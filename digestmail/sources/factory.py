"""Choose a source by its kind: the one place that does."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from digestmail.sources.base import Fetcher, Source

KINDS: Final[dict[str, tuple[str, str]]] = {
    "huggingface": ("huggingface", "HuggingFace"),
    "arxiv-feed": ("arxiv_feed", "ArxivFeed"),
    "arxiv-api": ("arxiv_api", "ArxivApi"),
    "feed": ("feed", "Feed"),
    "biorxiv": ("biorxiv", "Biorxiv"),
    "oai": ("oai", "Oai"),
    "openreview": ("openreview", "OpenReview"),
    "pubmed": ("pubmed", "PubMed"),
    "crossref": ("crossref", "Crossref"),
    "github": ("github", "Github"),
    "zotero": ("zotero_items", "Zotero"),
}
"""The module and the class that read each kind of source; its options are the keys of the kind's table in the
configuration. A module is imported when a source of its kind is made."""


def make_source(kind: str, fetcher: Fetcher, **options: Any) -> Source:
    """Return the source of this kind. It fetches through `fetcher` and has read nothing yet.

    Raises KeyError for an unknown kind and TypeError for an option the kind does not have.
    """
    module, name = KINDS[kind]
    made: Callable[..., Source] = getattr(import_module(f"digestmail.sources.{module}"), name)
    return made(fetcher=fetcher, **options)
