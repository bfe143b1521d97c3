"""Sign-up and its confirmation. No response reveals whether an address is subscribed."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse

from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.subscribers import Preferences, Subscriber, Subscription
from digestmail.subscribers import signup
from digestmail.subscribers.address_requests import store_signup
from digestmail.subscribers.rate_limit import Admission
from digestmail.subscribers.validate import checked
from digestmail.text.addresses import normalize_address
from digestmail.web import subscriber_pages
from digestmail.web.forms import MIN_FORM_AGE, SUBSCRIBE, Form, SubmittedForm, check_form, preferences_from_form
from digestmail.web.pages import error_sentence, page, pages_of, translate, use_language

router = APIRouter(include_in_schema=False)
_HONEYPOT = "website"


@router.get("/subscribe")
def show(request: Request) -> HTMLResponse:
    """Show the sign-up form with all preferences."""
    app = pages_of(request).app
    return _form(request, Preferences(subscriptions=(Subscription(digest=app.digests[0].name),)))


@router.post("/subscribe")
def ask(request: Request, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Accept a sign-up. The response is the same for every address; it is processed in the background."""
    app = pages_of(request).app
    try:
        choices = preferences_from_form(form, app.digests, subscriber_pages.languages(app))
        if not form.all("digest"):
            # The form on the home page only has an address.
            choices = Preferences(subscriptions=(Subscription(digest=app.digests[0].name),))
    except SubscriptionError as error:
        return _form(request, Preferences(), problem=error_sentence(request, error), status=422)
    try:
        check_form(request, form, SUBSCRIBE, min_age=MIN_FORM_AGE)
        address = normalize_address(form.get("address"))
        choices = checked(app.digests, choices)
    except TokenError:
        again = translate(
            request, "Please submit the form again. It was sent too quickly, or the page was open too long."
        )
        return _form(request, choices, address=form.get("address"), problem=again, status=400)
    except SubscriptionError as error:
        return _form(request, choices, address=form.get("address"), problem=error_sentence(request, error), status=422)
    admission = _admission(request, form, address)
    if admission is Admission.REFUSE:
        text = translate(request, "There were too many requests from your network. Please try again in an hour.")
        heading = translate(request, "Please try again later")
        return page(request, "message.html", status=429, heading=heading, text=text, link=None)
    if admission is Admission.ADMIT:
        subscriber_pages.store_request(
            request, address, lambda: store_signup(app.database, address, choices, app.wall_clock.now())
        )
        background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    return page(request, "check-mail.html")


def _admission(request: Request, form: Form, address: str) -> Admission:
    if form.get(_HONEYPOT):
        return Admission.QUIET
    at = pages_of(request).app.wall_clock.monotonic()
    return subscriber_pages.web_state(request).rate_limiter.admit(
        client=subscriber_pages.client_of(request), address=address, at=at
    )


def _form(
    request: Request, choices: Preferences, *, address: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    return page(
        request,
        "subscribe.html",
        status=status,
        address=address,
        problem=problem,
        canonical="/subscribe",
        **subscriber_pages.choice_context(request, choices),
    )


@router.get("/confirm/{token}")
def look(request: Request, token: str) -> HTMLResponse:
    """Show what the link confirms, with a button. GET changes nothing, because link scanners open every link."""
    app = pages_of(request).app
    try:
        choices = signup.pending_preferences(app.database, app.link_tokens(), token, app.wall_clock.now())
    except TokenError as error:
        return _confirmed_before(request, token) or _expired_link(request, error)
    use_language(request, choices.language)
    titles = [digest.title for digest in app.digests if digest.name in {one.digest for one in choices.subscriptions}]
    return page(
        request, "confirm.html", token=token, titles=titles, own_token=subscriber_pages.form_token(request, token)
    )


@router.post("/confirm/{token}")
def confirm(request: Request, token: str, form: SubmittedForm, background: BackgroundTasks) -> HTMLResponse:
    """Confirm a sign-up. A link works once."""
    app = pages_of(request).app
    try:
        check_form(request, form, subscriber_pages.purpose(token))
        now = app.wall_clock.now()
        found = signup.confirm(app.database, app.link_tokens(), token, now, app.digests).subscriber
    except TokenError as error:
        return _confirmed_before(request, token) or _expired_link(request, error)
    except SubscriptionError as error:
        return _expired_link(request, error)
    background.add_task(subscriber_pages.web_state(request).notice_queue.flush)
    return _confirmed(request, found)


def _confirmed(request: Request, person: Subscriber) -> HTMLResponse:
    use_language(request, person.language)
    token = pages_of(request).app.tokens.unsubscribe(person.id, "")
    return page(request, "confirmed.html", token=token)


def _confirmed_before(request: Request, token: str) -> HTMLResponse | None:
    """Return the page for a link that was used before, or None if it confirmed no one who is still subscribed."""
    app = pages_of(request).app
    person = signup.already_confirmed(app.database, app.link_tokens(), token, app.wall_clock.now())
    return None if person is None else _confirmed(request, person)


def _expired_link(request: Request, error: TokenError | SubscriptionError) -> HTMLResponse:
    status = 410 if isinstance(error, TokenError) else 403
    again = translate(request, "If you are not subscribed yet, subscribe again to receive a new link.")
    return subscriber_pages.link_error_page(request, status, f"{error_sentence(request, error)} {again}")
