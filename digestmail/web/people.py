"""What the pages people act on share: who a link belongs to, the limits, the queue, and the choices to show."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from digestmail.app import App
from digestmail.errors import StorageError, SubscriptionError, TokenError
from digestmail.mail.i18n import languages as known_languages
from digestmail.mail.i18n import locale_of, template_directories
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.subscribers import Preferences, Subscriber
from digestmail.subscribers import preferences
from digestmail.subscribers.rate_limit import Rate, RateLimiter, Rates
from digestmail.web.forms import SUBSCRIBE
from digestmail.web.notice_queue import NoticeQueue
from digestmail.web.pages import error_sentence, page, pages_of, translate, use_language

_KEPT_SECONDS: Final = 60


@dataclass(slots=True)
class WebState:
    """What one process keeps between requests."""

    app: App
    outgoing: NoticeQueue
    guard: RateLimiter
    _signer: tuple[float, LinkTokens] | None = None

    def signer(self) -> LinkTokens:
        """Return what signs forms; read anew each minute, for the secrets may be rotated."""
        at = self.app.wall_clock.monotonic()
        if self._signer is None or at - self._signer[0] > _KEPT_SECONDS:
            self._signer = (at, self.app.link_tokens())
        return self._signer[1]


def install(web: FastAPI, app: App) -> None:
    """Give the web app what these pages need, and every form its token."""
    searches = app.config.web.searches_per_minute
    rates = Rates(searches=Rate(searches, 60), all_searches=Rate(10 * searches, 60))
    desk = WebState(app=app, outgoing=NoticeQueue(app.send_notices), guard=RateLimiter(rates))
    # The secrets are made before the first request, because a GET changes nothing. A database that is not there yet is
    # told by the pages.
    with suppress(StorageError):
        desk.signer()
    web.state.desk = desk
    web.state.pages.form_token = lambda request: form_token(request, None)


def of(request: Request) -> WebState:
    """Return what the process keeps."""
    desk: WebState = request.app.state.desk
    return desk


def client_of(request: Request) -> str:
    """Return the IP address a request came from, as trusted proxies tell it."""
    return request.client.host if request.client else ""


def purpose(token: str | None) -> str:
    """Return what a form is for: the person whose link it stands behind, or anybody's subscribing."""
    return SUBSCRIBE if token is None else hashlib.sha256(token.encode()).hexdigest()[:32]


def form_token(request: Request, token: str | None) -> str:
    """Return the hidden field of a form behind the link `token`, or of the subscribe form."""
    desk = of(request)
    return desk.signer().form(purpose(token), desk.app.wall_clock.now())


def holder(request: Request, token: str) -> tuple[Subscriber, str]:
    """Return who a lasting link belongs to, and the digest it was made for (may be empty).

    Raises TokenError when it is not ours, SubscriptionError when they are not known any more.
    """
    app = pages_of(request).app
    subscriber_id, digest = app.tokens.read_unsubscribe(token)
    person = preferences.get(app.database, subscriber_id)
    use_language(request, person.language)
    return person, digest


def speak_to(request: Request, subscriber_id: int) -> None:
    """Answer in the language of a subscriber, if they are still known."""
    with suppress(SubscriptionError):
        use_language(request, preferences.get(pages_of(request).app.database, subscriber_id).language)


def sorry(request: Request, error: TokenError | SubscriptionError) -> HTMLResponse:
    """Say that a link is not ours, or that nobody is behind it."""
    again = translate(request, "Please use the complete link from the end of your latest email.")
    return invalid(request, 404, f"{error_sentence(request, error)} {again}")


def no_use(request: Request, error: TokenError | SubscriptionError) -> HTMLResponse:
    """Say that a link that works for a while, or once, does so no more."""
    status = 410 if isinstance(error, TokenError) else 403
    return invalid(request, status, error_sentence(request, error))


def invalid(request: Request, status: int, text: str) -> HTMLResponse:
    """Return the page about a link that cannot be used; `text` says why."""
    heading = translate(request, "This link is no longer valid")
    return page(request, "message.html", status=status, heading=heading, text=text, link="/subscribe")


def erased(request: Request) -> HTMLResponse:
    """Say that a person is forgotten."""
    text = translate(
        request, "We erased your address and all other data about you. You will not receive any more email."
    )
    return page(request, "message.html", heading=translate(request, "Your data was erased"), text=text, link=None)


def languages(app: App) -> tuple[str, ...]:
    """Return the languages mails are written in."""
    own = app.config.templates_dir
    return known_languages(template_directories(app.base / own if own else None))


def choice_context(request: Request, choices: Preferences) -> dict[str, Any]:
    """Return what the choices' part of a form shows."""
    app = pages_of(request).app
    return {
        "chosen": {one.digest: one for one in choices.subscriptions},
        "hour": next((one.hour for one in choices.subscriptions), None),
        "timezone": choices.timezone or "",
        "wanted_language": choices.language or "",
        "languages": [(name, _own_name(name)) for name in languages(app)],
        "timezones": _timezones(),
    }


def _own_name(language: str) -> str:
    return (locale_of(language).get_display_name() or language).capitalize()


@cache
def _timezones() -> tuple[str, ...]:
    areas = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
    return ("UTC", *sorted(name for name in available_timezones() if name.split("/")[0] in areas))
