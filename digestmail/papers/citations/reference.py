"""A paper as a bibliographic reference, before any format: what it is, who wrote it, where it can be found. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from digestmail.model.papers import Paper
from digestmail.papers.citations.authors import AuthorName, author_names, has_others
from digestmail.papers.citations.plain import one_line, to_ascii

_ARXIV_ID = re.compile(r"[0-9]{4}\.[0-9]{4,5}|[a-z-]+/[0-9]{7}")
_LONGEST_NAME: Final = 60
_DIGEST_LENGTH: Final = 10
_PREPRINT_SERVERS: Final = {
    "10.1101": "",  # bioRxiv and medRxiv share both prefixes
    "10.64898": "",
    "10.48550": "arXiv",
    "10.20944": "Preprints.org",
    "10.21203": "Research Square",
    "10.26434": "ChemRxiv",
    "10.31219": "OSF Preprints",
    "10.31234": "PsyArXiv",
    "10.31235": "SocArXiv",
    "10.36227": "TechRxiv",
}
"""DOI prefixes that belong to one preprint server, and its name where it is only one."""
_PREPRINT_SITES: Final = {"biorxiv.org": "bioRxiv", "medrxiv.org": "medRxiv"}


class WorkType(StrEnum):
    """What a paper is, as far as its identifier says."""

    PREPRINT = "preprint"
    PUBLICATION = "publication"
    """It has a DOI, but from no known preprint server; in which journal it appeared is not known."""
    WEB_PAGE = "web page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Everything that a bibliography says about one paper. Texts are on one line; unknown ones are empty."""

    key: str
    type: WorkType
    title: str
    authors: tuple[AuthorName, ...]
    more_authors: bool
    """Whether the source says that there are more authors than it names."""
    published_on: date | None
    """The UTC day."""
    repository: str
    """The preprint server."""
    arxiv_id: str
    primary_category: str
    doi: str
    url: str
    """Percent-encoded, http or https."""
    abstract: str
    keywords: tuple[str, ...]


def reference(paper: Paper) -> Reference:
    """Return the reference of `paper`."""
    kind, _, number = paper.id.partition(":")
    arxiv_id = one_line(number) if kind == "arxiv" else ""
    dois = [one.partition(":")[2] for one in (paper.id, *paper.aliases) if one.startswith("doi:")]
    doi = one_line(dois[0]) if dois else ""
    prefix = doi.partition("/")[0]
    preprint = bool(arxiv_id) or prefix in _PREPRINT_SERVERS
    return Reference(
        key=citation_key(paper),
        type=WorkType.PREPRINT if preprint else WorkType.PUBLICATION if doi else WorkType.WEB_PAGE,
        title=one_line(paper.title) or "Untitled",
        authors=author_names(paper.authors, paper.organization or ""),
        more_authors=has_others(paper.authors),
        published_on=paper.published_at.date() if paper.published_at else None,
        repository="arXiv" if arxiv_id else (_PREPRINT_SERVERS.get(prefix) or _site(paper.link)) if preprint else "",
        arxiv_id=arxiv_id,
        primary_category=one_line(paper.categories[0]) if arxiv_id and paper.categories else "",
        doi=doi,
        url=_address(paper.link),
        abstract=one_line(paper.abstract),
        keywords=tuple(filter(None, map(one_line, paper.keywords))),
    )


def citation_key(paper: Paper) -> str:
    """Return the key under which documents cite `paper`: `arxiv-2604.00001`, `doi-10.1101-2026.04.02-3f2a9c1b40`.

    It is made from the paper's ID alone, so two papers never share a key, and a key does not change when a title or
    an author is corrected. It holds letters, digits, full stops and single hyphens, which BibTeX, biber and pandoc all
    accept. Other IDs than those of arXiv lose something on the way, so a hash of the whole ID follows.
    """
    kind, _, number = paper.id.partition(":")
    if kind == "arxiv" and _ARXIV_ID.fullmatch(number):
        return f"arxiv-{number.replace('/', '-')}"
    name = re.sub(r"[^a-z0-9.]+|\.(?![a-z0-9])|(?<![a-z0-9])\.", "-", to_ascii(number))
    name = re.sub(r"-{2,}", "-", name)[:_LONGEST_NAME].strip("-.")
    mark = hashlib.sha256(paper.id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return "-".join(filter(None, (kind, name, mark)))


def _address(link: str) -> str:
    """Return `link` with the characters percent-encoded that end a field or a URL in one of the formats."""
    address = quote(one_line(link), safe="!#$%&'()*+,/:;=?@[]~")
    return address if address.startswith(("http://", "https://")) else ""


def _site(link: str) -> str:
    """Return the preprint server at `link` that shares its DOI prefix with another one."""
    return next((name for host, name in _PREPRINT_SITES.items() if re.match(rf"https?://(?:\w+\.)*{host}/", link)), "")
