"""Matches papers by author: full names, regardless of accents and case.

First names may be initials on either side and middle names may be missing: "T. Dao" and "Tri Dao" match. A surname
alone matches no one with a first name.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from digestmail.model.papers import Paper

_PLAIN_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a name that are compared, in lower case and without accents."""

    first: str
    """Empty if the name is one word."""
    last: str
    """Empty if the name contains no letters. Such a name matches no one."""


def compile_name(author: str) -> Name:
    """Return the parts of a name, which is written "Tri Dao" or "Dao, Tri"."""
    surname, comma, given = author.partition(",")
    words = _plain(f"{given} {surname}" if comma else author).replace(".", " ").split()
    return Name(first=words[0] if len(words) > 1 else "", last=words[-1] if words else "")


def named(wanted: Collection[Name], paper: Paper) -> tuple[str, ...]:
    """Return the authors of the paper that are one of `wanted`, as the paper writes them."""
    if not wanted:
        return ()
    authors = ((author, compile_name(author)) for author in dict.fromkeys(paper.authors))
    return tuple(author for author, name in authors if any(_same(one, name) for one in wanted))


class AuthorIndex:
    """Finds papers by author, in many papers at once."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        """Index the authors of `papers`."""
        self._by_last: defaultdict[str, list[tuple[int, str, Name]]] = defaultdict(list)
        for place, paper in enumerate(papers):
            for author in dict.fromkeys(paper.authors):
                name = compile_name(author)
                self._by_last[name.last].append((place, author, name))

    def find(self, author: str) -> tuple[tuple[int, str], ...]:
        """Return (place of the paper, the author as the paper writes it) for every paper by `author`."""
        wanted = compile_name(author)
        return tuple(
            (place, written) for place, written, name in self._by_last.get(wanted.last, ()) if _same(wanted, name)
        )


def _plain(name: str) -> str:
    """Return a name in lower case and without accents."""
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).translate(_PLAIN_LETTERS)


def _same(one: Name, other: Name) -> bool:
    if one.last != other.last or not one.last or bool(one.first) != bool(other.first):
        return False
    shorter, longer = sorted((one.first, other.first), key=len)
    return shorter == longer or (len(shorter) == 1 and longer.startswith(shorter))
