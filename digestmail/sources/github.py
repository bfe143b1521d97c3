"""Releases of a repository on GitHub: `/OWNER/NAME/releases.atom`, Atom 1.0.

Every repository has this feed, and it needs no key (https://docs.github.com/en/rest/activity/feeds does not list it).

- It lists the ten newest releases, drafts excluded; tags that have no release are in it, too.
- The title of an entry is that of the release, often only "v1.2.0", so that it says little without the repository.
- `author` is who pressed the button, often a bot. It says nothing about who wrote the code.
- `updated` is the only date. The number of the repository and the tag are in `id`.
- Notes of a release cite papers. A release is never one of them, so that texts are not searched for IDs here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Origin, Paper, PaperId, Reading, Sighting, Skipped
from digestmail.papers.identity import guid_id, identify
from digestmail.sources.base import Fetcher
from digestmail.sources.documents import name_entry, parse_document, plain_texts_of, text_of, time_of
from digestmail.sources.mentions import best_text
from digestmail.sources.parsed import Parsed, gather, single_line, storable, web_address
from digestmail.text.tex import readable

KEYWORD: Final = "software release"
"""The keyword of every release, by which a topic can have them all."""
_ACCEPT: Final = "application/atom+xml"
_NO_CONTENT = re.compile(r"\W*no content\.?\W*", re.IGNORECASE)


class Github:
    """The releases of one repository."""

    def __init__(
        self, *, name: str, fetcher: Fetcher, repositories: Sequence[str], base_url: str = "https://github.com"
    ) -> None:
        """Read the releases of the only one of `repositories`, which is `OWNER/NAME`."""
        self.name = name
        self._fetcher = fetcher
        (self._repository,) = repositories
        self._base_url = base_url.rstrip("/")

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what the feed shows now; `since` makes no difference. Raises SourceError."""
        del since
        url = f"{self._base_url}/{self._repository}/releases.atom"
        answer = self._fetcher.fetch(url, accept=_ACCEPT, retry_empty=True)
        validators = {answer.url: answer.validators}
        if answer.body is None:
            return Reading(source=self.name, entries=0, unchanged=True, validators=validators)
        parsed = parse_releases(answer.body, source=self.name, repository=self._repository, now=now)
        return Reading(
            source=self.name,
            entries=parsed.entries,
            sightings=parsed.sightings,
            skipped=parsed.skipped,
            partial=parsed.partial,
            # The end is missing, so that the complete feed must be sent next time.
            validators={} if parsed.partial else validators,
        )


def parse_releases(body: bytes, *, source: str, repository: str, now: datetime) -> Parsed:
    """Parse the releases of `repository`. Raises SourceUnreadableError if this is no feed of GitHub."""
    document = parse_document(body)
    if document.dialect and not document.dialect.startswith("atom"):
        raise SourceUnreadableError(f"not a feed of releases, which is Atom, but {document.dialect}")
    rows = [_release(entry, place, source, repository, now) for place, entry in enumerate(document.entries, 1)]
    cut = "the feed is cut off" if document.cut else None
    return gather([*rows, *document.skipped, *document.half_entry], partial=cut)


def _release(
    entry: Mapping[str, Any], position: int, source: str, repository: str, now: datetime
) -> Sighting | Skipped:
    link = web_address(text_of(entry, "link"))
    paper_id = _identify(link, text_of(entry, "id"), source)
    if link is None or paper_id is None:
        return Skipped(entry=name_entry(entry, position), reason="no link")
    published_at = time_of(entry, "published", "updated")
    raw_title = single_line(text_of(entry, "title")) or link.rpartition("/")[2]
    _, notes = best_text(plain_texts_of(entry, "atom10"), raw_title)
    abstract = "" if _NO_CONTENT.fullmatch(notes) else readable(notes)
    # A date in the future is a slip.
    moment = published_at if published_at and published_at <= now else None
    paper = Paper(
        id=paper_id,
        title=_title(readable(raw_title), repository),
        raw_title=storable(raw_title),
        abstract=abstract,
        raw_abstract=storable(notes),
        origin=Origin.FEED,
        link=link,
        keywords=(KEYWORD,),
        organization=repository.partition("/")[0],
        published_at=moment,
        code_url=f"https://github.com/{repository}",
    )
    return Sighting(source=source, paper=paper, day=(moment or now).date())


def _identify(link: str | None, number: str, source: str) -> PaperId | None:
    """Return the id of a release: its address, even if that looks like the one of a paper."""
    by_link = identify(link=link)
    if by_link is not None and by_link[0].startswith("url:"):
        return by_link[0]
    return guid_id(source, number)


def _title(title: str, repository: str) -> str:
    """Return the title of a release with the name of its repository, which most do not contain."""
    name = repository.rpartition("/")[2]
    return title if name.casefold() in title.casefold() else f"{name} {title}"
