"""An entry of a reference manager's file, before its texts are made readable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_ENTRIES: Final = 5_000
"""The number of entries of a file that are looked at."""
LONGEST_FIELD: Final = 20_000
"""Characters of a field that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceEntry:
    """A title and an abstract as the file has them. `year` is 0 if it is not known."""

    title: str
    abstract: str
    year: int
    named: tuple[str, ...] = ()
    """Texts that may contain an arXiv id or a DOI of the paper."""
    tex: bool = False
    """Whether braces are TeX's."""
