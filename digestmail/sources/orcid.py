"""ORCID records: the public API, version 3.0, without a token.

https://info.orcid.org/documentation/api-tutorials/api-tutorial-read-data-on-a-record/. What matters here:

- `GET /v3.0/ID/works` with `Accept: application/json` lists all public works at once, without abstracts.
- `group` has an object for each work; its `work-summary` are the descriptions of it that several sources gave, the
  preferred one first. The title is at `title.title.value`. Optional parts are null: `title`, `external-ids`, dates.
- `external-id-type` is `doi`, `arxiv` and many more. The value of `arxiv` comes with and without `arXiv:`, and a work
  of arXiv may have only its DOI, `10.48550/arXiv.ID`.
- A record that was merged into another one is answered by a redirect to it, one that is deactivated or locked by 409,
  too many requests by 503 or 429. Without a token, 12 requests a second and 25,000 a day are allowed to an IP address
  (https://info.orcid.org/ufaqs/what-are-the-api-limits/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Skipped
from digestmail.sources.base import Fetcher
from digestmail.sources.reading_list import (
    ListedPaper,
    ListReading,
    condition,
    etag_of,
    list_of,
    list_reading,
    listed_paper,
    mapping_of,
    parse_json,
    string_of,
)

BASE_URL: Final = "https://pub.orcid.org"
MIN_INTERVAL: Final = 1.0
"""Seconds between two requests."""


class OrcidRecords:
    """The works on public ORCID records."""

    def __init__(self, *, fetcher: Fetcher, base_url: str = BASE_URL) -> None:
        """Fetch from `base_url`."""
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Read the works of the ORCID iD `reference`, the newest first. `validator` is the ETag of the last answer."""
        answer = self._fetcher.fetch(
            f"{self._base_url}/v3.0/{reference}/works",
            accept="application/json",
            min_interval=MIN_INTERVAL,
            conditional=False,
            headers=condition(validator),
        )
        if answer.body is None:
            return ListReading(unchanged=True, validator=validator)
        return list_reading(parse_works(answer.body), etag_of(answer))


def parse_works(body: bytes) -> Iterator[ListedPaper | Skipped]:
    """Yield the works of a record, the newest first. Raises SourceUnreadableError if it is no list of works."""
    document = parse_json(body)
    groups = document.get("group") if isinstance(document, dict) else None
    if not isinstance(groups, list):
        raise SourceUnreadableError("the answer is not a list of works: it has no `group`")
    works = [[mapping_of(one) for one in list_of(mapping_of(group).get("work-summary"))] for group in groups]
    newest_first = sorted(works, key=lambda work: max(map(_date, work), default=()), reverse=True)
    for position, work in enumerate(newest_first, 1):
        titles = [_value(mapping_of(one.get("title")), "title") for one in work]
        named = [text for one in work for text in _ids(one)]
        yield listed_paper(next(filter(str.strip, titles), ""), "", named, position)


def _ids(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the arXiv ids and DOIs of a work itself, not those of what it is a part of."""
    for one in list_of(mapping_of(summary.get("external-ids")).get("external-id")):
        external = mapping_of(one)
        kind = string_of(external.get("external-id-type")).lower()
        relationship = string_of(external.get("external-id-relationship")).lower()
        if kind in {"arxiv", "doi"} and relationship in {"", "self", "version-of", "version_of"}:
            yield string_of(external.get("external-id-value"))


def _date(summary: Mapping[str, Any]) -> tuple[int, ...]:
    """Return year, month and day of publication, as far as they are known."""
    date = mapping_of(summary.get("publication-date"))
    parts: list[int] = []
    for name in ("year", "month", "day"):
        text = _value(date, name)
        if not (text.isascii() and text.isdigit() and len(text) <= 4):  # noqa: PLR2004 - digits of a year
            break
        parts.append(int(text))
    return tuple(parts)


def _value(parent: Mapping[str, Any], name: str) -> str:
    """Return a text that ORCID wraps: `{"title": {"value": "..."}}`."""
    return string_of(mapping_of(parent.get(name)).get("value"))
