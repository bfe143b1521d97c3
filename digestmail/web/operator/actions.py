"""What the operator does. Each form changes one thing and leads back to the page it was on."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from digestmail.delivery import admin as deliveries
from digestmail.errors import SubscriptionError
from digestmail.model.deliveries import Unfinished
from digestmail.subscribers import admin
from digestmail.text.counts import counted
from digestmail.web.forms import Form
from digestmail.web.operator.session import HOME, CheckedForm
from digestmail.web.pages import url
from digestmail.web.query_params import app_of, row_number

router = APIRouter(include_in_schema=False)
_PAUSES: Final = {str(hours): hours for hours in range(1, 25)}
"""How many hours a pause may last."""


@router.post(f"{HOME}/pause")
def pause(request: Request, form: CheckedForm) -> RedirectResponse:
    """Pause sending for some hours."""
    app = app_of(request)
    hours = _PAUSES.get(form.get("hours"))
    if hours is None:
        raise HTTPException(400, f"a pause lasts from 1 to {len(_PAUSES)} hours")
    now = app.wall_clock.now()
    names = [transport.name for transport in app.transports()]
    deliveries.pause(app.database, names, now + timedelta(hours=hours), now)
    return _back(request, HOME, f"Sending is paused for {counted(hours, 'hour')}.")


@router.post(f"{HOME}/resume")
def resume(request: Request, _form: CheckedForm) -> RedirectResponse:
    """Try again at once what waits for a mail server."""
    app = app_of(request)
    _, due = deliveries.resume(app.database, app.wall_clock.now())
    return _back(request, HOME, f"Sending goes on: {counted(due, 'email')} due with the next run.")


@router.post(f"{HOME}/retry")
def retry(request: Request, form: CheckedForm) -> RedirectResponse:
    """Send the failed and ambiguous deliveries of an edition again, all or those to one subscriber."""
    app = app_of(request)
    name, slot, number = form.get("digest"), form.get("slot"), _number(form)
    if not name or not slot:
        raise HTTPException(400, "an edition is missing")
    meant = Unfinished(digest=name, slot=slot, subscriber_id=number)
    queued = deliveries.retry(app.database, meant, app.wall_clock.now())
    path = f"{HOME}/subscribers/{number}" if number else f"{HOME}/editions/{name}/{slot}"
    return _back(request, path, f"{counted(queued, 'email')} queued again.")


@router.post(f"{HOME}/suppress")
def suppress(request: Request, form: CheckedForm) -> RedirectResponse:
    """Suppress an address."""
    app = app_of(request)
    try:
        admin.suppress(app.database, form.get("address"), "by the operator, on the page", app.wall_clock.now())
    except SubscriptionError as error:
        raise HTTPException(400, str(error)) from error
    return _back(request, _subscriber_path(form), "The address is suppressed.")


@router.post(f"{HOME}/lift")
def lift(request: Request, form: CheckedForm) -> RedirectResponse:
    """Lift a suppression."""
    app = app_of(request)
    if not admin.lift_key(app.database, form.get("key"), app.wall_clock.now()):
        raise HTTPException(404, "this address is not suppressed")
    return _back(request, _subscriber_path(form), "The suppression is lifted. The person can subscribe again.")


def _number(form: Form) -> int | None:
    """Return the subscriber of a form; None if it names none. Raises HTTPException 400."""
    number = form.get("subscriber")
    if not number:
        return None
    found = row_number(number)
    if found is None:
        raise HTTPException(400, "this is not the number of a subscriber")
    return found


def _subscriber_path(form: Form) -> str:
    number = _number(form)
    return f"{HOME}/subscribers/{number}" if number else f"{HOME}/subscribers"


def _back(request: Request, path: str, done: str) -> RedirectResponse:
    """Return to a page, which says what was done."""
    return RedirectResponse(f"{url(request, path)}?{urlencode({'done': done})}", status_code=303)
