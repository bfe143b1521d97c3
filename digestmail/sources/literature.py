"""What clients of indexes of the literature have in common: plain values of limited size out of untrusted JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from digestmail.model.literature import PaperIds
from digestmail.papers.identity import find_arxiv_id, find_doi
from digestmail.text.hidden import without_hidden
from digestmail.text.truncate import at_word

_LONGEST_VENUE: Final = 160
_LONGEST_TEXT: Final = 2_000
_MOST_CITATIONS: Final = 10_000_000
_ARXIV_DOI: Final = "10.48550/arxiv."
_PREPRINT_SERVERS: Final = (
    *("arxiv", "biorxiv", "medrxiv", "chemrxiv", "psyarxiv", "socarxiv", "eartharxiv", "techrxiv", "ssrn", "osf"),
    *("preprints.org", "research square", "zenodo", "openreview", "hal", "pubmed"),
)


def count_of(value: Any) -> int | None:
    """Return a count; None if it is none, or not believable."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_CITATIONS else None


def venue_of(*values: Any) -> str | None:
    """Return the first name of a journal or conference among `values`, in one line; preprint servers do not count."""
    for value in values:
        name = at_word(without_hidden(value[:_LONGEST_TEXT]), _LONGEST_VENUE) if isinstance(value, str) else ""
        words = f"{name.lower()} "
        if name and not any(words.startswith((f"{one} ", f"{one}.", f"{one}:")) for one in _PREPRINT_SERVERS):
            return name
    return None


def arxiv_doi(arxiv_id: str) -> str:
    """Return the DOI that arXiv registers for a paper, in lower case (https://info.arxiv.org/help/doi.html)."""
    return f"{_ARXIV_DOI}{arxiv_id.lower()}"


class ByIds:
    """Finds which of the papers that were asked for an answer is about."""

    def __init__(self, papers: Sequence[PaperIds]) -> None:
        """Store the ids."""
        self._rows: dict[str, int] = {}
        for paper in papers:
            names = [f"doi:{doi}" for doi in paper.dois]
            if paper.arxiv_id is not None:
                names += [f"arxiv:{paper.arxiv_id.lower()}", f"doi:{arxiv_doi(paper.arxiv_id)}"]
            for name in names:
                self._rows.setdefault(name, paper.row_id)

    def row_of(self, *, arxiv: Iterable[Any] = (), dois: Iterable[Any] = ()) -> int | None:
        """Return the row of the paper that has one of these ids; `dois` may be links, `arxiv` too."""
        names = [f"doi:{found}" for one in _texts(dois) if (found := find_doi(one))]
        names += [f"arxiv:{found.lower()}" for one in _texts(arxiv) if (found := find_arxiv_id(one))]
        return next((self._rows[name] for name in names if name in self._rows), None)


def _texts(values: Iterable[Any]) -> list[str]:
    return [value[:_LONGEST_TEXT] for value in values if isinstance(value, str)]
