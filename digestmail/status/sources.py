"""What `digestmail check` says about sources: those that fail, fell silent, are not read, or do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digestmail.collect.due_lists import failing_lists_of_profile
from digestmail.config.sources import AnySource
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.reports import WELL
from digestmail.papers.arxiv_taxonomy import category_problem
from digestmail.schedule.cron import current_slot, next_fire
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.app import App

_SILENT = timedelta(days=30)
_UNREAD = timedelta(days=2)
_DAY = timedelta(days=1)
_LONGEST_NAME = 60


def problems(app: App, health: Sequence[SourceHealth]) -> Iterator[str]:
    """Yield what is wrong with the sources; `health` is how their last readings went."""
    now = app.clock.now()
    rows = {(row.source, row.category): row for row in health}
    for table in app.config.sources:
        row = rows.get((table.name, ""))
        if row is None:
            continue
        if row.health is Health.PARKED:
            continue  # a note says so
        if row.health not in WELL:
            yield f"source {table.shown_name}: {row.health}: {row.detail}"
        elif now - row.read_at > _patience(app, row.source, now):
            days = counted((now - row.read_at) // _DAY, "day")
            yield (
                f"source {table.shown_name} was last read {days} ago: call `digestmail run` from cron, or start "
                "`digestmail up`"
            )
        elif row.fresh_at is not None and now - row.fresh_at > _SILENT and not _may_be_silent(table):
            yield (
                f"source {table.shown_name} has shown nothing new since {row.fresh_at:%d %b %Y}: look at it in a "
                "browser, and correct it in [[sources]] or remove it"
            )
        yield from _category_problems(table.name, getattr(table, "categories", ()), rows)
    for one in failing_lists_of_profile(app.database):
        name = one.reference if len(one.reference) <= _LONGEST_NAME else f"{one.reference[:_LONGEST_NAME]}…"
        yield f"reading list {one.kind} {name} of [profile]: {one.problem}"


def _may_be_silent(table: AnySource) -> bool:
    """Return whether a source may show nothing for a month: most repositories and many blogs of a list do."""
    return "/" in table.name


def _category_problems(
    source: str, categories: Sequence[str], rows: dict[tuple[str, str], SourceHealth]
) -> Iterator[str]:
    """Yield the categories that arXiv does not list, unless they have shown papers: the list may have grown."""
    for name in categories:
        row = rows.get((source, name))
        if (row is None or row.fresh_at is None) and (problem := category_problem(name)):
            yield f"source {source}: {problem}; correct it in [[sources]] categories"


def _patience(app: App, source: str, now: datetime) -> timedelta:
    """Return how old a reading may be: a day more than the longest pause of a digest that uses the source."""
    longest = _UNREAD
    for digest in app.digests:
        if source in digest.sources and (slot := current_slot(digest.schedule, now)) is not None:
            longest = max(longest, next_fire(digest.schedule, now) - slot.at + _DAY)
    return longest
