"""Counts in sentences: "1 recipient", "2 recipients"."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return `count` with `noun`, which is given in the singular: "1 delivery", "3 deliveries", "0 new papers"."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of an English noun, of a few words or one: its last word takes the ending."""
    if noun.endswith("person"):
        return f"{noun.removesuffix('person')}people"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
