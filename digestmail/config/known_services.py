"""Addresses of services that digestmail reads through their APIs, as people copy them from a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import ValidationError

from digestmail.config.sources import (
    AnySource,
    ArxivFeedTable,
    BiorxivTable,
    CrossrefTable,
    GithubTable,
    HuggingFaceTable,
    OaiTable,
    OpenReviewTable,
    PubMedTable,
    ZoteroTable,
)

_PREPRINTS: Final = {
    "chemrxiv.org": "10.26434",
    "ssrn.com": "10.2139",
    "papers.ssrn.com": "10.2139",
    "psyarxiv.com": "10.31234",
    "socarxiv.org": "10.31235",
    "edarxiv.org": "10.35542",
    "researchsquare.com": "10.21203",
    "preprints.org": "10.20944",
    "techrxiv.org": "10.36227",
    "essopenarchive.org": "10.22541",
    "authorea.com": "10.22541",
}
"""Servers whose papers are read from Crossref, with the prefix of their DOIs."""
_FEED = re.compile(r"feed|rss|\.xml|\.atom", re.IGNORECASE)
"""Some of these servers have feeds as well."""
_Query = Mapping[str, list[str]]
_Found = Mapping[str, Any] | None


def service_of(address: str, name: str) -> AnySource | None:
    """Return a table called `name` for a page or feed of a service; None if the address is of no known service."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    path, query = unquote(parts.path).strip("/"), parse_qs(parts.query)
    try:
        for table, read in _SERVICES.get(host, ()):
            if (keys := read(path, query)) is not None:
                return table(name=name, **keys)
        if host in _PREPRINTS and not _FEED.search(address):
            return CrossrefTable(name=name, kind="crossref", prefixes=(_PREPRINTS[host],))
        if query.get("verb") and parts.scheme in {"http", "https"}:
            return OaiTable(name=name, kind="oai", url=parts._replace(query="", fragment="").geturl(), **_set(query))
    except ValidationError:
        return None
    return None


def title_of(table: AnySource, address: str) -> str:
    """Return what a source for `address` may be called."""
    if isinstance(table, GithubTable):
        return table.repositories[0].rpartition("/")[2]
    if isinstance(table, HuggingFaceTable):
        return " ".join(("huggingface", table.query or table.list))
    host = (urlsplit(address).hostname or "").removeprefix("www.").removeprefix("api.")
    return host.rpartition(".")[0] if isinstance(table, CrossrefTable) else ""


def _set(query: _Query) -> dict[str, Any]:
    return {"set": query["set"][0]} if "set" in query else {}


def _hugging_face(path: str, query: _Query) -> _Found:
    if path == "papers/trending":
        return {"kind": "huggingface", "list": "trending"}
    if path == "papers" and "q" in query:
        return {"kind": "huggingface", "query": query["q"][0]}
    return {"kind": "huggingface"} if re.fullmatch(r"papers(?:/(?:date|week|month)/[\w-]+)?", path) else None


def _arxiv_feed(path: str, _query: _Query) -> _Found:
    found = re.fullmatch(r"(?:rss|atom)/([A-Za-z.+*-]+)", path)
    return {"kind": "arxiv-feed", "categories": tuple(found[1].split("+"))} if found else None


def _arxiv_list(path: str, _query: _Query) -> _Found:
    found = re.fullmatch(r"list/([A-Za-z.-]+)/(?:new|recent|pastweek|current)", path)
    return {"kind": "arxiv-feed", "categories": (found[1],)} if found else None


def _repository(path: str, _query: _Query) -> _Found:
    found = re.fullmatch(r"([\w-]+/[\w.-]+?)(?:\.git)?(?:/(?:releases|tags)(?:\.atom|/.*)?)?", path, re.ASCII)
    return {"kind": "github", "repositories": (found[1],)} if found else None


def _zotero(path: str, _query: _Query) -> _Found:
    found = re.match(r"groups/([1-9][0-9]*)(?:/.*?collections/([A-Z0-9]{8}))?", path)
    if found is None:
        return None
    return {"kind": "zotero", "library": f"groups/{found[1]}"} | ({"collection": found[2]} if found[2] else {})


def _venue(path: str, query: _Query) -> _Found:
    return {"kind": "openreview", "venues": (query["id"][0],)} if path in {"group", "venue"} and "id" in query else None


def _pubmed(path: str, query: _Query) -> _Found:
    return {"kind": "pubmed", "query": query["term"][0]} if not path and "term" in query else None


def _biorxiv(server: str) -> Callable[[str, _Query], _Found]:
    return lambda path, _query: {"kind": "biorxiv", "server": server} if not path else None


def _crossref(path: str, query: _Query) -> _Found:
    found = re.match(r"(?:v1/)?(?:journals/([0-9Xx-]{8,9})|prefixes/(10\.[0-9.]+))(?:/works)?$", path)
    if found:
        return {"kind": "crossref"} | ({"issns": (found[1],)} if found[1] else {"prefixes": (found[2],)})
    filters = [one.partition(":") for one in ",".join(query.get("filter", [])).split(",")]
    for key, name in (("prefixes", "prefix"), ("issns", "issn")):
        if values := tuple(value for given, _, value in filters if given == name):
            return {"kind": "crossref", key: values}
    return None


_SERVICES: Final[Mapping[str, tuple[tuple[Callable[..., AnySource], Callable[[str, _Query], _Found]], ...]]] = {
    "huggingface.co": ((HuggingFaceTable, _hugging_face),),
    "rss.arxiv.org": ((ArxivFeedTable, _arxiv_feed),),
    "export.arxiv.org": ((ArxivFeedTable, _arxiv_feed), (ArxivFeedTable, _arxiv_list)),
    "arxiv.org": ((ArxivFeedTable, _arxiv_list),),
    "github.com": ((GithubTable, _repository),),
    "zotero.org": ((ZoteroTable, _zotero),),
    "api.zotero.org": ((ZoteroTable, _zotero),),
    "openreview.net": ((OpenReviewTable, _venue),),
    "pubmed.ncbi.nlm.nih.gov": ((PubMedTable, _pubmed),),
    "biorxiv.org": ((BiorxivTable, _biorxiv("biorxiv")),),
    "medrxiv.org": ((BiorxivTable, _biorxiv("medrxiv")),),
    "api.crossref.org": ((CrossrefTable, _crossref),),
}
