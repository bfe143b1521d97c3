"""The formats that papers can be cited in, and a file in one of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum

from digestmail.model.papers import Paper
from digestmail.papers.citations.bibtex import bibtex_entry
from digestmail.papers.citations.csl_json import csl_item
from digestmail.papers.citations.reference import Reference, reference
from digestmail.papers.citations.ris import ris_record


class CitationFormat(StrEnum):
    """A format for reference managers."""

    BIBTEX = "bibtex"
    RIS = "ris"
    CSL_JSON = "csl-json"

    @property
    def media_type(self) -> str:
        """Return the type that servers send it as."""
        return _MEDIA_TYPES[self]

    @property
    def extension(self) -> str:
        """Return how names of its files end, without the dot."""
        return _EXTENSIONS[self]


_MEDIA_TYPES = {
    CitationFormat.BIBTEX: "application/x-bibtex",
    CitationFormat.RIS: "application/x-research-info-systems",
    CitationFormat.CSL_JSON: "application/vnd.citationstyles.csl+json",
}
_EXTENSIONS = {CitationFormat.BIBTEX: "bib", CitationFormat.RIS: "ris", CitationFormat.CSL_JSON: "csl.json"}


def cite(papers: Iterable[Paper], wanted: CitationFormat) -> str:
    """Return a file that cites each of `papers` once, in the order they come in."""
    references = list({paper.id: reference(paper) for paper in papers}.values())
    match wanted:
        case CitationFormat.BIBTEX:
            return "\n".join(map(bibtex_entry, references))
        case CitationFormat.RIS:
            return "\r\n".join(map(ris_record, references))
        case CitationFormat.CSL_JSON:
            return _json(references)


def _json(references: Iterable[Reference]) -> str:
    return json.dumps([csl_item(one) for one in references], ensure_ascii=False, indent=2) + "\n"
