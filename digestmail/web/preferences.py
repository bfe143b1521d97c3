"""The preferences pages, authenticated by the link in every email: change, pause, export or erase your data."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, BackgroundTasks, Request, Response
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.i18n import date_formats
from digestmail.model.papers import PaperId
from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState
from digestmail.schedule.cron import rarer_cadences
from digestmail.subscribers import data_export, feedback, preferences
from digestmail.subscribers.address_requests import store_change
from digestmail.subscribers.rate_limit import Admission
from digestmail.subscribers.validate import cadence_from
from digestmail.text.addresses import key_of, normalize_address
from digestmail.text.credentials import new_secret
from digestmail.web import subscriber_pages
from digestmail.web.forms import Form, SubmittedForm, check_form, preferences_from_form
from digestmail.web.pages import error_sentence, language_of, page, pages_of, translate, use_language
from digestmail.web.personal_feed import feed_path

router = APIRouter(include_in_schema=False)
_PAUSES = (1, 2, 4, 12)
_FEEDBACK_SHOWN = 100
"""Answers about papers on the page of a reader's data; the download has all of them."""
"""The possible lengths of a pause, in weeks."""


@router.get("/preferences/{token}")
def show(request: Request, token: str) -> HTMLResponse:
    """Show the preferences."""
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    return _page(request, token, person)


