"""Pages: templates filled in for a request, with links that work under a path prefix.

A route returns `page(request, "name.html", **context)`. The templates in `templates/web/` see, beside the context:

- `url(path)`: the link to a path of ours, prefix included; `absolute(path)`: the same with scheme and host;
- `digests`: the configured digests; `form_token`: the hidden field of forms, or an empty string;
- `canonical`: the path the page wants to be known by, without prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from digestmail.app import App
from digestmail.mail.i18n import templates_directory
from digestmail.web import filters
from digestmail.web.cache import cache_headers

FormToken = Callable[[Request], str]


class Pages:
    """The templates of one app. `form_token`, if set, gives the token every form carries."""

    def __init__(self, app: App) -> None:
        """Read nothing yet; the operator's own templates (`templates_dir`/web) come first."""
        own = app.config.templates_dir
        places: list[Path] = [app.base / own] if own else []
        self.app = app
        self.form_token: FormToken = no_token
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([place / "web" for place in (*places, templates_directory())]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters.update(filters.FILTERS)

    def fill_in(self, request: Request, name: str, **context: Any) -> str:
        """Return the template `name` filled in."""
        frame: dict[str, Any] = {
            "url": lambda path: url(request, path),
            "absolute": lambda path: absolute(request, path),
            "digests": self.app.digests,
            "thumbnails": self.app.config.web.thumbnails,
            "canonical": None,
            "language": "en",
        }
        if "form_token" not in context:
            frame["form_token"] = self.form_token(request)
        return self.environment.get_template(name).render(frame | context)


def no_token(_request: Request) -> str:
    """Return no token: forms carry none."""
    return ""


def pages_of(request: Request) -> Pages:
    """Return the templates of the app that answers `request`."""
    found: Pages = request.app.state.pages
    return found


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return the template `name` as an answer.

    Browsers and proxies may keep it for a minute if it is shared (`cache.share`). Else nobody keeps it.
    """
    content = pages_of(request).fill_in(request, name, **context)
    return HTMLResponse(content, status_code=status, headers=cache_headers(request, status))


def url(request: Request, path: str) -> str:
    """Return the link to `path` (which begins with `/`), under the prefix the app is served at."""
    return str(request.scope.get("root_path", "")) + path


def absolute(request: Request, path: str) -> str:
    """Return the link to `path` with scheme and host: those of `base_url`, else those of the request."""
    base = pages_of(request).app.config.base_url
    if base is not None:
        return base + path
    return f"{request.url.scheme}://{request.url.netloc}{url(request, path)}"
