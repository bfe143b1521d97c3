"""Papers as Hugging Face's API has them, in the lists of daily and trending papers and in the answers of its search."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Origin, Paper, Sighting, Signals, Skipped
from digestmail.papers.identity import find_arxiv_id, find_doi, identify
from digestmail.sources.authors import clean_names
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


def parse_daily_papers(body: bytes, *, source: str, day: date) -> Parsed:
    """Parse one page of the papers of `day`. Raises SourceUnreadableError when it is not a JSON list."""
    return _parse(body, source, lambda paper: _daily_day(paper) or day, str(day))


def parse_trending_papers(body: bytes, *, source: str, day: date) -> Parsed:
    """Parse the papers that are trending on `day`, which is their date: they may have been listed weeks ago.

    Raises SourceUnreadableError when it is not a JSON list.
    """
    return _parse(body, source, lambda _paper: day, "trending")


def parse_search(body: bytes, *, source: str, start: date) -> Parsed:
    """Parse an answer of the search, which has papers of all years. Those from before `start` are skipped.

    Raises SourceUnreadableError when it is not a JSON list.
    """
    found = _parse(body, source, lambda paper: _daily_day(paper) or _published_day(paper), "result")
    old = [Skipped(entry=one.paper.id, reason="an older paper") for one in found.sightings if one.day < start]
    return gather([*(one for one in found.sightings if one.day >= start), *found.skipped, *old])


def _parse(body: bytes, source: str, day_of: Callable[[_Paper], date | None], name: str) -> Parsed:
    items = parse_json(body)
    if not isinstance(items, list):
        raise SourceUnreadableError(f"not a list of papers but a JSON {type(items).__name__}")
    items, left_out = first_entries(items)
    rows = [_sighting(_wrapped(item), source, day_of, f"{name} item {place}") for place, item in enumerate(items, 1)]
    return gather([*rows, *left_out])


def _wrapped(item: Any) -> Any:
    """Return an item that has its paper in `paper`: the search also gave bare papers."""
    return {"paper": item} if isinstance(item, dict) and "paper" not in item and "id" in item else item


def _daily_day(paper: _Paper) -> date | None:
    """Return when the paper was on the daily page."""
    return paper.submitted_on_daily_at.date() if paper.submitted_on_daily_at else None


def _published_day(paper: _Paper) -> date | None:
    return paper.published_at.date() if paper.published_at else None


def _sighting(item: Any, source: str, day_of: Callable[[_Paper], date | None], name: str) -> Sighting | Skipped:
    try:
        valid = _Item.model_validate(item)
    except ValidationError as error:
        return Skipped(entry=name, reason=first_problem(error, "item"))
    paper, day = _paper(valid), day_of(valid.paper)
    if paper is None or day is None:
        reason = "no id or no title" if paper is None else "no date"
        return Skipped(entry=single_line(valid.paper.id)[:200] or name, reason=reason)
    signals = Signals(upvotes=valid.paper.upvotes, comments=valid.comments, stars=valid.paper.github_stars)
    return Sighting(source=source, paper=paper, day=day, signals=signals)


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
