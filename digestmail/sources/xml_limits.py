"""Limits what a feed can cost: entries, tags, depth and texts are bounded before a parser reads the document.

XML parsers take quadratic time for attributes, and gigabytes for elements that are nested deeply. One scan with `find`
and short regular expressions is linear, and takes a fraction of the time of a parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.bounds import MOST_CHARACTERS, MOST_ENTRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlLimits:
    """What one document may contain. Characters are counted as they are written, before references are replaced."""

    entries: int = MOST_ENTRIES
    text: int = 200_000
    """Characters of one text, more than any source uses. What follows them is removed."""
    entry: int = 1_000_000
    """Characters of one entry, without what was removed from its texts."""
    entry_tags: int = 25_000
    """A paper of 5,000 authors has 20,000."""
    depth: int = 200
    attributes: int = 200
    tag: int = 100_000
    """Characters of one tag. Some feeds have pictures in attributes."""
    characters: int = MOST_CHARACTERS
    tags: int = 300_000


LIMITS: Final = XmlLimits()

_NAME = r"[A-Za-z_\x80-\U000effff][\w.\x80-\U000effff-]{0,60}"
_REST_OF_TAG = re.compile(r"""[^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+>""")
"""In a well-formed tag a bracket may be in quotes. Others end at the first bracket, as lenient parsers see it."""
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_ENTRY_NAMES = frozenset({"item", "entry"})
_VALUE = re.compile(r"=\s{0,20}[\"']")
_WORDS_FOR_EACH_ATTRIBUTE = 20
_HALF_REFERENCE = re.compile(r"&[^;&\s]{0,40}\Z")
_TAIL = 10_000
"""Characters that are kept behind the last entry when entries are left out: the end tags of the document."""
_HALF_TAG = 1_000


@cache
def _markup() -> re.Pattern[str]:
    """Return what matches the beginning of a tag or comment. Compiling it takes ten milliseconds."""
    return re.compile(rf"<(?:!--|!\[CDATA\[|\?|/?(?:{_NAME}:|:)?({_NAME}))")


@dataclass(slots=True)
class _Scan:
    """How far a scan is, and what it found. All positions are of the original document."""

    text: str
    limits: XmlLimits
    removals: list[tuple[int, int]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    at: int = 0
    removed: int = 0
    """Characters in `removals`."""
    tags: int = 0
    depth: int = 0
    entries: int = 0
    entry: _Entry | None = None

    def remove(self, start: int, end: int) -> None:
        """Leave out the characters from `start` to `end`."""
        self.removals.append((start, end))
        self.removed += end - start


@dataclass(frozen=True, slots=True)
class _Entry:
    """The entry that is being scanned, and the counts at its start."""

    end_tag: str
    """Without its bracket."""
    start: int
    depth: int
    tags: int
    removals: int
    removed: int


def within_limits(text: str, limits: XmlLimits | None = None) -> tuple[str, tuple[Skipped, ...]]:
    """Return a feed without what exceeds `limits` (default: `LIMITS`), and the entries that are left out.

    Long texts are cut. Entries that exceed a limit are left out, and so are all entries that follow the limits of the
    document. `text` has no DOCTYPE and need not be well-formed. Takes time linear in `text`.

    Raises SourceUnreadableError if a limit is exceeded where there is no entry to leave out.
    """
    scan = _Scan(text, limits or LIMITS)
    markup = _markup()
    while found := markup.search(text, scan.at):
        _cut_text(scan, scan.at, found.start())
        closing = ">" if found[1] else _ENDS[found[0]]
        tag = _REST_OF_TAG.match(text, found.end()) if found[1] else None
        end = tag.end() - 1 if tag else text.find(closing, found.end())
        if end == -1:
            scan.at = found.start()
            break
        if found[0] == "<![CDATA[":
            _cut_text(scan, found.end(), end)
        scan.at = end + len(closing)
        if problem := _count(scan, found, end):
            _leave_out(scan, found.start(), problem)
    if len(text) - scan.at > _HALF_TAG:
        _cut_text(scan, scan.at, len(text), _HALF_TAG if found else scan.limits.text)
    return _without(text, scan.removals), tuple(scan.skipped)


def _count(scan: _Scan, found: re.Match[str], end: int) -> str | None:
    """Count the markup that begins with `found` and ends at `end`. Return which limit it exceeds, if any."""
    limits, opening, name, start = scan.limits, found[0], found[1], found.start()
    scan.tags += 1
    if name and opening.startswith("</"):
        scan.depth = max(scan.depth - 1, 0)
        if scan.entry and opening == scan.entry.end_tag:
            return _end_entry(scan)
    elif name and not scan.text.startswith("/", end - 1):
        if not scan.entry and name.lower() in _ENTRY_NAMES:
            removed = len(scan.removals), scan.removed
            scan.entry = _Entry(f"</{opening[1:]}", start, scan.depth, scan.tags, *removed)
            scan.entries += 1
        scan.depth += 1
    if scan.entry and scan.tags - scan.entry.tags > limits.entry_tags:
        return f"it has more than {limits.entry_tags:,} tags"
    if scan.depth > limits.depth:
        return f"its elements are nested more than {limits.depth} deep"
    if name and end - start > limits.attributes and _has_many_attributes(scan.text[start:end], limits):
        return f"a tag has more than {limits.attributes} attributes, or {limits.tag:,} characters"
    return _document_problem(scan, start)


def _document_problem(scan: _Scan, start: int) -> str | None:
    """Return which limit of the whole document is exceeded at `start`, if any."""
    limits = scan.limits
    if scan.entries > limits.entries:
        return f"the feed has more than {limits.entries:,} entries"
    if scan.tags > limits.tags:
        return f"the feed has more than {limits.tags:,} tags"
    if start - scan.removed > limits.characters:
        return f"the feed has more than {limits.characters:,} characters"
    return None


def _end_entry(scan: _Scan) -> str | None:
    entry = scan.entry
    if entry is None:
        return None
    if scan.at - entry.start - (scan.removed - entry.removed) > scan.limits.entry:
        return f"it has more than {scan.limits.entry:,} characters"
    scan.depth, scan.entry = entry.depth, None
    return None


def _has_many_attributes(tag: str, limits: XmlLimits) -> bool:
    """Return whether a tag is expensive. Attributes without a value count too, but words in a value are many."""
    words = _WORDS_FOR_EACH_ATTRIBUTE * limits.attributes
    return (
        len(tag) > limits.tag
        or len(_VALUE.findall(tag)) > limits.attributes
        or tag.count("=") > words
        or len(tag.split(None, words)) > words
    )


def _leave_out(scan: _Scan, at: int, problem: str) -> None:
    """Leave out the entry with the problem, or everything from this entry on if it is one of the document."""
    entry, text = scan.entry, scan.text
    if entry is None:
        raise SourceUnreadableError(f"not read, because it is too expensive: {problem.replace('it has', 'a part has')}")
    of_document = _document_problem(scan, at) is not None
    del scan.removals[entry.removals :]
    scan.removed, scan.depth, scan.entry = entry.removed, entry.depth, None
    end_tag = f"{entry.end_tag}>"
    if not of_document:
        found = text.find(end_tag, at)
        scan.at = found + len(end_tag) if found != -1 else len(text)
        scan.remove(entry.start, scan.at)
        scan.skipped.append(Skipped(entry=f"entry {scan.entries}", reason=problem))
        return
    found = text.rfind(end_tag, entry.start)
    end = found + len(end_tag) if found != -1 else len(text)
    count = max(text.count(end_tag, entry.start), 1)
    scan.skipped.append(Skipped(entry=f"entry {scan.entries} and all after it, about {count:,}", reason=problem))
    scan.remove(entry.start, end)
    if len(text) - end > _TAIL:
        scan.remove(end + _TAIL, len(text))
    scan.at = len(text)


def _cut_text(scan: _Scan, start: int, end: int, most: int | None = None) -> None:
    """Cut the text from `start` to `end` if it has more than `most` characters (default: `limits.text`)."""
    most = scan.limits.text if most is None else most
    if end - start > most:
        half = _HALF_REFERENCE.search(scan.text, max(start, start + most - 50), start + most)
        scan.remove(half.start() if half else start + most, end)


def _without(text: str, removals: list[tuple[int, int]]) -> str:
    if not removals:
        return text
    kept, at = [], 0
    for start, end in removals:
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])
