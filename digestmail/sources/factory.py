"""Choose a source by its kind: the one place that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from digestmail.sources.arxiv_api import ArxivApi
from digestmail.sources.arxiv_feed import ArxivFeed
from digestmail.sources.base import Fetcher, Source
from digestmail.sources.biorxiv import Biorxiv
from digestmail.sources.crossref import Crossref
from digestmail.sources.feed import Feed
from digestmail.sources.github import Github
from digestmail.sources.huggingface import HuggingFace
from digestmail.sources.oai import Oai
from digestmail.sources.openreview import OpenReview
from digestmail.sources.pubmed import PubMed
from digestmail.sources.zotero_items import Zotero

KINDS: Final[dict[str, Callable[..., Source]]] = {
    "huggingface": HuggingFace,
    "arxiv-feed": ArxivFeed,
    "arxiv-api": ArxivApi,
    "feed": Feed,
    "biorxiv": Biorxiv,
    "oai": Oai,
    "openreview": OpenReview,
    "pubmed": PubMed,
    "crossref": Crossref,
    "github": Github,
    "zotero": Zotero,
}
"""What reads each kind of source; its options are the keys of the kind's table in the configuration."""


def make_source(kind: str, fetcher: Fetcher, **options: Any) -> Source:
    """Return the source of this kind. It fetches through `fetcher` and has read nothing yet.

    Raises KeyError for an unknown kind and TypeError for an option the kind does not have.
    """
    return KINDS[kind](fetcher=fetcher, **options)
