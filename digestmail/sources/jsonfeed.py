"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Sighting, Skipped
from digestmail.sources.mentions import FeedEntry, sighting_of
from digestmail.sources.parsed import Parsed, UtcTime, beginning, gather, or_nothing, single_line, web_address
from digestmail.sources.plaintext import plain_text_of_double_escaped, shorten

_VERSION = "https://jsonfeed.org/version/1"

_Text = Annotated[str | None, WrapValidator(or_nothing)]


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
    authors: Annotated[list[_Author] | None, WrapValidator(or_nothing)] = None
    author: Annotated[_Author | None, WrapValidator(or_nothing)] = None
    tags: Annotated[list[str] | None, WrapValidator(or_nothing)] = None


class _Feed(BaseModel):
    version: str = Field(pattern=f"^{_VERSION}")
    items: list[Any]


def looks_like_json(body: bytes, content_type: str) -> bool:
    """Return whether this is more likely JSON than XML."""
    return "json" in content_type.lower() or body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def parse_json_feed(body: bytes, *, source: str, now: datetime, url: str) -> Parsed:
    """Parse a JSON Feed that was fetched from `url`. Raises SourceUnreadableError when it is none."""
    try:
        feed = _Feed.model_validate(json.loads(body.decode("utf-8-sig", "replace")))
    except ValidationError as error:
        raise SourceUnreadableError("JSON, but not a JSON Feed of version 1") from error
    except (ValueError, RecursionError) as error:
        raise SourceUnreadableError(f"not JSON ({error}): {beginning(body)}") from error
    return gather(_sighting(item, position, source, now, url) for position, item in enumerate(feed.items, 1))


def _sighting(value: Any, position: int, source: str, now: datetime, url: str) -> Sighting | Skipped:
    try:
        item = _Item.model_validate(value)
    except ValidationError:
        return Skipped(entry=f"entry {position}", reason="not an object")
    raw_abstract = item.summary or item.content_text or item.content_html or ""
    is_html = not (item.summary or item.content_text)
    authors = item.authors or ([item.author] if item.author else [])
    mention = FeedEntry(
        name=single_line(item.id or item.url or item.title or f"entry {position}")[:200],
        title=item.title or "",
        raw_title=item.title or "",
        abstract=plain_text_of_double_escaped(raw_abstract) if is_html else shorten(raw_abstract),
        raw_abstract=raw_abstract,
        # What a link blog writes about stands under external_url.
        link=web_address(item.external_url, url) or web_address(item.url, url) or web_address(item.id),
        guid=item.id or "",
        authors=[author.name for author in authors if author.name],
        terms=item.tags or [],
        published_at=item.date_published,
    )
    return sighting_of(mention, source=source, now=now)
