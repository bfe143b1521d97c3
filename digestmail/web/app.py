"""Creates the web app: middleware, templates, routes and error handlers."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from digestmail import __version__
from digestmail.app import App
from digestmail.clock import Clock, SystemClock
from digestmail.editions import archive
from digestmail.errors import StorageError
from digestmail.mail.template_files import templates_directory
from digestmail.web import (
    admin,
    api,
    browse,
    citations,
    crawlers,
    editions,
    errors,
    feedback,
    feeds,
    health,
    interests,
    metrics,
    papers,
    personal_feed,
    preferences,
    search_page,
    subscribe,
    subscriber_pages,
    undo,
    unsubscribe,
    webhooks,
)
from digestmail.web.access_log import AccessLog
from digestmail.web.body_limit import BodyLimit
from digestmail.web.cache import ResponseCache
from digestmail.web.forwarded import ForwardedHeaders
from digestmail.web.language import negotiate
from digestmail.web.middleware import RequestMiddleware, security_headers
from digestmail.web.notice_queue import NoticeQueue
from digestmail.web.openapi import describe
from digestmail.web.operator import actions, session
from digestmail.web.operator import pages as operator_pages
from digestmail.web.pages import Pages

BUSY_SECONDS: Final = 5.0
"""How long a request waits for a locked database before its answer is 503. Nobody waits half a minute for a page."""
_FOR_PROGRAMS: Final = (health, metrics, api, admin, webhooks, crawlers)
_FOR_OPERATORS: Final = (session, actions, operator_pages)
_FOR_ALL: Final = (search_page, browse, papers, feeds, citations)
_PERSONAL: Final = (personal_feed, subscribe, preferences, interests, unsubscribe, undo, feedback)


def create_app(app: App, clock: Clock | None = None, *, busy_seconds: float = BUSY_SECONDS) -> FastAPI:
    """Return the pages, feeds and API of `app` as an ASGI application.

    `state.digestmail` is the app of requests, which wait at most `busy_seconds` for a lock; `state.pages` its
    templates. Routes with a fixed first segment are added before those of the digests, whose first segment is a name.
    `clock` is used by the cache and the access log.
    """
    web = FastAPI(
        title="digestmail",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    web.state.digestmail = request_app = for_requests(app, busy_seconds)
    web.state.pages = Pages(request_app)
    web.mount("/static", StaticFiles(directory=templates_directory() / "web" / "static"))
    errors.register(web)
    subscriber_pages.install(web, request_app, NoticeQueue(app))
    for module in (*_FOR_PROGRAMS, *_FOR_OPERATORS, *_FOR_ALL, *_PERSONAL, editions):
        web.include_router(module.router)
    describe(web)
    settings = app.config.web
    web.add_middleware(
        ResponseCache,
        version=lambda: version(request_app),
        clock=clock or SystemClock(),
        any_host=app.config.base_url is not None,
        language=lambda accepted: negotiate(accepted, web.state.pages.languages, ""),
    )
    web.add_middleware(BodyLimit)
    web.add_middleware(errors.UnexpectedErrors)
    web.add_middleware(RequestMiddleware, prefix=prefix(app), headers=security_headers(thumbnails=settings.thumbnails))
    web.add_middleware(ForwardedHeaders, trusted=settings.trusted_proxies)
    if settings.access_log:
        web.add_middleware(AccessLog, clock=clock or SystemClock())
    return web


def for_requests(app: App, busy_seconds: float) -> App:
    """Return an app on the database of `app` that waits at most `busy_seconds` for a lock. `app` closes it."""
    database = lambda: app.database.giving_up_after(busy_seconds)  # noqa: E731 - opened when it is needed
    found = App(app.config, app.base, app.clock, wall_clock=app.wall_clock, database=database)
    found.digests = app.digests
    return found


def prefix(app: App) -> str:
    """Return the path prefix: the configured one, or the path of `base_url`."""
    if app.config.web.prefix is not None:
        return app.config.web.prefix
    return urlsplit(app.config.base_url).path.rstrip("/") if app.config.base_url else ""


def version(app: App) -> str:
    """Return a value that changes with the content of the pages; empty if the database is not available."""
    try:
        return archive.version(app.database)
    except StorageError:
        return ""
