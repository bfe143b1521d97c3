"""The quick way through arXiv's own feeds: what is well-formed needs no tolerant parser, which takes far longer.

It understands just what rss.arxiv.org sends today and leaves everything else to `documents.parse_document`; a test
holds both ways to the same result.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

from digestmail.sources.documents import Document
from digestmail.sources.xml import xml_text
from digestmail.sources.xml_limits import within_limits

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"

_TEXTS = {
    "title": "title",
    "description": "summary",
    "summary": "summary",
    "guid": "id",
    "id": "id",
    f"{_ARXIV}announce_type": "arxiv_announce_type",
    f"{_ARXIV}DOI": "arxiv_doi",
}
"""Elements that are kept as text, and what feedparser calls them."""


def parse_strictly(body: bytes) -> Document | None:
    """Parse a well-formed RSS 2.0 or Atom feed; None for anything else.

    Raises SourceUnreadableError when the document declares entities, or exceeds a limit.
    """
    try:
        text, skipped = within_limits(xml_text(body))
        root = ET.fromstring(text)  # noqa: S314 - without a DOCTYPE expat has no entities to expand
    except (ET.ParseError, ValueError, LookupError):
        return None
    channel = root.find("channel") if root.tag == "rss" else root if root.tag == f"{_ATOM}feed" else None
    if channel is None:
        return None
    name = "item" if root.tag == "rss" else f"{_ATOM}entry"
    head = {child.tag.removeprefix(_ATOM): (child.text or "").strip() for child in channel if child.tag != name}
    return Document(
        feed={"title": head.get("title", ""), "subtitle": head.get("description", head.get("subtitle", ""))},
        entries=[_entry(element) for element in channel.findall(name)],
        dialect="rss20" if root.tag == "rss" else "atom10",
        malformed=None,
        cut=False,
        skipped=skipped,
    )


def _entry(element: ET.Element) -> dict[str, Any]:
    entry: dict[str, Any] = {"tags": [], "authors": []}
    for child in element:
        tag, text = child.tag.removeprefix(_ATOM), (child.text or "").strip()
        if tag in _TEXTS:
            entry[_TEXTS[tag]] = text
        elif tag == "category":
            entry["tags"].append({"term": child.get("term", text)})
        elif tag == f"{_DC}creator":
            entry["authors"].append({"name": text})
        elif tag == "link":
            entry.setdefault("link", child.get("href", text))
        elif tag in {"pubDate", "published"} and (moment := _moment(text)):
            entry["published_parsed"] = moment.utctimetuple()
    return entry


def _moment(text: str) -> datetime | None:
    """Read an RFC 822 date (RSS) or an RFC 3339 one (Atom)."""
    try:
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return None
