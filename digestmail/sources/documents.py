"""From the bytes of an RSS, Atom or RDF feed to its entries, by way of feedparser."""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import feedparser

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.parsed import YEARS, beginning, single_line
from digestmail.sources.xml import refuse_doctype

# A wrong or missing encoding, and a wrong media type, are no reason to doubt what was parsed.
_HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)
_ROOT_START = re.compile(rb"<(?:rss|feed|[A-Za-z]{1,20}:RDF)[\s>]")
_ROOT_END = re.compile(rb"</(?:rss|feed|[A-Za-z]{1,20}:RDF)\s{0,20}>")
_ENTRY_START = re.compile(rb"<(?:item|entry)[\s>]")
_ENTRY_END = re.compile(rb"</(?:item|entry)\s{0,20}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A feed as feedparser understood it: mappings of whatever the feed happened to carry."""

    feed: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    dialect: str
    """feedparser's name for the format: `rss20`, `atom10`, `rss10` (RDF) ..."""
    malformed: str | None
    """What is wrong with the XML, when something is."""
    cut: bool
    """Whether the end is missing."""
    half_entry: tuple[Skipped, ...]
    """The entry that was being sent when the end came; it is not among `entries`."""


def parse_document(body: bytes, content_type: str = "") -> Document:
    """Parse an RSS, Atom or RDF feed; `content_type` is the HTTP header, whose charset counts (RFC 7303).

    Raises SourceUnreadableError when this is no feed, or nothing of it can be read.
    """
    if not body.strip():
        raise SourceUnreadableError("the answer is empty")
    refuse_doctype(body)
    headers = {"content-type": content_type} if "charset" in content_type.lower() else {}
    parsed = _parse(body, headers)
    malformed = _malformed(parsed)
    cut = malformed is not None and _misses_its_end(body)
    whole = _whole_entries(body) if cut else body
    if whole != body:
        parsed = _parse(whole, headers)
    if not parsed.entries and (malformed or not parsed.get("version")):
        raise SourceUnreadableError(f"not a feed ({malformed or 'no known format'}): {beginning(body)}")
    half = _ENTRY_START.search(body, len(whole))
    return Document(
        feed=parsed.feed,
        entries=parsed.entries,
        dialect=parsed.get("version") or "",
        malformed=malformed,
        cut=cut,
        half_entry=(Skipped(entry="the last entry", reason="cut off"),) if half else (),
    )


def _parse(body: bytes, headers: Mapping[str, str]) -> Any:
    # As a stream: bytes that happen to be the name of a file would make feedparser read that file.
    try:
        return feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except (ValueError, LookupError) as error:
        # feedparser stumbles over odd encoding declarations (a NUL, no ASCII) and a stray <textinput>.
        raise SourceUnreadableError(f"feedparser gave up: {type(error).__name__}: {single_line(str(error))}") from error


def _malformed(parsed: Mapping[str, Any]) -> str | None:
    error = parsed.get("bozo_exception")
    if not parsed.get("bozo") or isinstance(error, _HARMLESS):
        return None
    return single_line(str(error)) or type(error).__name__


def _misses_its_end(body: bytes) -> bool:
    return _ROOT_START.search(body[:10_000]) is not None and _ROOT_END.search(body[-10_000:]) is None


def _whole_entries(body: bytes) -> bytes:
    """Return `body` up to its last whole entry.

    A half entry looks whole to a lenient parser: its abstract would end in mid-sentence, for ever.
    """
    ends = [match.end() for match in _ENTRY_END.finditer(body)]
    first = _ENTRY_START.search(body)
    if ends:
        return body[: ends[-1]]
    return body[: first.start()] if first else body


def text_of(entry: Mapping[str, Any], key: str) -> str:
    """Return a field's text; empty when it is missing, or when feedparser made a mapping of its attributes."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def is_markup(entry: Mapping[str, Any], key: str) -> bool:
    """Return whether a field was declared to be HTML; in RSS, which declares nothing, feedparser guesses."""
    detail = entry.get(f"{key}_detail")
    return isinstance(detail, Mapping) and detail.get("type") in {"text/html", "application/xhtml+xml"}


def time_of(entry: Mapping[str, Any], *keys: str) -> datetime | None:
    """Return the first of the dates `keys` that can be read, in UTC."""
    for key in keys:
        # Asked first, for feedparser answers `updated` with `published`, and warns about it.
        parsed = entry.get(f"{key}_parsed") if f"{key}_parsed" in entry else None
        if parsed is not None and parsed.tm_year in YEARS:
            return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    return None


def terms_of(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry's categories as they stand."""
    return [term for tag in entry.get("tags") or () if isinstance(term := tag.get("term"), str)]


def names_of(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry's authors as they stand; many feeds put all of them into one string."""
    return [name for author in entry.get("authors") or () if isinstance(name := author.get("name"), str)]


def name_entry(entry: Mapping[str, Any], position: int) -> str:
    """Return how an operator finds an entry again: its id, link, title or place."""
    for key in ("id", "link", "title"):
        if text := single_line(text_of(entry, key)):
            return text[:200]
    return f"entry {position}"
