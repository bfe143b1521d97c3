"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.encoding import decode
from digestmail.sources.json_documents import parse_json
from digestmail.sources.mentions import FeedEntry, best_text, sightings_of
from digestmail.sources.parsed import (
    JsonText,
    Parsed,
    UtcTime,
    first_entries,
    gather,
    or_nothing,
    single_line,
    web_address,
)
from digestmail.sources.plaintext import plain_text_of_double_escaped, plain_text_of_text

_VERSION = "https://jsonfeed.org/version/1"

_Text = Annotated[JsonText | None, WrapValidator(or_nothing)]


class _Author(BaseModel):
    name: _Text = None


class _Item(BaseModel):
    # Ids ought to be strings; the specification tells readers to take numbers too.
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: _Text = None
    url: _Text = None
    external_url: _Text = None
    title: _Text = None
    summary: _Text = None
    content_text: _Text = None
    content_html: _Text = None
    date_published: Annotated[UtcTime | None, WrapValidator(or_nothing)] = None
    date_modified: Annotated[UtcTime | None, WrapValidator(or_nothing)] = None
    authors: Annotated[list[_Author] | None, WrapValidator(or_nothing)] = None
    author: Annotated[_Author | None, WrapValidator(or_nothing)] = None
    tags: Annotated[list[str] | None, WrapValidator(or_nothing)] = None


class _Feed(BaseModel):
    version: str = Field(pattern=f"^{_VERSION}")
    items: list[Any]


def looks_like_json(body: bytes, content_type: str) -> bool:
    """Return whether this is more likely JSON than XML, whatever the answer calls it."""
    start = decode(body[:1000], content_type).lstrip("\ufeff \t\r\n")[:1]
    return start == "{" or ("json" in content_type.lower() and start != "<")


def parse_json_feed(body: bytes, *, source: str, now: datetime, url: str, content_type: str = "") -> Parsed:
    """Parse a JSON Feed that was fetched from `url`. Raises SourceUnreadableError when it is none."""
    document = parse_json(body, content_type, url)
    try:
        feed = _Feed.model_validate(document)
    except ValidationError as error:
        raise SourceUnreadableError("JSON, but not a JSON Feed of version 1") from error
    items, left_out = first_entries(feed.items)
    mentions = [_mention(item, position, url) for position, item in enumerate(items, 1)]
    entries = [mention for mention in mentions if isinstance(mention, FeedEntry)]
    skipped = [mention for mention in mentions if isinstance(mention, Skipped)]
    return gather([*skipped, *sightings_of(entries, source=source, now=now), *left_out])


def _mention(value: Any, position: int, url: str) -> FeedEntry | Skipped:
    try:
        item = _Item.model_validate(value)
    except ValidationError:
        return Skipped(entry=f"entry {position}", reason="not an object")
    title = plain_text_of_text(item.title or "")
    texts = [(raw, plain_text_of_text(raw)) for raw in (item.summary, item.content_text) if raw]
    if item.content_html:
        texts.append((item.content_html, plain_text_of_double_escaped(item.content_html)))
    raw_abstract, abstract = best_text([pair for pair in texts if pair[1].strip()], title)
    authors = item.authors or ([item.author] if item.author else [])
    return FeedEntry(
        name=single_line(item.id or item.url or item.title or f"entry {position}")[:200],
        title=title,
        raw_title=item.title or "",
        abstract=abstract,
        raw_abstract=raw_abstract,
        # What a link blog writes about stands under external_url.
        link=web_address(item.external_url, url) or web_address(item.url, url) or web_address(item.id),
        guid=item.id or "",
        authors=[author.name for author in authors if author.name],
        terms=item.tags or [],
        published_at=item.date_published or item.date_modified,
    )
