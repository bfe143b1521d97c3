"""Finds papers like a given one. Read-only, and the same cost in a database of any size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Final

from digestmail.model.papers import Paper
from digestmail.selection.related import most_like, preselect, search_phrases
from digestmail.selection.tokenize import read, read_text
from digestmail.storage import paper_rows, papers, related_papers
from digestmail.storage.database import Database

_SHOWN: Final = 5
_PHRASES: Final = 12
_OF_EACH: Final = 30
_SEARCH_SECONDS: Final = 0.3
_COMPARED: Final = 80
"""Each takes half a millisecond."""


def related(database: Database, paper: Paper, monotonic: Callable[[], float]) -> tuple[Paper, ...]:
    """Return stored papers like `paper`, most alike first; none if it has no abstract or nothing is alike.

    When the search has taken its time by `monotonic` (seconds), the remaining phrases, which tell less, are left out.
    """
    ends = monotonic() + _SEARCH_SECONDS
    with database.connect() as connection:
        row = papers.row_ids(connection, [paper.id]).get(paper.id)
        if row is None or not paper.abstract:
            return ()
        phrases = takewhile(lambda _: monotonic() < ends, search_phrases(read(paper), _PHRASES))
        found = {
            phrase: related_papers.newest_with(connection, phrase, besides=row, limit=_OF_EACH) for phrase in phrases
        }
        compared = related_papers.comparable(connection, [row, *preselect(found, _COMPARED)])
        if not compared or compared[0].row_id != row:
            return ()
        own, *texts = (read_text(one.title, one.body) for one in compared)
        places = most_like(own, texts, [one.vector for one in compared], _SHOWN)
        order = [compared[place + 1].row_id for place in places]
        known = dict(paper_rows.load(connection, order))
    return tuple(known[row_id] for row_id in order)
