"""How much each term of a text counts: rare terms more than frequent ones (TF-IDF).

The weight of a term is ln((1 + papers) / (1 + papers with the term)) + 1, so that terms which most papers contain still
count a little. Without the final 1, they would not count at all, and papers about the same things by different methods
could not be told apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text


class TermWeights:
    """The weights of terms, counted in some papers."""

    def __init__(self, texts: Iterable[Text]) -> None:
        """Count the papers `texts`. Terms of one paper are not kept: they count like unknown ones."""
        counts: Counter[str] = Counter()
        papers = 0
        for text in texts:
            counts.update(terms_of(text).keys())
            papers += 1
        self._weights = {term: _weight(papers, count) for term, count in counts.items() if count > 1}
        self._unknown = _weight(papers, 1)

    def vector(self, text: Text) -> dict[str, float]:
        """Return the terms of a text with their weights in it, as a vector of length 1; empty for an empty text."""
        weighted = {
            term: frequency * self._weights.get(term, self._unknown)
            for term, frequency in frequencies(terms_of(text)).items()
        }
        length = math.sqrt(math.fsum(weight * weight for weight in weighted.values()))
        return {term: weight / length for term, weight in weighted.items()}


def _weight(papers: int, papers_with: int) -> float:
    return math.log((1 + papers) / (1 + min(papers_with, papers))) + 1
