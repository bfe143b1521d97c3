"""From the bytes of an RSS, Atom or RDF feed to its entries, by way of feedparser."""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import struct_time
from typing import Any
from urllib.parse import urlsplit
from xml.parsers import expat

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.feed_repairs import repaired
from digestmail.sources.parsed import YEARS, beginning, single_line
from digestmail.sources.plaintext import (
    plain_text,
    plain_text_of_double_escaped,
    plain_text_of_text,
    plain_text_of_xhtml,
)
from digestmail.sources.web_page import instead_of_a_feed
from digestmail.sources.xml import xml_text
from digestmail.sources.xml_limits import within_limits

# RFC 2606: no host is called so.
_NOWHERE = "relative.invalid"
_ROOT_START = re.compile(rb"<(?:rss|feed|[A-Za-z]{1,20}:RDF)[\s>]")
_ROOT_END = re.compile(rb"</(?:rss|feed|[A-Za-z]{1,20}:RDF)\s{0,20}>")
_ENTRY_START = re.compile(rb"<(?:item|entry)[\s>]")
_ENTRY_END = re.compile(rb"</(?:item|entry)\s{0,20}>")
# Of other dates, feedparser reads the first digits, and adds the current month or the first of it.
_READ_IN_FULL = re.compile(r"\s*(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}(?![0-9])|[0-9]{1,2}\s+[^\W\d_]|[^\W\d_])")
_YEAR_MONTH_DAY = re.compile(r"\s*([0-9]{4})[^0-9A-Za-z:+]{1,2}([0-9]{1,2})[^0-9A-Za-z:+]{1,2}([0-9]{1,2})(?![0-9])")


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
    skipped: tuple[Skipped, ...]
    """The entries that exceed a limit; they are not among `entries`."""
    half_entry: tuple[Skipped, ...] = ()
    """The entry that was being sent when the end came; it is not among `entries` either."""
    url: str = ""
    """The address that relative ones are relative to."""

    def address(self, text: str) -> str:
        """Return an address in the feed; one that was relative is made absolute, one without a host is empty."""
        stand_in = _stand_in(self.url)
        if stand_in and text == stand_in:
            return ""
        if not stand_in or not text.startswith(_origin(stand_in)):
            return text
        return _origin(self.url) + text.removeprefix(_origin(stand_in))

    def name(self, guid: str) -> str:
        """Return a GUID as the feed has it: feedparser resolves it like an address."""
        stand_in = _stand_in(self.url)
        if not stand_in or not guid.startswith(_origin(stand_in)):
            return guid
        return guid.removeprefix(stand_in.rpartition("/")[0] + "/").removeprefix(_origin(stand_in))


