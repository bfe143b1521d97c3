"""bioRxiv and medRxiv by their API (https://api.biorxiv.org/details/medrxiv/help), day by day.

A page holds 100 papers by the help page, and 30 in what others saw, so that the next page begins after what was
received. Every version of a paper is listed, and numbers come as texts. The list of a day is complete when the day is
over in the eastern United States.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, WrapValidator

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import AnnounceType, Reading, Sighting, Skipped
from digestmail.papers.identity import find_doi
from digestmail.sources.authors import split_authors
from digestmail.sources.base import Fetcher
from digestmail.sources.json_documents import parse_json
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import JsonText, first_entries, first_problem, or_nothing, single_line
from digestmail.sources.records import Record, sighting_of

LOOK_BACK = timedelta(days=2)
MISSED_AT_MOST = timedelta(days=14)
MOST_PAGES = 700
_MOST_DIGITS = 12

_Text = Annotated[JsonText | None, WrapValidator(or_nothing)]


class _Posted(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    doi: JsonText
    title: _Text = None
    abstract: _Text = None
    authors: _Text = None
    date: date
    version: _Text = None
    type: _Text = None
    category: _Text = None
    author_corresponding_institution: _Text = None


class Biorxiv:
    """What was posted to bioRxiv or medRxiv."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        server: Literal["biorxiv", "medrxiv"] = "biorxiv",
        categories: Sequence[str] = (),
        include_revisions: bool = False,
        base_url: str = "https://api.biorxiv.org",
    ) -> None:
        """Read papers of `categories`, as the server spells them ("cell biology"; none means all)."""
        self.name = name
        self._fetcher = fetcher
        self._address = f"{base_url.rstrip('/')}/details/{server}"
        self._categories = frozenset(map(_category, categories))
        self._include_revisions = include_revisions

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read today, the two days before, and what was missed, at most two weeks. Raises SourceError."""
        return read_pages(self.name, self._pages(now, since))

    def _pages(self, now: datetime, since: datetime | None) -> Iterator[Page]:
        first = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST).date()
        received = total = 0
        for _ in range(MOST_PAGES):
            url = f"{self._address}/{first}/{now.date()}/{received}"
            answer = self._fetcher.fetch(url, accept="application/json", min_interval=1.0, conditional=False)
            rows, counted = posted(answer.body or b"")
            total = max(total, counted)
            if not rows and received >= total:
                return
            if not rows:
                raise SourceUnreadableError(f"the API gave {received:,} of {total:,} papers and then an empty page")
            received += len(rows)
            kept, left_out = first_entries(rows)
            yield [*(self._sighting(row, position) for position, row in enumerate(kept, 1)), *left_out]
        raise SourceUnreadableError(f"the list has no end: {received:,} papers were received")

    def _sighting(self, row: Any, position: int) -> Sighting | Skipped:
        try:
            valid = _Posted.model_validate(row)
        except ValidationError as error:
            return Skipped(entry=f"paper {position}", reason=first_problem(error, "paper"))
        name = single_line(valid.doi)[:200] or f"paper {position}"
        if self._categories and _category(valid.category or "") not in self._categories:
            return Skipped(entry=name, reason=f"category {single_line(valid.category or 'unknown')} is left out")
        revised = (valid.version or "1").strip() != "1"
        if revised and not self._include_revisions:
            return Skipped(entry=name, reason="a new version of an earlier paper")
        return sighting_of(_record(valid, name, revised=revised), self.name)


def posted(body: bytes) -> tuple[list[Any], int]:
    """Return the papers in an answer of the API, and how many there are on all pages; 0 if it does not say.

    Raises SourceUnreadableError if it is none of its answers.

    Raises SourceRefusedError with the words of the API if it gives an error message instead.
    """
    answer = parse_json(body)
    rows = answer.get("collection") if isinstance(answer, dict) else None
    messages = answer.get("messages") if isinstance(answer, dict) else None
    said = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
    status, total = single_line(str(said.get("status", "")))[:200], str(said.get("total", ""))[:_MOST_DIGITS]
    if status.lower() not in {"ok", ""} and not rows:
        if status.lower().startswith("no "):
            return [], 0
        raise SourceRefusedError(f"the API says: {status}")
    if not isinstance(rows, list):
        raise SourceUnreadableError("not an answer of the API: it has no collection")
    return rows, int(total) if total.isascii() and total.isdigit() else 0


def _record(row: _Posted, name: str, *, revised: bool) -> Record:
    return Record(
        name=name,
        title=row.title or "",
        abstract=row.abstract or "",
        authors=split_authors(f"{row.authors or ''};"),  # "Family, G.; Family, G."
        day=row.date,
        # Revisions do not say when the paper first appeared.
        published_at=None if revised else datetime.combine(row.date, time(), UTC),
        doi=find_doi(row.doi),
        keywords=(row.category or "",),
        organization=row.author_corresponding_institution or "",
        announced=AnnounceType.REPLACE if revised else AnnounceType.NEW,
        withdrawn="withdrawn" in (row.type or "").lower(),
    )


def _category(name: str) -> str:
    """Return one spelling of a category: the API also takes "cell_biology"."""
    return " ".join(name.replace("_", " ").lower().split())
