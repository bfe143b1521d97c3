"""What a report says to people about one of its recipients. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection


def about(names: Collection[str], others: Collection[str], words: str) -> list[str]:
    """Return what a report says about one recipient, the closest text first; nothing twice.

    `names` are the recipient's addresses, `others` those of the report's other recipients. First come the lines that
    name the recipient with what is indented below them, then their paragraphs, then all that follows up to another
    recipient, and if there is no other the whole report.
    """
    lines = words.splitlines()
    entry = _lines(lines, names, others, lambda line: line[:1] in {" ", "\t"} and bool(line.strip()))
    paragraph = _lines(lines, names, others, lambda line: bool(line.strip()))
    following = _lines(lines, names, others, lambda _: True)
    found = ["\n".join(entry), "\n".join(paragraph), "\n".join(following), "" if others else words]
    return list(dict.fromkeys(said for said in found if said.strip()))


def _lines(
    lines: list[str], names: Collection[str], others: Collection[str], goes_on: Callable[[str], bool]
) -> list[str]:
    found, inside = [], False
    for line in lines:
        if any(name in line for name in names):
            inside = True
        elif inside:
            inside = goes_on(line) and not any(other in line for other in others)
        if inside:
            found.append(line)
    return found
