"""The pages of a digest: home, archive, edition, week and month."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.editions import archive
from digestmail.model.archive import EditionLine
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.selection import Entry
from digestmail.selection.segments import alone, for_page, paper_count
from digestmail.web.cache import Sharing, share
from digestmail.web.pages import page
from digestmail.web.periods import Kind, Period, month_key, period, week_key
from digestmail.web.query_params import app_of, asked_page, asked_topic, digest_of

router = APIRouter(include_in_schema=False)
_LINES: Final = 60
_PERIOD_PAPERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicChoice:
    """A topic of an edition and its number of papers. The empty topic is for papers that match none."""

    topic: str
    papers: int


@router.get("/")
def home(request: Request) -> HTMLResponse:
    """Show the latest edition of the first digest."""
    digest = app_of(request).digests[0]
    found = archive.edition_record(app_of(request).database, digest.name)
    if found is None:
        share(request, Sharing.KEPT)
        return page(request, "empty.html", canonical="/", digest=digest)
    return _edition(request, digest, found.edition, "/", found.earlier, None)


@router.get("/{name}")
def list_editions(request: Request, name: str) -> HTMLResponse:
    """List the editions of a digest, newest first."""
    digest = digest_of(request, name)
    number = asked_page(request)
    database = app_of(request).database
    total = archive.edition_count(database, name)
    lines = archive.edition_lines(database, digest=name, limit=_LINES, offset=(number - 1) * _LINES)
    months: dict[str, list[EditionLine]] = {}
    for line in lines:
        months.setdefault(month_key(line.day), []).append(line)
    share(request, Sharing.KEPT, "page")
    return page(
        request,
        "archive.html",
        canonical=f"/{name}" if number == 1 else f"/{name}?page={number}",
        digest=digest,
        total=total,
        months=months,
        number=number,
        more=number * _LINES < total,
    )


@router.get("/{name}/{slot}")
def show_edition(request: Request, name: str, slot: str) -> HTMLResponse:
    """Show one edition."""
    digest = digest_of(request, name)
    found = archive.edition_record(app_of(request).database, name, slot)
    if found is None:
        raise HTTPException(404, "there is no edition for that day")
    return _edition(request, digest, found.edition, f"/{name}/{slot}", found.earlier, found.later)


@router.get("/{name}/week/{key}")
def show_week(request: Request, name: str, key: str) -> HTMLResponse:
    """Show the papers of a week, most upvoted first."""
    return _period(request, digest_of(request, name), "week", key)


@router.get("/{name}/month/{key}")
def show_month(request: Request, name: str, key: str) -> HTMLResponse:
    """Show the papers of a month, most upvoted first."""
    return _period(request, digest_of(request, name), "month", key)


def _edition(
    request: Request,
    digest: Digest,
    edition: Edition,
    path: str,
    earlier: EditionLine | None,
    later: EditionLine | None,
) -> HTMLResponse:
    share(request, Sharing.KEPT, "topic")
    chosen = asked_topic(request)
    sections = for_page(edition, chosen)
    if sections is None:
        raise HTTPException(404, "this edition has no such topic")
    choices = tuple(TopicChoice(topic=section.topic or "", papers=len(section.entries)) for section in alone(edition))
    return page(
        request,
        "edition.html",
        canonical=path,
        home=path == "/",
        digest=digest,
        edition=edition,
        sections=sections,
        papers=paper_count(edition),
        choices=choices,
        chosen=chosen,
        path=path,
        earlier=earlier,
        later=later,
        most=_most(edition.entries),
        **_views(edition.slot.day),
    )


def _views(day: date) -> dict[str, Any]:
    """Return the keys of the week and the month of a day."""
    return {"week": week_key(day), "month": month_key(day)}


def _most(entries: tuple[Entry, ...]) -> int:
    """Return the highest count of upvotes, at least 1."""
    return max((entry.signals.upvotes or 0 for entry in entries), default=0) or 1


def _period(request: Request, digest: Digest, kind: Kind, key: str) -> HTMLResponse:
    shown = period(kind, key)
    if shown is None:
        raise HTTPException(404, "there is no such week" if kind == "week" else "there is no such month")
    found = archive.editions_with_papers(
        app_of(request).database, digest.name, since=shown.first.isoformat(), until=shown.after.isoformat()
    )
    chosen = asked_topic(request) or None
    published = [entry for _, edition in found for entry in edition.entries]
    choices = _topic_choices(published)
    if chosen is not None and all(chosen != choice.topic for choice in choices):
        raise HTTPException(404, "there is no such topic")
    entries = sorted(
        (entry for entry in published if chosen is None or any(match.topic == chosen for match in entry.matches)),
        key=lambda entry: (-(entry.signals.upvotes or 0), -entry.score.total, entry.paper.id),
    )[:_PERIOD_PAPERS]
    share(request, Sharing.KEPT, "topic")
    return page(
        request,
        "period.html",
        canonical=f"/{digest.name}/{kind}/{key}",
        digest=digest,
        period=shown,
        editions=len(found),
        entries=entries,
        choices=choices,
        chosen=chosen,
        most=_most(tuple(entries)),
        latest_day=found[0][0] if found else None,
        **_beside(request, digest, shown),
        **_views(shown.first),
    )


def _beside(request: Request, digest: Digest, shown: Period) -> dict[str, bool]:
    """Return whether there are editions before and after a period; those of the future do not count."""
    app = app_of(request)
    today = app.clock.now().astimezone(ZoneInfo(digest.schedule.timezone)).date()
    return {
        "earlier": archive.has_editions(app.database, digest.name, until=shown.first.isoformat()),
        "later": shown.after <= today
        and archive.has_editions(app.database, digest.name, since=shown.after.isoformat()),
    }


def _topic_choices(published: list[Entry]) -> tuple[TopicChoice, ...]:
    """Return the topics of papers, those with the most papers first."""
    papers = Counter(match.topic for entry in published for match in entry.matches)
    ordered = sorted(papers.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(TopicChoice(topic=topic, papers=number) for topic, number in ordered)
