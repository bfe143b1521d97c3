"""Finds the text of a report that concerns one of its recipients. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

_MAX_LINES: Final = 2_000
"""A report names its recipients before the returned message. The time grows with the lines times the recipients."""


def text_about(names: Collection[str], others: Collection[str], words: str) -> list[str]:
    """Return the distinct texts of a report that may concern one recipient, the closest first.

    `names` are the recipient's addresses, `others` those of the report's other recipients. The order is: lines that
    name the recipient with the indented lines below, their paragraphs, everything up to another recipient, and the
    entire report if there are no others.
    """
    lines = words.splitlines()[:_MAX_LINES]
    entry = _lines(lines, names, others, lambda line: line[:1] in {" ", "\t"} and bool(line.strip()))
    paragraph = _lines(lines, names, others, lambda line: bool(line.strip()))
    following = _lines(lines, names, others, lambda _: True)
    found = ["\n".join(entry), "\n".join(paragraph), "\n".join(following), "" if others else words]
    return list(dict.fromkeys(one for one in found if one.strip()))


def _lines(
    lines: list[str], names: Collection[str], others: Collection[str], continues: Callable[[str], bool]
) -> list[str]:
    found, inside = [], False
    for line in lines:
        if any(name in line for name in names):
            inside = True
        elif inside:
            inside = continues(line) and not any(other in line for other in others)
        if inside:
            found.append(line)
    return found
