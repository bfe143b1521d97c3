"""Lists of papers that were not only sent: all that were collected, and all that qualified for an edition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.editions import archive
from digestmail.model.archive import CollectedPaper
from digestmail.model.editions import digest_and_slot
from digestmail.selection.segments import for_all_topics
from digestmail.web.cache import Sharing, share
from digestmail.web.editions import TopicChoice
from digestmail.web.pages import page
from digestmail.web.query_params import app_of, asked_day, asked_row, asked_topic, digest_of, end_of_day, normalized

router = APIRouter(include_in_schema=False)
_PAPERS: Final = 50
_QUALIFIED: Final = 100


@router.get("/papers")
def show_papers(request: Request) -> HTMLResponse:
    """Show all collected papers, newest first, by the day on which they came."""
    app = app_of(request)
    topic, source = (normalized(request.query_params, name) or None for name in ("topic", "source"))
    last, below = asked_day(request, "to"), asked_row(request, "below")
    found = archive.collected_papers(
        app.database,
        topic=topic,
        source=source,
        before=end_of_day(last) if last else None,
        below=below,
        limit=_PAPERS + 1,
    )
    shown = found[:_PAPERS]
    filters = {"topic": topic, "source": source, "to": last.isoformat() if last else None}
    current = {one.name for digest in app.digests for one in digest.topics}
    configured = {one.name for one in app.config.sources}
    share(request, Sharing.KEPT, "topic", "source", "to", "below")
    return page(
        request,
        "papers.html",
        canonical="/papers",
        days=_by_day(shown),
        topic=topic,
        source=source,
        last=last,
        first_page=below is None,
        filtered=any(filters.values()),
        topics=sorted(current | set(archive.qualified_topics(app.database))),
        sources=sorted({name.partition("/")[0] for name in configured} | ({source} & configured)),
        titles={digest.name: digest.title for digest in app.digests},
        query=urlencode({name: value for name, value in filters.items() if value}),
        below=shown[-1].row if len(found) > _PAPERS else None,
    )


@router.get("/{name}/{key}/papers")
def show_qualified(request: Request, name: str, key: str) -> HTMLResponse:
    """Show all papers that qualified for an edition, best first, and mark those that it contains.

    `key` may name a variant, such as `2026-04-06.weekly`. Catch-up editions have no page, because it would say when a
    reader was away, nor have announcements, which have no papers.
    """
    digest = digest_of(request, name)
    database = app_of(request).database
    found = archive.find_edition(database, *digest_and_slot(name, key))
    if found is None or found.edition.since is not None or found.edition.announcement is not None:
        raise HTTPException(404, "there is no edition for that day")
    edition, topic, after = found.edition, asked_topic(request), asked_row(request, "after") or 0
    qualified = archive.qualified_papers_of(database, found.id, topic=topic, after=after, limit=_QUALIFIED + 1)
    if topic is not None and topic not in qualified.topics and topic not in (*edition.topics, ""):
        raise HTTPException(404, "this edition has no such topic")
    ordered = dict.fromkeys((*edition.topics, *sorted(qualified.topics.keys() - {""}), ""))
    shown = qualified.papers[:_QUALIFIED]
    share(request, Sharing.KEPT, "topic", "after")
    return page(
        request,
        "qualified.html",
        canonical=f"/{name}/{key}/papers",
        digest=digest,
        edition=edition,
        plain=edition.digest == edition.base,
        key=key,
        papers=shown,
        sent=frozenset(entry.paper.id for section in for_all_topics(edition) for entry in section.entries),
        total=qualified.total if topic is None else qualified.topics.get(topic, 0),
        choices=tuple(
            TopicChoice(topic=one, papers=qualified.topics[one]) for one in ordered if one in qualified.topics
        ),
        chosen=topic,
        first_page=not after,
        after=shown[-1].rank if len(qualified.papers) > _QUALIFIED else None,
    )


def _by_day(papers: Sequence[CollectedPaper]) -> list[tuple[date, list[CollectedPaper]]]:
    """Return the papers of each day, in their order."""
    return [(day, list(some)) for day, some in groupby(papers, key=lambda one: one.first_seen_at.date())]
