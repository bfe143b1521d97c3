"""What the operator sees. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.delivery import admin as deliveries
from digestmail.editions import archive
from digestmail.errors import DigestmailError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import shown_name
from digestmail.schedule.times import common_zone
from digestmail.selection.segments import for_all_topics, paper_count
from digestmail.status.figures import growth_chart, in_bytes, share, source_cells
from digestmail.status.overview import status
from digestmail.subscribers import admin
from digestmail.text.counts import counted
from digestmail.web.operator.session import HOME, Session, operator_page
from digestmail.web.query_params import LARGEST_ROW, app_of, asked_row, asked_text, digest_of

router = APIRouter(include_in_schema=False)
_SHOWN: Final = 100
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; sandbox; frame-ancestors 'none'"
)
"""The styles of an email are inline. Nothing else in it may act."""


@router.get(HOME)
def show_status(request: Request, session: Session) -> HTMLResponse:
    """Show the status."""
    app = app_of(request)
    found = status(app)
    return operator_page(
        request,
        session,
        "status.html",
        overview=found,
        when=_when(common_zone(app.digests)),
        cells=source_cells,
        chart=growth_chart(found.runs),
        in_bytes=in_bytes,
        share=share,
        shown_name=shown_name,
        paused=deliveries.pauses(app.database, app.wall_clock.now()),
    )


@router.get(f"{HOME}/editions/{{name}}/{{slot}}")
def show_edition(request: Request, session: Session, name: str, slot: str) -> HTMLResponse:
    """Show how the deliveries of an edition stand, and those that need a look."""
    app = app_of(request)
    found = archive.find_edition(app.database, name, slot)
    if found is None:
        raise HTTPException(404, "there is no such edition")
    asked = asked_text(request, "state")
    state = DeliveryState(asked) if asked in set(DeliveryState) else None
    shown = deliveries.list_of_edition(app.database, name, slot, state=state, limit=_SHOWN)
    return operator_page(
        request,
        session,
        "edition.html",
        edition=found.edition,
        papers=counted(paper_count(found.edition), "paper"),
        digest_name=name,
        slot=slot,
        state=state,
        counts=deliveries.counts_of_edition(app.database, found.id),
        deliveries=shown,
        limit=_SHOWN,
        when=_when(common_zone(app.digests)),
        shown_name=shown_name,
    )


@router.get(f"{HOME}/subscribers")
def find_subscribers(request: Request, session: Session) -> HTMLResponse:
    """Find subscribers by a part of their address."""
    app = app_of(request)
    wanted = asked_text(request, "q")
    last = asked_row(request, "after") or 0
    found = admin.search(app.database, wanted, after=last, limit=_SHOWN + 1)
    return operator_page(
        request,
        session,
        "subscribers.html",
        query=wanted,
        people=found[:_SHOWN],
        following=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        suppressed=list(islice(admin.suppressed(app.database), _SHOWN)) if not wanted and not last else [],
        when=_when(common_zone(app.digests)),
    )


@router.get(f"{HOME}/subscribers/{{number}}")
def show_subscriber(request: Request, session: Session, number: int) -> HTMLResponse:
    """Show a subscriber with the last emails to them, and every attempt at one of them if asked for."""
    app = app_of(request)
    person = admin.find_by_id(app.database, number) if 0 < number <= LARGEST_ROW else None
    if person is None:
        raise HTTPException(404, "there is no such subscriber")
    name, slot = asked_text(request, "digest"), asked_text(request, "slot")
    return operator_page(
        request,
        session,
        "subscriber.html",
        person=person,
        suppression=admin.suppression_of(app.database, person.address),
        deliveries=deliveries.list_of_reader(app.database, number, limit=_SHOWN),
        digest_name=name,
        slot=slot,
        attempts=deliveries.attempts(app.database, name, slot, number) if slot else (),
        when=_when(common_zone(app.digests)),
        shown_name=shown_name,
    )


@router.get(f"{HOME}/next/{{name}}")
def show_next(request: Request, session: Session, name: str) -> HTMLResponse:
    """Show the next edition of a digest, as it would be published now."""
    app = app_of(request)
    digest = digest_of(request, name)
    composed = app.upcoming(digest)
    return operator_page(
        request,
        session,
        "next.html",
        wanted=digest,
        edition=composed.edition,
        sections=for_all_topics(composed.edition),
        considered=len(composed.selection.decisions),
    )


@router.get(f"{HOME}/next/{{name}}/email")
def show_next_email(request: Request, _session: Session, name: str) -> HTMLResponse:
    """Show the email of the next edition, for subscribers of all topics, without personal links."""
    app = app_of(request)
    try:
        content = app.mail.page(app.upcoming(digest_of(request, name)).edition)
    except DigestmailError as error:
        raise HTTPException(409, f"this edition cannot be rendered: {error}") from error
    return HTMLResponse(content, headers={"Content-Security-Policy": _MAIL_POLICY, "Cache-Control": "no-store"})


def _when(zone: str) -> Callable[[datetime], str]:
    """Return what writes a time in a time zone."""
    there = ZoneInfo(zone)
    return lambda moment: f"{moment.astimezone(there):%a %d %b %Y %H:%M}"
