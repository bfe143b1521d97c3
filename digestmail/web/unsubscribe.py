"""Unsubscribe with one click in the mail program (RFC 8058), or with a form that also offers alternatives."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.digests import Cadence, Digest
from digestmail.model.subscribers import Subscriber
from digestmail.schedule.cadence import is_rarer
from digestmail.schedule.cron import rarer_cadences
from digestmail.subscribers import preferences
from digestmail.web import subscriber_pages
from digestmail.web.forms import LenientForm
from digestmail.web.pages import page, pages_of

router = APIRouter(include_in_schema=False)


@router.get("/unsubscribe/{token}")
def show(request: Request, token: str) -> HTMLResponse:
    """Show the form. GET unsubscribes no one, because link scanners open every link."""
    app = pages_of(request).app
    try:
        person, name = subscriber_pages.subscriber_from_token(request, token)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    digest = next((digest for digest in app.digests if digest.name == name), None)
    return page(
        request,
        "unsubscribe.html",
        token=token,
        own_token=subscriber_pages.form_token(request, token),
        person=person,
        digest_title=digest.title if digest else None,
        titles=[one.title for one in app.digests if one.name in {mine.digest for mine in person.subscriptions}],
        instead=_instead(person, digest),
        others=len([one for one in person.subscriptions if one.digest != name]),
        subscribed=bool(person.subscriptions),
    )


def _instead(person: Subscriber, digest: Digest | None) -> Cadence | None:
    """Return the cadence that is offered instead of unsubscribing: weekly, or monthly if that would change nothing."""
    if digest is None:
        return None
    mine = next((one for one in person.subscriptions if one.digest == digest.name), None)
    offered = (one for one in rarer_cadences(digest.schedule) if one is not Cadence.WEEKDAYS)
    return None if mine is None else next((one for one in offered if is_rarer(one, mine.cadence)), None)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str, form: LenientForm, background: BackgroundTasks) -> Response:
    """Unsubscribe, without cookies, redirects or questions. Repeating it has no further effect.

    RFC 8058 section 3.2: the token alone identifies the subscriber and the digest, whatever the body contains and
    whatever its type. Our own form has an additional field to unsubscribe from all digests.
    """
    app = pages_of(request).app
    try:
        subscriber_id, name = app.tokens.read_unsubscribe(token)
    except TokenError as error:
        return subscriber_pages.invalid_link(request, error)
    scope = form.get("scope")
    everything = not name or scope == "all"
    left = preferences.unsubscribe(app.database, subscriber_id, None if everything else name, app.wall_clock.now())
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    if not scope:
        return PlainTextResponse("unsubscribed\n", headers={"Cache-Control": "no-store"}, background=background)
    subscriber_pages.use_language_of(request, subscriber_id)
    return page(request, "unsubscribed.html", token=token, all=left.all)
