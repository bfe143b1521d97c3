"""Determines the health of a reading. Pure. Freshness depends on new ids, never on the dates in a feed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from digestmail.errors import SourceError, SourceRefusedError, SourceThrottledError, SourceUnreadableError
from digestmail.model.papers import Health, PaperId, Reading, SourceHealth
from digestmail.schedule.arxiv_calendar import arxiv_announces_on, feed_day, why_silent
from digestmail.text.counts import counted

_QUIET = timedelta(days=10)
"""After this time without new entries, even a quiet source may have a problem."""


def of_error(error: SourceError) -> Health:
    """Return the health for `error`."""
    if isinstance(error, SourceThrottledError):
        return Health.THROTTLED
    if isinstance(error, SourceRefusedError):
        return Health.REFUSED
    if isinstance(error, SourceUnreadableError):
        return Health.UNREADABLE
    return Health.UNAVAILABLE


def failed(
    source: str, health: Health, detail: str, previous: Mapping[str, SourceHealth], now: datetime
) -> tuple[SourceHealth, ...]:
    """Return the health of a source that could not be read, and of each of its known categories."""
    return tuple(
        SourceHealth(
            source=source,
            category=category,
            health=health,
            detail=detail,
            read_at=now,
            fresh_at=previous[category].fresh_at if category in previous else None,
        )
        for category in sorted({"", *previous})
    )


def judge(
    reading: Reading, unseen: Collection[PaperId], previous: Mapping[str, SourceHealth], now: datetime
) -> tuple[SourceHealth, ...]:
    """Return one health for the entire source (category "") and one for each of its categories.

    `unseen` are the ids that this source had never shown before. `previous` is the last health by category.
    """
    rows = [_judge_one(reading, "", unseen, previous.get(""), now)]
    rows += [_judge_one(reading, name, unseen, previous.get(name), now) for name in reading.categories]
    return tuple(rows)


def _judge_one(
    reading: Reading, category: str, unseen: Collection[PaperId], previous: SourceHealth | None, now: datetime
) -> SourceHealth:
    ids = [s.paper.id for s in reading.sightings if not category or _within(category, s.paper.categories)]
    new = sum(paper_id in unseen for paper_id in ids)
    fresh_at = now if new else previous.fresh_at if previous else None
    if fresh_at is not None:
        fresh_at = min(fresh_at, now)  # a future date of a wrong clock counts as now
    if reading.partial:
        health, detail = Health.PARTIAL, f"{new} new of {counted(len(ids), 'paper')}; {reading.partial}"
    elif new:
        health, detail = Health.FRESH, f"{new} new of {counted(len(ids), 'paper')}"
    elif reading.categories:
        health, detail = _arxiv_without_news(bool(ids) or reading.unchanged, fresh_at, now)
    else:
        health, detail = _without_news(fresh_at, now)
    return SourceHealth(
        source=reading.source, category=category, health=health, detail=detail, read_at=now, fresh_at=fresh_at
    )


def _within(category: str, categories: tuple[str, ...]) -> bool:
    archive = category.removesuffix(".*").lower()
    return any(name.lower() == archive or name.lower().startswith(f"{archive}.") for name in categories)


def _arxiv_without_news(shows_papers: bool, fresh_at: datetime | None, now: datetime) -> tuple[Health, str]:  # noqa: FBT001 - a fact, not an option
    today = feed_day(now)
    due = _last_announcement(today)
    if fresh_at is not None and feed_day(fresh_at) >= due:
        if today == due:
            return Health.FRESH, f"nothing new since {fresh_at:%a %d %b %H:%M} UTC; the batch of {due:%a %d %b} is read"
        return Health.NOTHING_ANNOUNCED, f"arXiv announced nothing on {today} ({why_silent(today)})"
    if today != due and not shows_papers:
        return Health.NOTHING_ANNOUNCED, f"arXiv announced nothing on {today} ({why_silent(today)})"
    if shows_papers:
        return Health.STALE, f"shows only papers seen before, though an announcement was due on {due:%a %d %b}"
    return Health.NOTHING_ANNOUNCED, f"no papers, though an announcement was due on {due:%a %d %b}"


def _last_announcement(today: date) -> date:
    day = today
    while not arxiv_announces_on(day):
        day -= timedelta(days=1)
    return day


def _without_news(fresh_at: datetime | None, now: datetime) -> tuple[Health, str]:
    if fresh_at is None:
        return Health.NOTHING_ANNOUNCED, "nothing there yet"
    if now - fresh_at >= _QUIET:
        return Health.STALE, f"nothing new since {fresh_at:%a %d %b %Y}"
    weekend = ", and it is the weekend" if now.weekday() >= 5 else ""  # noqa: PLR2004 - Saturday
    if fresh_at.date() == now.date():
        return Health.FRESH, f"nothing new since {fresh_at:%a %d %b %H:%M} UTC"
    return Health.NOTHING_ANNOUNCED, f"nothing new since {fresh_at:%a %d %b}{weekend}"
