"""Works that were registered with Crossref, by DOI prefix or ISSN (https://api.crossref.org/swagger-ui/index.html).

What matters here:

- A record has many dates. `created` is when the DOI was first registered, and never changes, so it says what is new.
  `indexed`, `deposited` and `updated` change with every correction and citation, `posted` and `published` are what the
  publisher writes: a year alone, the date of a printed issue next spring, or decades ago if a volume was digitized.
- Filters of one name are alternatives, filters of different names must all hold.
- `cursor=*` begins a list, `next-cursor` continues it. It may stay the same from page to page, and there is one behind
  the last page, too: a list is complete when `total-results` were received.
- Titles contain HTML, abstracts are JATS. Springer writes each formula twice, as a LaTeX document and as MathML.
- Journals register covers, editorial boards and corrections as articles, too. Corrections name what they update.
- Requests with `mailto:` in their User-Agent are answered by faster servers, the "polite pool"
  (https://www.crossref.org/documentation/retrieve-metadata/rest-api/access-and-authentication/). Lists may be asked for
  once a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field, ValidationError, WrapValidator

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import AnnounceType, Reading, Sighting, Skipped
from digestmail.papers.identity import find_doi
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Fetcher
from digestmail.sources.crossref_dates import Dates, date_parts, earliest
from digestmail.sources.json_documents import parse_json
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import JsonText, first_entries, first_problem, or_nothing, single_line
from digestmail.sources.plaintext import plain_text_of_double_escaped
from digestmail.sources.records import Record, sighting_of

LOOK_BACK: Final = timedelta(days=3)
MISSED_AT_MOST: Final = timedelta(days=30)
OLDER: Final = timedelta(days=60)
"""A paper that appeared so long before its DOI was registered is no news: an old volume, or one that moved."""
ROWS: Final = 200
MOST_PAGES: Final = 200
MIN_INTERVAL: Final = 1.0
PAPERS: Final = ("journal-article", "posted-content", "proceedings-article")
"""The types of works that are papers. The others are books, chapters, data sets, reviews and parts of papers."""

_SELECTED: Final = (
    "DOI,URL,title,subtitle,abstract,author,type,container-title,group-title,created,posted,published,"
    "published-online,published-print,issued,update-to"
)
"""The fields that are asked for: with references, one page would have megabytes."""
_NEW_VERSION: Final = frozenset({"new_version", "new_edition"})
"""Updates that are papers themselves. The others are corrections, retractions and withdrawals."""
_VERSION = re.compile(r"[-._/]v([0-9]{1,3})$", re.IGNORECASE)
_TEX_BESIDE_MATHML = re.compile(
    r"<(?:jats:)?tex-math[^<>]*+>(?:<!\[CDATA\[(?:(?!\]\]>).)*+\]\]>|[^<])*+</(?:jats:)?tex-math>\s*+(?=<(?:mml:)?math\b)",
    re.DOTALL,
)
_TEX_DOCUMENT = re.compile(
    r"\\documentclass(?:(?!\\begin\{document\}).)*+\\begin\{document\}|\\end\{document\}", re.DOTALL
)
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
_HEADING = re.compile(r"<jats:title[^<>]*+>\s*+(?:abstract|summary)\s*+[.:]?\s*+</jats:title>", re.IGNORECASE)

_Text = Annotated[JsonText | None, WrapValidator(or_nothing)]
_Texts = Annotated[list[_Text] | None, WrapValidator(or_nothing)]


class _Author(BaseModel):
    given: _Text = None
    family: _Text = None
    suffix: _Text = None
    name: _Text = None
    """Of a group."""


class _Update(BaseModel):
    type: _Text = None


class _Work(BaseModel):
    doi: JsonText = Field(alias="DOI")
    url: _Text = Field(default=None, alias="URL")
    title: _Texts = None
    subtitle: _Texts = None
    abstract: _Text = None
    author: Annotated[list[Annotated[_Author | None, WrapValidator(or_nothing)]] | None, WrapValidator(or_nothing)] = (
        None
    )
    type: _Text = None
    container_title: _Texts = Field(default=None, alias="container-title")
    group_title: _Text = Field(default=None, alias="group-title")
    update_to: Annotated[list[_Update] | None, WrapValidator(or_nothing)] = Field(default=None, alias="update-to")


class Crossref:
    """What was registered under some DOI prefixes, or by some journals."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        prefixes: Sequence[str] = (),
        issns: Sequence[str] = (),
        include_revisions: bool = False,
        base_url: str = "https://api.crossref.org",
    ) -> None:
        """Read works whose DOI begins with one of `prefixes`, or that appeared in one of the journals `issns`."""
        self.name = name
        self._fetcher = fetcher
        self._filters = [f"prefix:{one}" for one in prefixes] + [f"issn:{one}" for one in issns]
        self._include_revisions = include_revisions
        self._base_url = base_url.rstrip("/")

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what was registered since shortly before `since`, at most a month back. Raises SourceError."""
        start = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST)
        return read_pages(self.name, self._pages(start.date()))

    def _pages(self, start: date) -> Iterator[Page]:
        filters = [f"from-created-date:{start}", *self._filters, *(f"type:{one}" for one in PAPERS)]
        query = {"filter": ",".join(filters), "select": _SELECTED, "rows": str(ROWS), "cursor": "*"}
        received = 0
        for _ in range(MOST_PAGES):
            answer = self._fetcher.fetch(
                f"{self._base_url}/works?{urlencode(query)}",
                accept="application/json",
                min_interval=MIN_INTERVAL,
                conditional=False,
            )
            page = works_page(answer.body or b"")
            if not page.items and received < page.total:
                raise SourceUnreadableError(
                    f"Crossref gave {received:,} of {page.total:,} works and then an empty page"
                )
            received += len(page.items)
            kept, left_out = first_entries(page.items)
            yield [*(self._sighting(item, position) for position, item in enumerate(kept, 1)), *left_out]
            if received >= page.total:
                return
            if not page.cursor:
                raise SourceUnreadableError(f"Crossref gave {received:,} of {page.total:,} works and no cursor")
            query["cursor"] = page.cursor
        raise SourceUnreadableError(f"the list has more than {MOST_PAGES} pages")

    def _sighting(self, item: Any, position: int) -> Sighting | Skipped:
        try:
            work = _Work.model_validate(item)
        except ValidationError as error:
            return Skipped(entry=f"work {position}", reason=first_problem(error, "work"))
        name = single_line(work.doi)[:200] or f"work {position}"
        dates = date_parts(item)
        version = _VERSION.search(work.doi.strip())
        revised = version is not None and int(version[1]) > 1
        reasons = _reasons(work, dates, include_revisions=self._include_revisions, revised=revised)
        if reason := next(reasons, None):
            return Skipped(entry=name, reason=reason)
        return sighting_of(_record(work, name, dates, revised=revised), self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorksPage:
    """A page of works."""

    items: list[Any]
    total: int
    """How many works there are on all pages."""
    cursor: str
    """What continues the list; empty if the page does not say."""


def works_page(body: bytes) -> WorksPage:
    """Return the works in an answer. Raises SourceUnreadableError if it is no list of works."""
    answer = parse_json(body)
    message = answer.get("message") if isinstance(answer, dict) else None
    items = message.get("items") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(items, list):
        said = _said(message)
        raise SourceUnreadableError(f"not a list of works{f': Crossref says: {said}' if said else ''}")
    total, cursor = message.get("total-results"), message.get("next-cursor")
    if not isinstance(total, int) or isinstance(total, bool):
        raise SourceUnreadableError("not a list of works: it does not say how many there are")
    return WorksPage(items=items, total=total, cursor=cursor if isinstance(cursor, str) else "")


def _said(message: object) -> str:
    """Return the words of an error: a text, or a list of problems with `message`."""
    first = message[0] if isinstance(message, list) and message else message
    text = first.get("message") if isinstance(first, Mapping) else first
    return single_line(text)[:300] if isinstance(text, str) else ""


def _reasons(work: _Work, dates: Dates, *, include_revisions: bool, revised: bool) -> Iterator[str]:
    """Yield why a work is no new paper; nothing if it is one."""
    if dates.created is None:
        yield "no date"
    if work.type not in PAPERS:
        yield f"no paper but a {single_line(work.type or 'work without a type')[:60]}"
    updates = {(update.type or "").lower() for update in work.update_to or ()}
    if updates - _NEW_VERSION:
        yield f"a notice about another paper: {single_line(', '.join(sorted(updates)))[:100]}"
    if (revised or updates) and not include_revisions:
        yield "a new version of an earlier paper"
    if not any(author and (author.family or author.name) for author in work.author or ()):
        yield "no authors: a cover, an index or an announcement"
    appeared = earliest(dates)
    if dates.created and appeared and appeared < dates.created - OLDER:
        yield "an older paper that was registered late"


def _record(work: _Work, name: str, dates: Dates, *, revised: bool) -> Record:
    created = dates.created or date.min
    # Issues of journals are dated ahead, and revisions do not say when the paper first appeared.
    appeared = min(dates.exact or created, created)
    return Record(
        name=name,
        title=_title(work),
        abstract=abstract_text(work.abstract or ""),
        authors=clean_names(filter(None, map(_name, work.author or ()))),
        day=created,
        published_at=None if revised else datetime.combine(appeared, time(), UTC),
        doi=find_doi(work.doi),
        link=work.url or f"https://doi.org/{quote(work.doi.strip(), safe='/')}",
        keywords=(work.group_title or "",),
        organization=_first(work.container_title),
        announced=AnnounceType.REPLACE if revised else AnnounceType.NEW,
    )


def _title(work: _Work) -> str:
    title, subtitle = _first(work.title), _first(work.subtitle)
    return title if not subtitle or subtitle.casefold() in title.casefold() else f"{title}: {subtitle}"


def _first(texts: Sequence[str | None] | None) -> str:
    """Return the first text that says something, without HTML."""
    return next((text for raw in texts or () if (text := _plain(raw or ""))), "")


def _plain(markup: str) -> str:
    return " ".join(plain_text_of_double_escaped(markup).split())


def abstract_text(jats: str) -> str:
    """Return an abstract in JATS as plain text with TeX. Of formulas that are there twice, the MathML is used."""
    without = _TEX_DOCUMENT.sub("", _CDATA.sub("", _TEX_BESIDE_MATHML.sub("", _HEADING.sub(" ", jats))))
    return _plain(without)


def _name(author: _Author | None) -> str:
    if author is None:
        return ""
    person = " ".join(part for part in (author.given, author.family, author.suffix) if part)
    return _plain(person if author.family else author.name or "")
