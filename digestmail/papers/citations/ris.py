"""RIS records, as Zotero, EndNote and Mendeley import them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from digestmail.papers.citations.authors import AuthorName, GroupName
from digestmail.papers.citations.reference import Reference, WorkType

_TYPES: Final = {WorkType.PREPRINT: "UNPB", WorkType.PUBLICATION: "GEN", WorkType.WEB_PAGE: "ELEC"}
"""RIS has no type for preprints. UNPB is what EndNote calls an unpublished work and Zotero a manuscript."""


def ris_record(reference: Reference) -> str:
    """Return `reference` as one record, from TY to ER, each line ended by CR and LF."""
    return "".join(f"{tag}  - {value}\r\n" for tag, value in _fields(reference))


def _fields(reference: Reference) -> Iterator[tuple[str, str]]:
    yield "TY", _TYPES[reference.type]
    yield "ID", reference.key
    yield "TI", reference.title
    for author in reference.authors:
        yield "AU", _author(author)
    day = reference.published_on
    if day is not None:
        yield "PY", f"{day.year:04d}"
        yield "DA", f"{day:%Y/%m/%d}/"
    if reference.type is WorkType.PREPRINT:
        yield "M3", "Preprint"
    for tag, value in (
        ("DB", reference.repository),
        ("AN", f"arXiv:{reference.arxiv_id}" if reference.arxiv_id else ""),
        ("DO", reference.doi),
        ("UR", reference.url),
        ("AB", reference.abstract),
    ):
        if value:
            yield tag, value
    for keyword in reference.keywords:
        yield "KW", keyword
    yield "ER", ""


def _author(author: AuthorName) -> str:
    """Return `Family, Given, Suffix`, or the name of a group.

    Commas inside the name of a group would split it. One at its end keeps EndNote from taking the last word for a
    family name (EndNote's documentation, "Author and Editor Names").
    """
    if isinstance(author, GroupName):
        words = author.name.replace(",", " ").split()
        return " ".join(words) + ("," if len(words) > 1 else "")
    last = f"{author.particle} {author.family}" if author.particle else author.family
    return ", ".join(filter(None, (last, author.given, author.suffix)))
