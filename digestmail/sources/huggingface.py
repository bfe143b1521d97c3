"""Hugging Face's papers (https://huggingface.co/docs/hub/api#papers): the daily or the trending list, or a search.

The digest day of a daily paper is `paper.submittedOnDailyAt`. `paper.publishedAt` is arXiv's date, days to weeks older;
the item's own `publishedAt` is shifted by some hours onto the day before and is ignored. The list fills up during the
day and upvotes grow, so days are read again.

`sort=trending` gives the papers that trend now, whatever `date` says. A paper comes, stays for days and may come again
weeks later. The search gives about a hundred best matches of all years and cannot be sorted by date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, Literal
from urllib.parse import urlencode

from digestmail.errors import SourceError
from digestmail.model.papers import Reading, Sighting, Skipped, Validators
from digestmail.sources.base import Answer, Fetcher
from digestmail.sources.parsed import Parsed, gather

PAGE_LIMIT = 20
"""Pages of one day that are read at most; real days have one."""

LOOK_BACK = timedelta(days=2)
MISSED_AT_MOST = timedelta(days=7)
TRENDING_SHOWN: Final = 50
"""Papers on the page of trending papers."""
OLDER: Final = timedelta(days=14)
"""How old a paper may be to be news, if the search finds it: so long after arXiv Hugging Face still lists papers."""


class HuggingFace:
    """The papers on the daily page or the trending page, or that a search finds, with what is counted for them."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        list: Literal["daily", "trending"] = "daily",  # noqa: A002 - the key of the configuration
        query: str = "",
        base_url: str = "https://huggingface.co",
        limit: int = 100,
    ) -> None:
        """Fetch from `base_url` (links shown to people always are the real site's), `limit` items a page of a day.

        With `query`, read what the search finds.
        """
        self.name = name
        self._fetcher = fetcher
        self._base_url = base_url.rstrip("/")
        self._list = list
        self._query = query
        self._limit = limit

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read today and the days before it that may have grown or were missed, newest first. Raises SourceError.

        Of trending papers and searches, read what there is now.
        """
        if self._query:
            from digestmail.sources.huggingface_items import parse_search

            start = (now - OLDER).date()
            answer = self._fetch("papers/search", {"q": self._query})
            return self._reading(answer, partial(parse_search, start=start))
        if self._list == "trending":
            from digestmail.sources.huggingface_items import parse_trending_papers

            answer = self._fetch("daily_papers", {"sort": "trending", "limit": TRENDING_SHOWN})
            return self._reading(answer, partial(parse_trending_papers, day=now.date()))
        return self._read_days(now, since)

    def _read_days(self, now: datetime, since: datetime | None) -> Reading:
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
            answer = self._fetch("daily_papers", {"date": day.isoformat(), "limit": self._limit, "p": page})
            if answer.body is None:
                progress.add(answer)
                unchanged += 1
                if unchanged == 2:  # noqa: PLR2004 - two in a row
                    return
                continue
            from digestmail.sources.huggingface_items import parse_daily_papers

            unchanged = 0
            parsed = parse_daily_papers(answer.body, source=self.name, day=day)
            progress.add(answer)
            yield parsed
            if parsed.entries < self._limit:
                return

    def _reading(self, answer: Answer, parse: Callable[..., Parsed]) -> Reading:
        """Return the reading of a list that has one page."""
        found = Parsed() if answer.body is None else parse(answer.body, source=self.name)
        return Reading(
            source=self.name,
            entries=found.entries,
            sightings=found.sightings,
            skipped=found.skipped,
            unchanged=answer.body is None,
            validators={answer.url: answer.validators},
        )

    def _fetch(self, path: str, query: Mapping[str, str | int]) -> Answer:
        # 500 requests in 5 minutes are allowed; one a second is enough.
        return self._fetcher.fetch(
            f"{self._base_url}/api/{path}?{urlencode(query)}", accept="application/json", min_interval=1.0
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
