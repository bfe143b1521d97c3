"""Files of reference managers, BibTeX or RIS, as the papers of a reading list. Pure.

Files may come from strangers: what is read is bounded before it is parsed, and a broken entry stops no other one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import PaperId
from digestmail.model.personal import KnownPaper
from digestmail.sources.bibtex_file import BLOCK_START, read_bibtex
from digestmail.sources.bounds import shortened
from digestmail.sources.encoding import decode
from digestmail.sources.plaintext import plain_text
from digestmail.sources.reading_list import ids_in
from digestmail.sources.reference_entry import ReferenceEntry
from digestmail.sources.ris_file import RECORD_START, read_ris
from digestmail.text.tex import readable

MOST_BYTES: Final = 1_000_000
"""The size of a file from a stranger."""
MOST_PAPERS: Final = 500
"""The number of papers of one file that are returned, the newest ones."""
_TITLE: Final = 500
_ABSTRACT: Final = 2_000
_RAW: Final = 4
"""How many times longer a text may be before TeX and HTML are removed."""
_BRACES: Final = str.maketrans("", "", "{}")
_NAMED_BRACE = re.compile(r"\\textbrace(?:left|right)(?:\{\}|(?![A-Za-z]))")
_ENCODING: Final = "text/plain; charset=windows-1252"
"""What is not UTF-8 and has no byte order mark. These files are too small and too English to guess from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFile:
    """The papers of a file, and how many entries are not among them."""

    papers: tuple[KnownPaper, ...]
    ids: tuple[tuple[PaperId, ...], ...]
    """The ids of each of them, if it has no abstract; for others and without ids empty."""
    broken: int
    """Entries that cannot be read or have no title."""
    over: int
    """Entries over the limit. Of those with a year, the newest were kept. The end of a huge file is not counted."""


def read_references(content: bytes, *, most_bytes: int = MOST_BYTES) -> ReferenceFile:
    """Return the papers of a BibTeX or RIS file, in any encoding that is common.

    Raises SourceUnreadableError if it is too large, or if it contains no entry of either format.
    """
    if len(content) > most_bytes:
        raise SourceUnreadableError(f"has more than {most_bytes:,} bytes: export a part of your library")
    text = decode(content, _ENCODING).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    bibtex, ris = BLOCK_START.search(text), RECORD_START.search(text)
    if bibtex is None and ris is None:
        raise SourceUnreadableError("is neither BibTeX nor RIS: export your library in one of these formats")
    is_ris = ris is not None and (bibtex is None or ris.start() < bibtex.start())
    found = list(read_ris(text) if is_ris else read_bibtex(text))
    entries = [entry for entry in found if entry is not None]
    kept = sorted(entries, key=lambda entry: -entry.year)[:MOST_PAPERS] if len(entries) > MOST_PAPERS else entries
    read = [(paper, entry) for entry in kept if (paper := _paper(entry)).title]
    return ReferenceFile(
        papers=tuple(paper for paper, _ in read),
        ids=tuple(() if paper.abstract else ids_in(entry.named) for paper, entry in read),
        broken=len(found) - len(entries) + len(kept) - len(read),
        over=len(entries) - len(kept),
    )


def _paper(entry: ReferenceEntry) -> KnownPaper:
    return KnownPaper(title=_clean(entry.title, _TITLE, entry), abstract=_clean(entry.abstract, _ABSTRACT, entry))


def _clean(text: str, longest: int, entry: ReferenceEntry) -> str:
    text = text[: _RAW * longest]
    if entry.tex:
        text = _NAMED_BRACE.sub("", text)
    text = readable(plain_text(text))
    if entry.tex:
        text = " ".join(text.translate(_BRACES).split())
    return shortened(text, longest).strip()
