"""Subscribe: the form, the page that says to look for mail, the confirmation. No answer tells who is known."""

from __future__ import annotations

import logging

from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import HTMLResponse

from digestmail.app import App
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.addresses import normalised
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.subscribers import signup
from digestmail.subscribers.rate_limit import Admission
from digestmail.subscribers.validate import checked
from digestmail.text.credentials import new_secret
from digestmail.web import people
from digestmail.web.forms import SHORTEST_FILLING_IN, SUBSCRIBE, Filled, Form, check_ours, choices_of
from digestmail.web.pages import page, pages_of

router = APIRouter(include_in_schema=False)
log = logging.getLogger("digestmail.web")
_HONEYPOT = "website"


@router.get("/subscribe")
def show(request: Request) -> HTMLResponse:
    """Show the form with every choice there is."""
    app = pages_of(request).app
    return _form(request, Preferences(subscriptions=(Subscription(digest=app.digests[0].name),)))


@router.post("/subscribe")
def ask(request: Request, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Take an address; the work is done behind the answer, which is the same whoever it belongs to."""
    app = pages_of(request).app
    try:
        choices = choices_of(form, app.digests, people.languages(app))
        if not form.all("digest"):
            # The form on the home page asks for no more than an address.
            choices = Preferences(subscriptions=(Subscription(digest=app.digests[0].name),))
    except SubscriptionError as error:
        return _form(request, Preferences(), problem=str(error), status=422)
    try:
        check_ours(request, form, SUBSCRIBE, min_age=SHORTEST_FILLING_IN)
        address = normalised(form.get("address"))
        choices = checked(app.digests, choices)
    except TokenError:
        again = "Please press the button once more: this page was open too long, or too short."
        return _form(request, choices, address=form.get("address"), problem=again, status=400)
    except SubscriptionError as error:
        return _form(request, choices, address=form.get("address"), problem=str(error), status=422)
    verdict = _judge(request, form, address)
    if verdict is Admission.REFUSE:
        text = "Too many subscriptions were asked for from your network. Please try again in an hour."
        return page(request, "message.html", status=429, heading="Please try later", text=text, link=None)
    if verdict is Admission.ADMIT:
        background.add_task(_work, request, app, address, choices)
    return page(request, "check-mail.html")


def _judge(request: Request, form: Form, address: str) -> Admission:
    if form.get(_HONEYPOT):
        return Admission.QUIET
    at = pages_of(request).app.wall_clock.monotonic()
    return people.of(request).guard.judge(client=people.client_of(request), address=address, at=at)


def _work(request: Request, app: App, address: str, choices: Preferences) -> None:
    """Queue the mail and send it, behind the answer."""
    now = app.wall_clock.now()
    reply = signup.ask(app.database, app.digests, address, choices, now, random_token=new_secret)
    log.info("subscribe reply=%s", reply)
    people.of(request).outgoing.flush()


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
        **people.choice_context(request, choices),
    )


@router.get("/confirm/{token}")
def look(request: Request, token: str) -> HTMLResponse:
    """Show what the link confirms, and a button: a GET changes nothing, for scanners open every link."""
    app = pages_of(request).app
    try:
        choices = signup.look(app.database, app.link_tokens(), token, app.wall_clock.now())
    except TokenError as error:
        return _no_use(request, error)
    titles = [digest.title for digest in app.digests if digest.name in {one.digest for one in choices.subscriptions}]
    return page(request, "confirm.html", token=token, titles=titles, own_token=people.form_token(request, token))


@router.post("/confirm/{token}")
def confirm(request: Request, token: str, form: Filled, background: BackgroundTasks) -> HTMLResponse:
    """Confirm; a link works once."""
    app = pages_of(request).app
    try:
        check_ours(request, form, people.purpose(token))
        found = signup.confirm(app.database, app.link_tokens(), token, app.wall_clock.now()).subscriber
    except (TokenError, SubscriptionError) as error:
        return _no_use(request, error)
    background.add_task(people.of(request).outgoing.flush)
    lasting = app.tokens.unsubscribe(found.id, "")
    return page(request, "confirmed.html", token=lasting)


def _no_use(request: Request, error: Exception) -> HTMLResponse:
    status = 410 if isinstance(error, TokenError) else 403
    text = f"{str(error).capitalize()}. If you are not subscribed yet, ask again: a new link comes by mail."
    return page(request, "message.html", status=status, heading="This link is of no use", text=text, link="/subscribe")
