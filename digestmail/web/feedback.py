"""The page behind the links "More like this" and "Less like this" of an email."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.subscribers import feedback
from digestmail.subscribers.feedback import PaperFeedback, PaperInEdition
from digestmail.web import subscriber_pages
from digestmail.web.forms import SubmittedForm, check_form
from digestmail.web.pages import page, pages_of, translate

router = APIRouter(include_in_schema=False)
_LIKED: Final = {"more": True, "less": False}
_REMOVE: Final = "none"
_SLOT: Final = re.compile("[0-9T:-]{1,30}([.][a-z0-9T:-]{1,60})?")
_POSITION: Final = re.compile("[0-9]{1,5}")


@router.get("/feedback/{token}/{slot}/{position}")
@router.get("/feedback/{token}/{slot}/{position}/{answer}")
def show(request: Request, token: str, slot: str, position: str, answer: str = "") -> HTMLResponse:
    """Show the form with the answer of the link selected. GET stores nothing: link scanners open every link."""
    try:
        subscriber_id, named = _find(request, token, slot, position)
        found = feedback.find(pages_of(request).app.database, subscriber_id, named)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    return _page(request, token, named, found, chosen=_LIKED.get(answer, found.liked))


@router.post("/feedback/{token}/{slot}/{position}")
def give(request: Request, token: str, slot: str, position: str, form: SubmittedForm) -> HTMLResponse:
    """Store the answer, or remove it. Show what is stored now, and how to change it."""
    app = pages_of(request).app
    answer = form.get("answer")
    try:
        subscriber_id, named = _find(request, token, slot, position)
        check_form(request, form, subscriber_pages.purpose(token))
        if answer != _REMOVE and answer not in _LIKED:
            raise SubscriptionError("choose one of the answers")  # noqa: TRY301 - shown like the others
        liked = _LIKED.get(answer)
        stored = feedback.give(app.database, subscriber_id, named, app.wall_clock.now(), liked=liked)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    if liked is None:
        message = translate(request, "Your feedback on this paper was removed.")
    elif liked:
        message = translate(request, "Your feedback was saved: you want more papers like this one.")
    else:
        message = translate(request, "Your feedback was saved: you want fewer papers like this one.")
    return _page(request, token, named, stored, chosen=liked, message=message)


def _find(request: Request, token: str, slot: str, position: str) -> tuple[int, PaperInEdition]:
    """Return the subscriber and the paper of a link. Raises TokenError, SubscriptionError, HTTPException 404."""
    if not pages_of(request).app.config.web.feedback:
        raise HTTPException(404, "feedback on papers is turned off")
    person, digest = subscriber_pages.subscriber_from_token(request, token)
    if not _SLOT.fullmatch(slot) or not _POSITION.fullmatch(position):
        raise SubscriptionError("there is no such paper")
    return person.id, PaperInEdition(digest=digest, slot=slot, position=int(position))


def _page(
    request: Request, token: str, named: PaperInEdition, found: PaperFeedback, *, chosen: bool | None, message: str = ""
) -> HTMLResponse:
    return page(
        request,
        "feedback.html",
        token=token,
        own_token=subscriber_pages.form_token(request, token),
        action=f"/feedback/{token}/{named.slot}/{named.position}",
        paper=found.paper,
        stored=found.liked,
        chosen=chosen,
        message=message,
    )
