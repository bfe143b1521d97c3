"""Links in notices: undo a change, and confirm a new address."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.subscribers import address_change, changes
from digestmail.web import subscriber_pages
from digestmail.web.forms import SubmittedForm, check_form
from digestmail.web.pages import page, pages_of, translate, use_language

router = APIRouter(include_in_schema=False)


@router.get("/undo/{token}")
def look(request: Request, token: str) -> HTMLResponse:
    """Show what the link undoes, with a button."""
    app = pages_of(request).app
    try:
        found = changes.find_undo(app.database, app.link_tokens(), token, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.expired_link(request, error)
    use_language(request, found.person.language)
    return page(
        request,
        "undo.html",
        token=token,
        undoing=found,
        steps=[(step.what.value, _title(request, step.digest)) for step in found.steps()],
        own_token=subscriber_pages.form_token(request, token),
    )


@router.post("/undo/{token}")
def undo(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Undo a change. Repeating it has no further effect."""
    app = pages_of(request).app
    try:
        check_form(request, form, subscriber_pages.purpose(token))
        person = changes.undo(app.database, app.digests, app.link_tokens(), token, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.expired_link(request, error)
    use_language(request, person.language)
    return page(request, "undone.html", person=person, token=app.tokens.unsubscribe(person.id, ""))


@router.get("/address/{token}")
def show_address(request: Request, token: str) -> HTMLResponse:
    """Show the address that the link confirms, with a button."""
    app = pages_of(request).app
    try:
        wanted = address_change.pending_change(app.database, app.link_tokens(), token, app.wall_clock.now())
    except TokenError as error:
        return subscriber_pages.expired_link(request, error)
    subscriber_pages.use_language_of(request, wanted.subscriber_id)
    return page(
        request,
        "address.html",
        token=token,
        address=wanted.address,
        own_token=subscriber_pages.form_token(request, token),
    )


@router.post("/address/{token}")
def confirm_address(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Change the subscriber's address to the one that received the link. A link works once."""
    app = pages_of(request).app
    try:
        check_form(request, form, subscriber_pages.purpose(token))
        person = address_change.confirm(app.database, app.link_tokens(), token, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.expired_link(request, error)
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    use_language(request, person.language)
    text = translate(
        request,
        "From now on we send your emails to %(address)s. We also sent a notice to your previous address.",
        address=person.address,
    )
    return page(request, "message.html", heading=translate(request, "Your address was changed"), text=text, link=None)


def _title(request: Request, name: str) -> str:
    return next((digest.title for digest in pages_of(request).app.digests if digest.name == name), name)
