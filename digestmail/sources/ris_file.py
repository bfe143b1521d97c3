"""Records of RIS files, as Zotero, EndNote, Mendeley and publishers write them. Pure.

A line is a tag of two characters, two blanks, a hyphen, a blank and a value
(https://en.wikipedia.org/wiki/RIS_(file_format)). Programs leave blanks out, wrap long values, write text between
records, and forget the end of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from digestmail.sources.reference_entry import LONGEST_FIELD, MOST_ENTRIES, ReferenceEntry

RECORD_START = re.compile(r"^[ \t]{0,8}TY[ \t]{1,4}-", re.MULTILINE)
_TAG = re.compile(r"[ \t]{0,8}([A-Z][A-Z0-9])[ \t]{1,4}-(.*)", re.DOTALL)
_TITLES: Final = ("TI", "T1", "CT", "BT")
_ABSTRACTS: Final = ("AB", "N2")
_YEARS: Final = ("PY", "Y1", "DA")
_NAMING: Final = ("DO", "UR", "M3", "AN", "JO", "T2")
"""Tags of lines with an arXiv id or a DOI."""
_KEPT: Final = frozenset((*_TITLES, *_ABSTRACTS, *_YEARS, *_NAMING))
_YEAR = re.compile(r"(?<![0-9])(?:1[5-9]|20)[0-9]{2}(?![0-9])")


def read_ris(text: str) -> Iterator[ReferenceEntry | None]:
    """Yield the records of a file; None for each without a title. Records over the limit are left out."""
    starts = [found.start() for found in islice(RECORD_START.finditer(text), MOST_ENTRIES + 1)]
    ends = [*starts[1:], len(text)]
    for start, end in islice(zip(starts, ends, strict=True), MOST_ENTRIES):
        yield _read(_fields(text[start:end]))


def _fields(record: str) -> Mapping[str, str]:
    """Return the first value of each tag that is needed, up to the end of the record. Wrapped lines are joined."""
    values: dict[str, list[str]] = {}
    current: list[str] = []
    for line in record.splitlines():
        tagged = _TAG.match(line)
        if line.strip() == "ER":
            break
        if tagged is None:
            current.append(line)
            continue
        if tagged[1] == "ER":
            break
        current = [tagged[2]]
        if tagged[1] in _KEPT and tagged[1] not in values:
            values[tagged[1]] = current
    return {tag: " ".join(lines)[:LONGEST_FIELD].strip() for tag, lines in values.items()}


def _read(fields: Mapping[str, str]) -> ReferenceEntry | None:
    def first(tags: tuple[str, ...]) -> str:
        return next((fields[tag] for tag in tags if fields.get(tag)), "")

    title = first(_TITLES)
    year = _YEAR.search(first(_YEARS))
    if not title:
        return None
    named = tuple(fields.get(tag, "") for tag in _NAMING)
    return ReferenceEntry(title=title, abstract=first(_ABSTRACTS), year=int(year[0]) if year else 0, named=named)
