"""Preferences without a password: the link in every mail is the key. Choose, pause, see your data, be forgotten."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.addresses import key_of, normalised
from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState
from digestmail.subscribers import address_change, data_export, preferences
from digestmail.subscribers.rate_limit import Admission
from digestmail.text.credentials import new_secret
from digestmail.web import people
from digestmail.web.forms import Filled, Form, check_ours, choices_of
from digestmail.web.pages import page, pages_of

router = APIRouter(include_in_schema=False)
log = logging.getLogger("digestmail.web")
_PAUSES = {"1": "a week", "2": "two weeks", "4": "four weeks", "12": "three months"}
"""For how many weeks one may pause."""


@router.get("/preferences/{token}")
def show(request: Request, token: str) -> HTMLResponse:
    """Show what somebody gets, to be changed."""
    try:
        person, _ = people.holder(request, token)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    return _page(request, token, person)


@router.post("/preferences/{token}")
def change(request: Request, token: str, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Save the choices."""
    app = pages_of(request).app
    try:
        person, _ = people.holder(request, token)
        check_ours(request, form, people.purpose(token))
        choices = choices_of(form, app.digests, people.languages(app))
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    try:
        changed = preferences.change(app.database, app.digests, person.id, choices, app.wall_clock.now())
    except SubscriptionError as error:
        return _page(request, token, person, problem=str(error), status=422)
    background.add_task(people.of(request).outgoing.flush)
    return _page(request, token, changed, said="Saved. It holds from the next mail on.")


@router.post("/preferences/{token}/pause")
def pause(request: Request, token: str, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Pause for some weeks, or go on."""
    app = pages_of(request).app
    now = app.wall_clock.now()
    try:
        person, _ = people.holder(request, token)
        check_ours(request, form, people.purpose(token))
        until = _until(form, now)
        person = preferences.pause(app.database, person.id, until, now, tell=True)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    background.add_task(people.of(request).outgoing.flush)
    said = f"Paused until {until:%d %B %Y}." if until else "You get mail again."
    return _page(request, token, person, said=said)


@router.post("/preferences/{token}/address")
def change_address(request: Request, token: str, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Send a confirmation to a new address; the answer is the same whoever that belongs to."""
    app = pages_of(request).app
    try:
        person, _ = people.holder(request, token)
        check_ours(request, form, people.purpose(token))
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    try:
        address = normalised(form.get("address"))
        if key_of(address) == key_of(person.address):
            raise SubscriptionError("that is the address you get mail at")  # noqa: TRY301 - shown like the others
    except SubscriptionError as error:
        return _page(request, token, person, problem=str(error), status=422)
    at = app.wall_clock.monotonic()
    verdict = people.of(request).guard.judge(client=people.client_of(request), address=address, at=at)
    if verdict is Admission.REFUSE:
        problem = "Too many mails were asked for from your network. Please try again in an hour."
        return _page(request, token, person, problem=problem, status=429)
    if verdict is Admission.ADMIT:
        background.add_task(_ask_for_address, request, person.id, address)
    return _page(
        request, token, person, said="Check the mail at the new address: nothing changes until you confirm it."
    )


def _ask_for_address(request: Request, subscriber_id: int, address: str) -> None:
    """Queue the mail and send it, behind the answer."""
    app = pages_of(request).app
    reply = address_change.ask(app.database, subscriber_id, address, app.wall_clock.now(), random_token=new_secret)
    log.info("address change reply=%s", reply)
    people.of(request).outgoing.flush()


def _until(form: Form, now: datetime) -> datetime | None:
    weeks = form.get("weeks")
    if weeks and weeks not in _PAUSES:
        raise SubscriptionError("a pause lasts one, two, four or twelve weeks")
    return now + timedelta(weeks=int(weeks)) if weeks else None


def _check_sure(form: Form) -> None:
    if form.get("sure") != "yes":
        raise SubscriptionError("nothing was erased: tick the box to say that you mean it")


def _page(
    request: Request, token: str, person: Subscriber, *, said: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    app = pages_of(request).app
    choices = Preferences(subscriptions=person.subscriptions, language=person.language, timezone=person.timezone)
    paused_until = person.paused_until if person.paused_until and person.paused_until > app.wall_clock.now() else None
    return page(
        request,
        "preferences.html",
        status=status,
        token=token,
        own_token=people.form_token(request, token),
        person=person,
        subscribed=person.state is SubscriberState.ACTIVE,
        paused_until=paused_until,
        pauses=_PAUSES,
        said=said,
        problem=problem,
        **people.choice_context(request, choices),
    )


@router.get("/preferences/{token}/data")
def data(request: Request, token: str) -> HTMLResponse:
    """Say what is stored, and offer it whole and its end."""
    try:
        found = _stored(request, token)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    return page(request, "my_data.html", token=token, own_token=people.form_token(request, token), record=found)


@router.get("/preferences/{token}/data.json")
def export(request: Request, token: str) -> Response:
    """Return all that is stored as a file."""
    from pydantic_core import to_json

    try:
        found = _stored(request, token)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"', "Cache-Control": "no-store"}
    return Response(to_json(found, indent=2), media_type="application/json", headers=headers)


def _stored(request: Request, token: str) -> data_export.PersonalData:
    """Return all that is stored about a link's holder. Raises TokenError or SubscriptionError."""
    person, _ = people.holder(request, token)
    return data_export.export(pages_of(request).app.database, person.id)


@router.post("/preferences/{token}/erase")
def erase(request: Request, token: str, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Forget a person who ticked that they mean it; who gets mail confirms it by mail."""
    app = pages_of(request).app
    try:
        person, _ = people.holder(request, token)
        check_ours(request, form, people.purpose(token))
        _check_sure(form)
        erased = data_export.ask_to_erase(app.database, person.id, app.wall_clock.now(), random_token=new_secret)
    except (TokenError, SubscriptionError) as error:
        return people.sorry(request, error)
    if erased is None:
        background.add_task(people.of(request).outgoing.flush)
        text = "We have sent you a mail with a link. Press the button behind it within three days to erase everything."
        return page(request, "message.html", heading="Check your mail", text=text, link=None)
    return people.erased(request)


@router.get("/erase/{token}")
def look_at_erasing(request: Request, token: str) -> HTMLResponse:
    """Show what the link of a mail erases, and a button."""
    app = pages_of(request).app
    try:
        person = data_export.to_be_erased(app.database, app.link_tokens(), token, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return people.no_use(request, error)
    return page(request, "erase.html", token=token, person=person, own_token=people.form_token(request, token))


@router.post("/erase/{token}")
def confirm_erasing(request: Request, token: str, form: Filled) -> HTMLResponse:
    """Erase who confirmed it by mail."""
    app = pages_of(request).app
    now = app.wall_clock.now()
    try:
        check_ours(request, form, people.purpose(token))
        person = data_export.to_be_erased(app.database, app.link_tokens(), token, now)
        data_export.erase(app.database, person.id, now, random_token=new_secret)
    except (TokenError, SubscriptionError) as error:
        return people.no_use(request, error)
    return people.erased(request)
