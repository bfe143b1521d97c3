"""Hugging Face's daily papers (https://huggingface.co/docs/hub/api#papers).

The digest day of a paper is `paper.submittedOnDailyAt`. `paper.publishedAt` is arXiv's date, days to weeks older; the
item's own `publishedAt` is shifted by some hours onto the day before and is ignored. The list fills up during the day
and upvotes grow, so days are read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from digestmail.errors import SourceError, SourceUnreadableError
from digestmail.model.papers import Origin, Paper, Reading, Sighting, Signals, Skipped, Validators
from digestmail.papers.identity import find_arxiv_id, find_doi, identify
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.json_documents import parse_json
from digestmail.sources.parsed import (
    JsonText,
    Parsed,
    UtcTime,
    first_entries,
    first_problem,
    gather,
    or_nothing,
    single_line,
    storable,
    web_address,
)
from digestmail.sources.repositories import repository_address
from digestmail.text.tex import readable

PAGE_LIMIT = 20
"""Pages of one day that are read at most; real days have one."""

LOOK_BACK = timedelta(days=2)
MISSED_AT_MOST = timedelta(days=7)

# Counts that a database column holds.
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_OptionalCount = Annotated[_Count | None, WrapValidator(or_nothing)]
_OptionalText = Annotated[JsonText | None, WrapValidator(or_nothing)]
_OptionalTime = Annotated[UtcTime | None, WrapValidator(or_nothing)]


class _Author(BaseModel):
    name: _OptionalText = None
    hidden: Annotated[bool | None, WrapValidator(or_nothing)] = None


class _Organization(BaseModel):
    name: _OptionalText = None
    fullname: _OptionalText = None


_OptionalOrganization = Annotated[_Organization | None, WrapValidator(or_nothing)]


class _Paper(BaseModel):
    # The other fields of an item come and go (https://huggingface.co/docs/hub/api), and none of them is worth a paper.
    id: JsonText
    title: _OptionalText = None
    summary: _OptionalText = None
    authors: Annotated[list[Annotated[_Author | None, WrapValidator(or_nothing)]] | None, WrapValidator(or_nothing)] = (
        None
    )
    upvotes: _OptionalCount = None
    published_at: _OptionalTime = Field(default=None, alias="publishedAt")
    submitted_on_daily_at: _OptionalTime = Field(default=None, alias="submittedOnDailyAt")
    ai_summary: _OptionalText = None
    ai_keywords: Annotated[list[str] | None, WrapValidator(or_nothing)] = None
    github_repo: _OptionalText = Field(default=None, alias="githubRepo")
    github_stars: _OptionalCount = Field(default=None, alias="githubStars")
    project_page: _OptionalText = Field(default=None, alias="projectPage")
    organization: _OptionalOrganization = None
    withdrawn_at: Any = Field(default=None, alias="withdrawnAt")


class _Item(BaseModel):
    paper: _Paper
    title: _OptionalText = None
    summary: _OptionalText = None
    comments: _OptionalCount = Field(default=None, alias="numComments")
    thumbnail: _OptionalText = None
    organization: _OptionalOrganization = None


class HuggingFace:
    """The papers people submitted to the daily page, with what the page counts for them."""

    def __init__(
        self, *, name: str, fetcher: Fetcher, base_url: str = "https://huggingface.co", limit: int = 100
    ) -> None:
        """Fetch from `base_url` (links shown to people always are the real site's), `limit` items a page."""
        self.name = name
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")
        self._limit = limit

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read today and the days before it that may have grown or were missed, newest first. Raises SourceError."""
        progress = _Progress()
        partial = None
        try:
            for day in days_to_read(now, since):
                for parsed in self._read_day(day, progress):
                    progress.results += [*parsed.sightings, *parsed.skipped]
        except SourceError as error:
            if not progress.validators:
                raise
            partial = f"{progress.asked_for} could not be read: {error}"
        gathered = gather(progress.results, partial)
        return Reading(
            source=self.name,
            entries=gathered.entries,
            sightings=gathered.sightings,
            skipped=gathered.skipped,
            unchanged=partial is None and progress.unchanged,
            partial=partial,
            validators=progress.validators,
        )

    def _read_day(self, day: date, progress: _Progress) -> Iterator[Parsed]:
        """Yield the pages of a day, until one is short.

        A page that is unchanged does not say whether it was full, so the next one is asked for; two unchanged pages
        in a row end the day.
        """
        unchanged = 0
        for page in range(PAGE_LIMIT):
            progress.asked_for = f"page {page + 1} of {day}"
            answer = self._fetch(day, page)
            if answer.body is None:
                progress.add(answer)
                unchanged += 1
                if unchanged == 2:  # noqa: PLR2004 - two in a row
                    return
                continue
            unchanged = 0
            parsed = parse_daily_papers(answer.body, source=self.name, day=day)
            progress.add(answer)
            yield parsed
            if parsed.entries < self._limit:
                return

    def _fetch(self, day: date, page: int) -> Answer:
        query = urlencode({"date": day.isoformat(), "limit": self._limit, "p": page})
        # 500 requests in 5 minutes are allowed; nobody needs more than one a second.
        return self._fetcher.fetch(
            f"{self._base_url}/api/daily_papers?{query}", accept="application/json", min_interval=1.0
        )


@dataclass(slots=True)
class _Progress:
    """What the pages read so far gave."""

    results: list[Sighting | Skipped] = field(default_factory=list)
    validators: dict[str, Validators] = field(default_factory=dict)
    unchanged: bool = True
    asked_for: str = ""

    def add(self, answer: Answer) -> None:
        self.validators[answer.url] = answer.validators
        self.unchanged = self.unchanged and answer.body is None


def days_to_read(now: datetime, since: datetime | None) -> list[date]:
    """Return the days to ask for, newest first: today (UTC), two before, and what was missed, at most a week."""
    today = now.date()
    first = today - LOOK_BACK
    if since is not None:
        first = max(min(first, since.date()), today - MISSED_AT_MOST)
    return [today - timedelta(days=back) for back in range((today - first).days + 1)]


def parse_daily_papers(body: bytes, *, source: str, day: date) -> Parsed:
    """Parse one page of the papers of `day`. Raises SourceUnreadableError when it is not a JSON list."""
    items = parse_json(body)
    if not isinstance(items, list):
        raise SourceUnreadableError(f"not a list of papers but a JSON {type(items).__name__}")
    items, left_out = first_entries(items)
    return gather([*(_sighting(item, source, day, position) for position, item in enumerate(items, 1)), *left_out])


def _sighting(item: Any, source: str, day: date, position: int) -> Sighting | Skipped:
    try:
        valid = _Item.model_validate(item)
    except ValidationError as error:
        return Skipped(entry=f"{day} item {position}", reason=first_problem(error, "item"))
    submitted_at = valid.paper.submitted_on_daily_at
    paper = _paper(valid)
    if paper is None:
        return Skipped(entry=single_line(valid.paper.id)[:200] or f"{day} item {position}", reason="no id or no title")
    signals = Signals(upvotes=valid.paper.upvotes, comments=valid.comments, stars=valid.paper.github_stars)
    return Sighting(source=source, paper=paper, day=submitted_at.date() if submitted_at else day, signals=signals)


def _paper(item: _Item) -> Paper | None:
    paper = item.paper
    page = f"https://huggingface.co/papers/{quote(paper.id.strip(), safe='/', errors='replace')}"
    arxiv_id, doi = find_arxiv_id(paper.id), find_doi(paper.id)
    # What Hugging Face numbers itself is known by its page.
    identity = identify(arxiv=arxiv_id, doi=doi, link=None if arxiv_id or doi else page)
    raw_title, raw_summary = paper.title or item.title or "", paper.summary or item.summary or ""
    title = readable(raw_title)
    if identity is None or not title or not single_line(paper.id):
        return None
    organization = paper.organization or item.organization
    thumbnail = web_address(item.thumbnail)
    return Paper(
        id=identity[0],
        aliases=identity[1],
        title=title,
        raw_title=storable(raw_title),
        abstract=readable(raw_summary),
        raw_abstract=storable(raw_summary),
        origin=Origin.HUGGING_FACE,
        link=f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else f"https://doi.org/{doi}" if doi else page,
        authors=_names(paper.authors or []),
        published_at=paper.published_at,
        summary=readable(paper.ai_summary or "") or None,
        keywords=_keywords(paper.ai_keywords or []),
        organization=readable((organization and (organization.fullname or organization.name)) or "") or None,
        discussion_url=f"https://huggingface.co/papers/{arxiv_id}" if arxiv_id else page,
        code_url=repository_address(paper.github_repo),
        project_url=web_address(paper.project_page),
        thumbnail_url=thumbnail if thumbnail and thumbnail.startswith("https://") else None,
        withdrawn=bool(paper.withdrawn_at),
    )


def _names(authors: list[_Author | None]) -> tuple[str, ...]:
    return clean_names(author.name for author in authors if author and author.name and not author.hidden)


def _keywords(words: list[str]) -> tuple[str, ...]:
    folded = (readable(word) for word in words)
    return tuple(dict.fromkeys(word for word in folded if word))
