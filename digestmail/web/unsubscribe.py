"""Unsubscribe: by one click of a mail program (RFC 8058), or by a form that also offers less than leaving."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from digestmail.errors import SubscriptionError, TokenError
from digestmail.subscribers import preferences
from digestmail.web import people
from digestmail.web.forms import FilledAnyhow
from digestmail.web.pages import page, pages_of

router = APIRouter(include_in_schema=False)


@router.get("/unsubscribe/{token}")
def show(request: Request, token: str) -> HTMLResponse:
    """Show the form: a GET unsubscribes nobody, for scanners open every link."""
    app = pages_of(request).app
    try:
        person, name = people.holder(request, token)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    title = next((digest.title for digest in app.digests if digest.name == name), None)
    return page(
        request,
        "unsubscribe.html",
        token=token,
        own_token=people.form_token(request, token),
        digest_title=title,
        others=len([one for one in person.subscriptions if one.digest != name]),
        subscribed=bool(person.subscriptions),
    )


@router.post("/unsubscribe/{token}")
def leave(request: Request, token: str, form: FilledAnyhow, background: BackgroundTasks) -> Response:
    """Unsubscribe. Done twice it is done; no cookie, no redirect, no question.

    RFC 8058 section 3.2: the token is all the authority there is, and the digest it was made for is left, whatever the
    body holds and whatever type it claims. Our own form says besides whether all of them are to be left.
    """
    app = pages_of(request).app
    try:
        subscriber_id, name = app.tokens.read_unsubscribe(token)
    except TokenError as error:
        return people.sorry(request, error)
    scope = form.get("scope")
    everything = not name or scope == "all"
    left = preferences.leave(app.database, subscriber_id, None if everything else name, app.wall_clock.now())
    background.add_task(people.of(request).outgoing.flush)
    if not scope:
        return PlainTextResponse("unsubscribed\n", headers={"Cache-Control": "no-store"}, background=background)
    return page(request, "unsubscribed.html", token=token, all=left.all)
