"""Matches papers by author: full names, regardless of accents and case.

First names may be initials on either side and middle names may be missing: "T. Dao" and "Tri Dao" match. A surname
alone matches no one with a first name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
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
