"""The web app put together: front, templates, routes, errors."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from digestmail.app import VERSION, App
from digestmail.locales import templates_directory
from digestmail.web import health, home, leave, people, preferences, subscribe
from digestmail.web.front import Front, security_headers
from digestmail.web.pages import Pages


def create_app(app: App) -> FastAPI:
    """Return the pages, feeds and API of `app` as an ASGI application.

    `state.digestmail` is `app`, `state.pages` its templates. Routes that begin with a fixed word are added before those
    of the digests, whose first segment is a name.
    """
    web = FastAPI(
        title="digestmail",
        version=VERSION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    web.state.digestmail = app
    web.state.pages = Pages(app)
    web.mount("/static", StaticFiles(directory=templates_directory() / "web" / "static"))
    people.furnish(web, app)
    for router in (health.router, subscribe.router, preferences.router, leave.router, home.router):
        web.include_router(router)
    settings = app.config.web
    web.add_middleware(Front, prefix=prefix(app), headers=security_headers(thumbnails=settings.thumbnails))
    web.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return web


def prefix(app: App) -> str:
    """Return the path everything stands under: as configured, else that of `base_url`."""
    if app.config.web.prefix is not None:
        return app.config.web.prefix
    return urlsplit(app.config.base_url).path.rstrip("/") if app.config.base_url else ""
