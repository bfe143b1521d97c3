"""Shared by the subscriber pages: the subscriber of a link, rate limits, the notice queue, and form choices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from digestmail.app import App
from digestmail.errors import StorageError, SubscriptionError, TokenError
from digestmail.mail.i18n import own_name
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.template_files import languages as known_languages
from digestmail.mail.template_files import template_directories
from digestmail.model.subscribers import Preferences, Subscriber
from digestmail.schedule.timezones import canonical_timezones
from digestmail.subscribers import preferences
from digestmail.subscribers.rate_limit import Rate, RateLimiter, Rates
from digestmail.web.forms import SUBSCRIBE
from digestmail.web.notice_queue import NoticeQueue
from digestmail.web.pages import error_sentence, page, pages_of, translate, use_language

_SIGNER_SECONDS: Final = 60


@dataclass(slots=True)
class WebState:
    """The state of a web process between requests."""

    app: App
    notice_queue: NoticeQueue
    rate_limiter: RateLimiter
    _signer: tuple[float, LinkTokens] | None = None

    def signer(self) -> LinkTokens:
        """Return the signer of forms. It is reloaded each minute, because secrets may be rotated."""
        at = self.app.wall_clock.monotonic()
        if self._signer is None or at - self._signer[0] > _SIGNER_SECONDS:
            self._signer = (at, self.app.link_tokens())
        return self._signer[1]


def install(web: FastAPI, app: App, notice_queue: NoticeQueue) -> None:
    """Add the state that these pages need to the web app, and the token of its forms."""
    searches = app.config.web.searches_per_minute
    rates = Rates(searches=Rate(searches, 60), all_searches=Rate(10 * searches, 60))
    state = WebState(app=app, notice_queue=notice_queue, rate_limiter=RateLimiter(rates))
    # Secrets are created now, because a GET request must not change anything. If there is no database yet, the pages
    # report it.
    with suppress(StorageError):
        state.signer()
    web.state.web_state = state
    web.state.pages.form_token = lambda request: form_token(request, None)


def web_state(request: Request) -> WebState:
    """Return the state of the web process."""
    state: WebState = request.app.state.web_state
    return state


def store_request(request: Request, address: str, store: Callable[[], None]) -> None:
    """Store a request for the normalized `address`. Raises StorageError if `store` does; then it does not count.

    Otherwise the tries of someone who gets an error page would use up the limit of the address.
    """
    try:
        store()
    except StorageError:
        web_state(request).rate_limiter.release(address)
        raise


def client_of(request: Request) -> str:
    """Return the IP address of the client, as reported by trusted proxies."""
    return request.client.host if request.client else ""


def purpose(token: str | None) -> str:
    """Return the purpose of a form, which its token is bound to: the link it belongs to, or signing up."""
    return SUBSCRIBE if token is None else hashlib.sha256(token.encode()).hexdigest()[:32]


def form_token(request: Request, token: str | None) -> str:
    """Return the hidden field of a form for the link `token`, or of the sign-up form."""
    state = web_state(request)
    return state.signer().form(purpose(token), state.app.wall_clock.now())


def subscriber_from_token(request: Request, token: str) -> tuple[Subscriber, str]:
    """Return the subscriber of a permanent link, and its digest (may be empty).

    Raises TokenError if the token is invalid, SubscriptionError if no data is stored about the subscriber.
    """
    app = pages_of(request).app
    subscriber_id, digest = app.tokens.read_unsubscribe(token)
    person = preferences.get(app.database, subscriber_id)
    use_language(request, person.language)
    return person, digest


def use_language_of(request: Request, subscriber_id: int) -> None:
    """Use the language of a subscriber for the response, if the subscriber exists."""
    with suppress(SubscriptionError):
        use_language(request, preferences.get(pages_of(request).app.database, subscriber_id).language)


def invalid_link(request: Request, error: TokenError | SubscriptionError) -> HTMLResponse:
    """Return the page for a permanent link that is invalid or cannot be followed, for example after an erasure."""
    text = error_sentence(request, error)
    if isinstance(error, TokenError):
        again = translate(request, "Please use the complete link from the end of your latest email.")
        text = f"{text} {again}"
    return link_error_page(request, 404, text)


def expired_link(request: Request, error: TokenError | SubscriptionError) -> HTMLResponse:
    """Return the page for a temporary link that has expired or was already used."""
    status = 410 if isinstance(error, TokenError) else 403
    return link_error_page(request, status, error_sentence(request, error))


def link_error_page(request: Request, status: int, text: str) -> HTMLResponse:
    """Return the error page for a link; `text` is the reason."""
    heading = translate(request, "This link is no longer valid")
    return page(request, "message.html", status=status, heading=heading, text=text, link="/subscribe")


def erased(request: Request) -> HTMLResponse:
    """Return the page that confirms that a person's data was erased."""
    text = translate(
        request, "We erased your address and all other data about you. You will not receive any more email."
    )
    return page(request, "message.html", heading=translate(request, "Your data was erased"), text=text, link=None)


def languages(app: App) -> tuple[str, ...]:
    """Return the available languages of emails."""
    own = app.config.templates_dir
    return known_languages(template_directories(app.base / own if own else None))


def choice_context(request: Request, choices: Preferences) -> dict[str, Any]:
    """Return the template variables of the preference fields of a form."""
    app = pages_of(request).app
    return {
        "chosen": {one.digest: one for one in choices.subscriptions},
        "hour": next((one.hour for one in choices.subscriptions), None),
        "timezone": choices.timezone or "",
        "wanted_language": choices.language or "",
        "languages": [(name, own_name(name)) for name in languages(app)],
        "timezones": canonical_timezones(),
    }
