"""Submissions to venues on OpenReview, by its API 2 (https://docs.openreview.net/reference/api-v2).

Each field of a note's content is an object with a `value`. Times are milliseconds since 1970. `pdate`, when the note
was published, is missing before the decision. Notes cannot be asked for by the time of their last change, only sorted
by it, so that pages are read until they get too old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Fetcher
from digestmail.sources.json_documents import parse_json
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import YEARS, JsonText, first_entries, first_problem, or_nothing, single_line
from digestmail.sources.records import Record, sighting_of
from digestmail.sources.repositories import repository_address

LOOK_BACK = timedelta(days=3)
MISSED_AT_MOST = timedelta(days=60)
PAGE_SIZE = 500
MOST_PAGES = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Value(BaseModel):
    value: Any = None


_Field = Annotated[_Value, WrapValidator(or_nothing)]
_Milliseconds = Annotated[float | None, WrapValidator(or_nothing)]


class _Note(BaseModel):
    id: JsonText
    forum: Annotated[JsonText | None, WrapValidator(or_nothing)] = None
    content: dict[str, Any] = Field(default={})
    pdate: _Milliseconds = None
    cdate: _Milliseconds = None
    tcdate: _Milliseconds = None


class OpenReview:
    """The public submissions of some venues."""

    def __init__(
        self, *, name: str, fetcher: Fetcher, venues: Sequence[str], base_url: str = "https://api2.openreview.net"
    ) -> None:
        """Read submissions of `venues`, such as "TMLR" or "ICLR.cc/2026/Conference": what stands in their address."""
        self.name = name
        self._fetcher = fetcher
        self._venues = tuple(venues)
        self._base_url = base_url.rstrip("/")

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what was submitted or made public since shortly before `since`, at most two months back.

        Raises SourceError.
        """
        start = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST)
        return read_pages(self.name, self._pages(start))

    def _pages(self, start: datetime) -> Iterator[Page]:
        for venue in self._venues:
            for page in range(MOST_PAGES):
                query = {
                    "invitation": f"{venue}/-/Submission",
                    "sort": "tmdate:desc",
                    "limit": PAGE_SIZE,
                    "offset": page * PAGE_SIZE,
                }
                url = f"{self._base_url}/notes?{urlencode(query)}"
                answer = self._fetcher.fetch(url, accept="application/json", min_interval=1.0, conditional=False)
                notes = notes_in(answer.body or b"")
                kept, left_out = first_entries(notes)
                yield [*(_sighting(note, self.name, start, place) for place, note in enumerate(kept, 1)), *left_out]
                if len(notes) < PAGE_SIZE or _changed_before(notes[-1], start):
                    break


def notes_in(body: bytes) -> list[Any]:
    """Return the notes in an answer of the API. Raises SourceUnreadableError if it is none of its answers.

    Raises SourceRefusedError with the words of the API if it gives an error instead.
    """
    answer = parse_json(body)
    if isinstance(answer, dict) and isinstance(answer.get("notes"), list):
        notes: list[Any] = answer["notes"]
        return notes
    if isinstance(answer, dict) and isinstance(answer.get("message"), str):
        raise SourceRefusedError(f"OpenReview says: {single_line(answer['message'])[:300]}")
    raise SourceUnreadableError("not an answer of OpenReview: it has no notes")


def _changed_before(value: Any, start: datetime) -> bool:
    changed = value.get("tmdate") if isinstance(value, dict) else None
    moment = _moment(changed) if isinstance(changed, int | float) else None
    return moment is not None and moment < start


def _sighting(value: Any, source: str, start: datetime, place: int) -> Sighting | Skipped:
    try:
        note = _Note.model_validate(value)
    except ValidationError as error:
        return Skipped(entry=f"note {place}", reason=first_problem(error, "note"))
    if _changed_before(value, start):
        return Skipped(entry=note.id, reason="not changed since the last reading")
    public_at = next(filter(None, map(_moment, (note.pdate, note.tcdate, note.cdate))), None)
    if public_at is None:
        return Skipped(entry=note.id, reason="no date")
    if public_at < start - MISSED_AT_MOST:
        return Skipped(entry=note.id, reason="an older submission that changed")
    forum = note.forum or note.id
    record = Record(
        name=note.id,
        title=_text(note, "title"),
        abstract=_text(note, "abstract") or _text(note, "TLDR"),
        authors=clean_names(_texts(note, "authors")),
        day=public_at.date(),
        published_at=public_at,
        link=f"https://openreview.net/forum?id={quote(single_line(forum), safe='')}",
        keywords=_texts(note, "keywords"),
        organization=_text(note, "venue"),
        code_url=repository_address(_text(note, "code")),
    )
    return sighting_of(record, source)


def _value(note: _Note, name: str) -> Any:
    """Return a field of the content, None if it is hidden or missing."""
    content = note.content.get(name)
    return content.get("value") if isinstance(content, dict) else None


def _text(note: _Note, name: str) -> str:
    value = _value(note, name)
    return value[:100_000] if isinstance(value, str) else ""


def _texts(note: _Note, name: str) -> list[str]:
    value = _value(note, name)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _moment(milliseconds: float | None) -> datetime | None:
    """Return a time in milliseconds since 1970; None if it is no possible one."""
    if milliseconds is None:
        return None
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        return None
    return moment if moment.year in YEARS else None
