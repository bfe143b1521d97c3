"""Renders HTML pages in the language of a request, with links under the path prefix, in a sandbox.

A route returns `page(request, "name.html", **context)`. Besides their context, templates in `templates/web/` can use:

- `url(path)`: the link to a path, including the prefix; `absolute(path)`: the same with scheme and host;
- `digests`: the configured digests; `form_token`: the hidden field of forms, or an empty string;
- `canonical`: the canonical path of the page, without prefix;
- `gettext` and `ngettext`, `lang` and `dir`, and the date and number filters of the language;
- `summaries|in_language`: the summary in the language of the page, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from digestmail.app import App
from digestmail.errors import SubscriberFacingError
from digestmail.mail.compiled_templates import CompiledTemplates
from digestmail.mail.i18n import day_range, direction, translations
from digestmail.mail.template_files import SOURCE_LANGUAGE, languages, template_directories
from digestmail.mail.templates import SandboxedTemplates, install_language
from digestmail.model.digests import Digest
from digestmail.model.summaries import summary_in
from digestmail.web import filters
from digestmail.web.cache import cache_headers
from digestmail.web.language import look_up, negotiate

FormToken = Callable[[Request], str]


class Pages:
    """The templates of an app. `form_token` returns the token of every form."""

    def __init__(self, app: App) -> None:
        """Templates are loaded on first use. The operator's templates (`templates_dir`/web) take precedence."""
        own = app.config.templates_dir
        self.app = app
        self.form_token: FormToken = no_token
        self.directories = template_directories(app.base / own if own else None)
        self.languages = languages(self.directories)
        self._environments: dict[str, jinja2.Environment] = {}

    def environment(self, language: str) -> jinja2.Environment:
        """Return the environment for `language`. Raises RenderError if its message catalog cannot be read."""
        if language not in self._environments:
            self._environments[language] = self._create_environment(language)
        return self._environments[language]

    def _create_environment(self, language: str) -> jinja2.Environment:
        environment = SandboxedTemplates(
            loader=jinja2.FileSystemLoader([directory / "web" for directory in self.directories]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=CompiledTemplates(f"web {language}"),
        )
        install_language(environment, language, self.directories)
        environment.filters |= filters.FILTERS
        environment.filters["in_language"] = lambda summaries: summary_in(summaries, language)
        environment.globals["day_range"] = day_range(language)
        return environment

    def negotiated(self, request: Request, default: str) -> str:
        """Return the language that the browser prefers, or `default`."""
        return negotiate(request.headers.get("accept-language", ""), self.languages, default)

    def fill_in(self, request: Request, name: str, *, language: str = SOURCE_LANGUAGE, **context: Any) -> str:
        """Render the template `name`."""
        frame: dict[str, Any] = {
            "url": lambda path: url(request, path),
            "absolute": lambda path: absolute(request, path),
            "digests": self.app.digests,
            "thumbnails": self.app.config.web.thumbnails,
            "imprint": self.app.config.mail.imprint,
            "canonical": None,
            "lang": language,
            "dir": direction(language),
        }
        if "form_token" not in context:
            frame["form_token"] = self.form_token(request)
        return self.environment(language).get_template(name).render(frame | context)


def no_token(_request: Request) -> str:
    """Return an empty token, for forms without one."""
    return ""


def pages_of(request: Request) -> Pages:
    """Return the templates of the app."""
    found: Pages = request.app.state.pages
    return found


def page(request: Request, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render the template `name` as a response.

    If it is shared (`cache.share`), browsers and proxies may cache it for a minute; otherwise it is not cached. The
    default language of a page with a `digest` is the digest's.
    """
    digest = context.get("digest")
    language = language_of(request, digest if isinstance(digest, Digest) else None)
    headers = {**cache_headers(request, status), "Content-Language": language, "Vary": "Accept-Language"}
    content = pages_of(request).fill_in(request, name, language=language, **context)
    return HTMLResponse(content, status_code=status, headers=headers)


def use_language(request: Request, language: str | None) -> None:
    """Use a subscriber's language for this request. None and unavailable languages are ignored."""
    known = {one.lower(): one for one in pages_of(request).languages}
    if language and (found := look_up(language, known)):
        request.state.language = found


def language_of(request: Request, digest: Digest | None = None) -> str:
    """Return the language of a page: the subscriber's, the browser's, or the digest's."""
    chosen: str | None = getattr(request.state, "language", None)
    if chosen is not None:
        return chosen
    pages = pages_of(request)
    return pages.negotiated(request, (digest or pages.app.digests[0]).look.language)


def translate(request: Request, message: str, **values: object) -> str:
    """Translate `message` to the language of the request and fill in its `%(name)s` placeholders."""
    catalogue = translations(language_of(request), pages_of(request).directories)
    text = catalogue.gettext(message)
    return text % values if values else text


def error_sentence(request: Request, error: SubscriberFacingError) -> str:
    """Return the error as a sentence in the language of the request."""
    return sentence(translate(request, error.message, **error.values))


def sentence(text: str) -> str:
    """Return `text` with a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def url(request: Request, path: str) -> str:
    """Return the link to `path` (which starts with `/`), including the prefix."""
    return str(request.scope.get("root_path", "")) + path


def absolute(request: Request, path: str) -> str:
    """Return the absolute URL of `path`, based on `base_url` or else on the request."""
    base = pages_of(request).app.config.base_url
    if base is not None:
        return base + path
    return f"{request.url.scheme}://{request.url.netloc}{url(request, path)}"