def _stand_in(url: str) -> str:
    """Return a base for feedparser that shows which addresses were relative; empty without a `url`."""
    parts = urlsplit(url)
    return (
        parts._replace(netloc=_NOWHERE, path=parts.path or "/", query="", fragment="").geturl() if parts.netloc else ""
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def parse_document(body: bytes, content_type: str = "", url: str = "") -> Document:
    """Parse an RSS, Atom or RDF feed that was found at `url`.

    `content_type` is the HTTP header, whose charset counts (RFC 7303).

    Raises SourceUnreadableError when this is no feed, or nothing of it can be read.
    """
    if not body.strip():
        raise SourceUnreadableError("the answer is empty")
    # feedparser gets UTF-8 without declarations, so that it sees what was looked at here.
    text, skipped = within_limits(xml_text(body, content_type))
    document = repaired(text).encode("utf-8", "ignore")
    # expat alone takes a hundredth of the time that a second run of feedparser would.
    cut = _misses_its_end(document) and not _is_well_formed(document)
    whole = _whole_entries(document) if cut else document
    parsed = _parse(whole, _stand_in(url))
    malformed = _malformed(parsed)
    if not parsed.entries and (malformed or not parsed.get("version")):
        page = instead_of_a_feed(body, content_type, url)
        raise SourceUnreadableError(page or f"not a feed ({malformed or 'no known format'}): {beginning(body)}")
    half = _ENTRY_START.search(document, len(whole))
    return Document(
        feed=parsed.feed,
        entries=parsed.entries,
        dialect=parsed.get("version") or "",
        malformed=malformed,
        cut=cut,
        skipped=skipped,
        half_entry=(Skipped(entry="the last entry", reason="cut off"),) if half else (),
        url=url,
    )


def _parse(document: bytes, base: str) -> Any:
    # As a stream: bytes that happen to be the name of a file would make feedparser read that file.
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base}
    try:
        import feedparser

        return feedparser.parse(
            io.BytesIO(document), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # feedparser stumbles over a stray <textinput>, over odd numbers, and over names that it uses itself.
        raise SourceUnreadableError(f"feedparser gave up: {type(error).__name__}: {single_line(str(error))}") from error


def _malformed(parsed: Mapping[str, Any]) -> str | None:
    error = parsed.get("bozo_exception")
    if not parsed.get("bozo"):
        return None
    return single_line(str(error)) or type(error).__name__


def _misses_its_end(body: bytes) -> bool:
    return _ROOT_START.search(body[:10_000]) is not None and _ROOT_END.search(body[-10_000:]) is None


def _is_well_formed(document: bytes) -> bool:
    try:
        expat.ParserCreate("utf-8").Parse(document, True)  # noqa: FBT003 - the only way to say that it is the end
    except expat.ExpatError:
        return False
    return True


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


def plain_title_of(entry: Mapping[str, Any], dialect: str) -> tuple[str, str]:
    """Return an entry's title as it is and as plain text; of a video without one, the title of the video."""
    raw = text_of(entry, "title")
    media_type = _type_of(entry.get("title_detail"))
    if media_type == "application/xhtml+xml":
        title = plain_text_of_xhtml(raw)
    elif media_type == "text/html" or not dialect.startswith("atom"):
        title = plain_text(raw)
    else:
        title = plain_text_of_text(raw)
    if title.strip():
        return raw, title
    raw = text_of(entry, "media_titletext")
    return raw, plain_text_of_text(raw)


def plain_texts_of(entry: Mapping[str, Any], dialect: str) -> list[tuple[str, str]]:
    """Return the texts of an entry, each as it is and as plain text: summary, content, what is said of its picture."""
    given = [part for part in entry.get("content") or () if isinstance(part, Mapping) and _is_text(part)]
    if "summary_detail" in entry:  # else feedparser copied it from the content, without its type
        given.insert(0, {"type": _type_of(entry["summary_detail"]), "value": text_of(entry, "summary")})
    elif not given:
        given.append({"type": "", "value": text_of(entry, "summary")})
    given.append({"type": "text/plain", "value": text_of(entry, "media_descriptiontext")})
    texts = [(text_of(part, "value"), _plain(text_of(part, "value"), _type_of(part), dialect)) for part in given]
    return [(raw, text) for raw, text in texts if text.strip()]


def _plain(raw: str, media_type: str, dialect: str) -> str:
    """Return a text of this type as plain text. RSS has no types, so anything may be HTML there (RFC 4287 has)."""
    if media_type == "application/xhtml+xml":
        return plain_text_of_xhtml(raw)
    if media_type == "text/html" or not dialect.startswith("atom"):
        return plain_text_of_double_escaped(raw)
    return plain_text_of_text(raw)


def _type_of(detail: object) -> str:
    return text_of(detail, "type") if isinstance(detail, Mapping) else ""


def _is_text(content: Mapping[str, Any]) -> bool:
    """Return whether a content is one to read: Atom also has pictures in base64 (RFC 4287 section 4.1.3.3)."""
    media_type = _type_of(content)
    return not media_type or media_type.startswith("text/") or media_type.endswith(("+xml", "/xml"))


def time_of(entry: Mapping[str, Any], *keys: str) -> datetime | None:
    """Return the first of the dates `keys` that can be read, in UTC."""
    for key in keys:
        # Asked first, for feedparser answers `updated` with `published`, and warns about it.
        if f"{key}_parsed" not in entry:
            continue
        text = text_of(entry, key)
        if not text or _READ_IN_FULL.match(text):
            parsed = entry[f"{key}_parsed"]
            if isinstance(parsed, struct_time) and parsed.tm_year in YEARS:
                return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
        elif (day := _day(text)) is not None:
            return day
    return None


def _day(text: str) -> datetime | None:
    """Return the day that `text` begins with, as 2026/11/30 or 2026年11月30日. A year or a month alone is none."""
    found = _YEAR_MONTH_DAY.match(text)
    if found is None:
        return None
    year, month, day = map(int, found.groups())
    try:
        return datetime(year, month, day, tzinfo=UTC) if year in YEARS else None
    except ValueError:
        return None


def terms_of(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry's categories as they stand."""
    return [term for tag in entry.get("tags") or () if isinstance(term := tag.get("term"), str)]


def names_of(entry: Mapping[str, Any]) -> list[str]:
    """Return an entry's authors as they stand; many feeds put all of them into one string, some into `<authors>`."""
    given = [name for author in entry.get("authors") or () if isinstance(name := author.get("name"), str)]
    return given or list(filter(None, [text_of(entry, "authorstext")]))


def name_entry(entry: Mapping[str, Any], position: int) -> str:
    """Return how an operator finds an entry again: its id, link, title or place."""
    for key in ("id", "link", "title"):
        if text := single_line(text_of(entry, key)):
            return text[:200]
    return f"entry {position}"
