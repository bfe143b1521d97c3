"""CSL-JSON items (CSL 1.0.2, csl-data.json), as pandoc, Zotero and citeproc-js read them. Pure."""

from __future__ import annotations

from typing import Any, Final

from digestmail.papers.citations.authors import AuthorName, GroupName
from digestmail.papers.citations.reference import Reference, WorkType

_TYPES: Final = {WorkType.PREPRINT: "article", WorkType.PUBLICATION: "document", WorkType.WEB_PAGE: "webpage"}
"""`article` is CSL's type for preprints: made widely available, but not published in a journal."""


def csl_item(reference: Reference) -> dict[str, Any]:
    """Return `reference` as one item; what is not known is left out."""
    day = reference.published_on
    item = {
        "id": reference.key,
        "citation-key": reference.key,
        "type": _TYPES[reference.type],
        "title": reference.title,
        "author": list(map(_author, reference.authors)),
        "issued": {"date-parts": [[day.year, day.month, day.day]]} if day else None,
        "genre": "Preprint" if reference.type is WorkType.PREPRINT else "",
        "publisher": reference.repository,
        "number": f"arXiv:{reference.arxiv_id}" if reference.arxiv_id else "",
        "DOI": reference.doi,
        "URL": reference.url,
        "abstract": reference.abstract,
        "keyword": ", ".join(reference.keywords),
    }
    return {name: value for name, value in item.items() if value}


def _author(author: AuthorName) -> dict[str, str]:
    if isinstance(author, GroupName):
        return {"literal": author.name}
    parts = {
        "family": author.family,
        "given": author.given,
        "non-dropping-particle": author.particle,
        "suffix": author.suffix,
    }
    return {name: part for name, part in parts.items() if part}