@router.post("/preferences/{token}")
def change(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Save the preferences."""
    app = pages_of(request).app
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
        choices = preferences_from_form(form, app.digests, subscriber_pages.languages(app))
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    try:
        changed = preferences.change(app.database, app.digests, person.id, choices, app.wall_clock.now())
    except SubscriptionError as error:
        return _page(request, token, person, problem=error_sentence(request, error), status=422, typed=choices)
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    use_language(request, changed.language)
    message = translate(request, "Your preferences were saved. They take effect with the next email.")
    return _page(request, token, changed, message=message)


@router.post("/preferences/{token}/pause")
def pause(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Pause for some weeks, or resume."""
    app = pages_of(request).app
    now = app.wall_clock.now()
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
        until = _until(form, now)
        person = preferences.pause(app.database, person.id, until, now, notify=True)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    if until:
        day = date_formats(language_of(request))["date"](until)
        message = translate(request, "Your emails are paused until %(day)s.", day=day)
    else:
        message = translate(request, "Your emails have resumed.")
    return _page(request, token, person, message=message)


@router.post("/preferences/{token}/cadence")
def choose_cadence(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Change how often the digest of the link arrives, as the unsubscribe page offers it."""
    app = pages_of(request).app
    try:
        person, name = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
        cadence = cadence_from(form.get("cadence"))
        if cadence is None:
            raise SubscriptionError("there is no frequency %(name)s", name="''")  # noqa: TRY301 - shown like the others
        preferences.choose_cadence(app.database, app.digests, person.id, name, cadence, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    return page(request, "fewer_emails.html", token=token, cadence=cadence)


@router.post("/preferences/{token}/address")
def change_address(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Send a confirmation request to a new address. The response is the same for every address."""
    app = pages_of(request).app
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    try:
        address = normalize_address(form.get("address"))
        if key_of(address) == key_of(person.address):
            raise SubscriptionError("this is already your address")  # noqa: TRY301 - shown like the others
    except SubscriptionError as error:
        return _page(request, token, person, problem=error_sentence(request, error), status=422)
    at = app.wall_clock.monotonic()
    admission = subscriber_pages.web_state(request).rate_limiter.admit(
        client=subscriber_pages.client_of(request), address=address, at=at
    )
    if admission is Admission.REFUSE:
        problem = translate(request, "There were too many requests from your network. Please try again in an hour.")
        return _page(request, token, person, problem=problem, status=429)
    if admission is Admission.ADMIT:
        subscriber_pages.store_request(
            request, address, lambda: store_change(app.database, person.id, address, app.wall_clock.now())
        )
        background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    message = translate(request, "Check your email at the new address. Nothing changes until you confirm it.")
    return _page(request, token, person, message=message)


def _until(form: Form, now: datetime) -> datetime | None:
    weeks = form.get("weeks")
    if weeks and weeks not in map(str, _PAUSES):
        raise SubscriptionError("a pause must last 1, 2, 4 or 12 weeks")
    return now + timedelta(weeks=int(weeks)) if weeks else None


def _check_confirmed(form: Form) -> None:
    if form.get("sure") != "yes":
        raise SubscriptionError("nothing was erased; select the checkbox to confirm")


def _page(
    request: Request,
    token: str,
    person: Subscriber,
    *,
    message: str = "",
    problem: str = "",
    status: int = 200,
    typed: Preferences | None = None,
) -> HTMLResponse:
    """Show the preferences, or what a person `typed`, so that a mistake does not lose it."""
    app = pages_of(request).app
    choices = typed or Preferences(
        subscriptions=person.subscriptions, language=person.language, timezone=person.timezone
    )
    paused_until = person.paused_until if person.paused_until and person.paused_until > app.wall_clock.now() else None
    return page(
        request,
        "preferences.html",
        status=status,
        token=token,
        own_token=subscriber_pages.form_token(request, token),
        person=person,
        subscribed=person.state is SubscriberState.ACTIVE,
        paused_until=paused_until,
        pauses=_PAUSES,
        feed=feed_path(app, person),
        cadences={digest.name: rarer_cadences(digest.schedule) for digest in app.digests},
        message=message,
        problem=problem,
        **subscriber_pages.choice_context(request, choices),
    )


@router.get("/preferences/{token}/data")
def data(request: Request, token: str) -> HTMLResponse:
    """Show the stored data, with links to export and erase it."""
    try:
        found = _stored(request, token)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    return _data_page(request, token, found)


@router.post("/preferences/{token}/feedback")
def remove_feedback(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Remove the feedback on one paper. Repeating it has no further effect."""
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
        feedback.remove(pages_of(request).app.database, person.id, PaperId(form.get("paper")))
        found = _stored(request, token)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    message = translate(request, "Your feedback on this paper was removed.")
    return _data_page(request, token, found, message=message)


def _data_page(request: Request, token: str, record: data_export.PersonalData, *, message: str = "") -> HTMLResponse:
    own_token = subscriber_pages.form_token(request, token)
    return page(
        request,
        "my_data.html",
        token=token,
        own_token=own_token,
        record=record,
        liked=sum(one.liked for one in record.feedback),
        feedback_shown=_FEEDBACK_SHOWN,
        message=message,
    )


@router.get("/preferences/{token}/data.json")
def export(request: Request, token: str) -> Response:
    """Return all stored data as a file."""
    from pydantic_core import to_json

    try:
        found = _stored(request, token)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"', "Cache-Control": "no-store"}
    return Response(to_json(found, indent=2), media_type="application/json", headers=headers)


def _stored(request: Request, token: str) -> data_export.PersonalData:
    """Return all data about the subscriber of a link. Raises TokenError or SubscriptionError."""
    person, _ = subscriber_pages.subscriber_from_token(request, token)
    return data_export.export(pages_of(request).app.database, person.id)


@router.post("/preferences/{token}/erase")
def erase(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Erase a person's data after they ticked the checkbox. Subscribers must also confirm by email."""
    app = pages_of(request).app
    try:
        person, _ = subscriber_pages.subscriber_from_token(request, token)
        check_form(request, form, subscriber_pages.purpose(token))
        _check_confirmed(form)
        erased = data_export.request_erasure(app.database, person.id, app.wall_clock.now(), random_token=new_secret)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.invalid_link(request, error)
    if erased is None:
        background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
        text = translate(request, "We sent you an email with a link. Open it within three days to erase your data.")
        return page(request, "message.html", heading=translate(request, "Check your email"), text=text, link=None)
    return subscriber_pages.erased(request)


@router.get("/erase/{token}")
def show_erasure(request: Request, token: str) -> HTMLResponse:
    """Show what the link erases, with a button."""
    app = pages_of(request).app
    try:
        person = data_export.pending_erasure(app.database, app.link_tokens(), token, app.wall_clock.now())
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.expired_link(request, error)
    use_language(request, person.language)
    return page(
        request, "erase.html", token=token, person=person, own_token=subscriber_pages.form_token(request, token)
    )


@router.post("/erase/{token}")
def confirm_erasure(request: Request, token: str, form: SubmittedForm) -> HTMLResponse:
    """Erase a person's data after confirmation by email."""
    app = pages_of(request).app
    now = app.wall_clock.now()
    try:
        check_form(request, form, subscriber_pages.purpose(token))
        person = data_export.pending_erasure(app.database, app.link_tokens(), token, now)
        use_language(request, person.language)
        data_export.erase(app.database, person.id, now, random_token=new_secret)
    except (TokenError, SubscriptionError) as error:
        return subscriber_pages.expired_link(request, error)
    return subscriber_pages.erased(request)
