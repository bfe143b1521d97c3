"""The web pages as readers reach them: that they answer, and that one click unsubscribes (RFC 8058)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, Protocol

from digestmail.doctor.findings import ProbeFinding, fail, ok, skip, warn
from digestmail.errors import SourceError
from digestmail.sources.http.exchange import HttpResponse

PAGES, ONE_CLICK = "pages", "one-click"
_FORM: Final = b"List-Unsubscribe=One-Click"
_REDIRECTS: Final = range(300, 400)


class HttpClient(Protocol):
    """Sends single requests."""

    def send(self, method: str, url: str, *, form: bytes | None = None) -> HttpResponse:
        """Return the response, whatever its status is. Raises SourceError."""
        ...


def probe_pages(http: HttpClient, base_url: str | None) -> Iterator[ProbeFinding]:
    """Yield whether `digestmail web` answers at `base_url`."""
    if base_url is None:
        yield skip(PAGES, "base_url is not set, so emails link to no pages")
        return
    if base_url.startswith("http://"):
        yield warn(
            PAGES, f"{base_url} is not https, so no mail program offers one-click", "set base_url to https://..."
        )
    try:
        response = http.send("GET", f"{base_url}/healthz")
    except SourceError as error:
        yield fail(PAGES, str(error), "start `digestmail web`, and check the DNS, the firewall and the reverse proxy")
        return
    if response.status == HTTPStatus.OK and response.body == b"ok\n":
        yield ok(PAGES, f"{base_url} answers")
    else:
        yield fail(PAGES, f"{base_url}/healthz answered {_shown(response)}", _REMEDY)


def probe_one_click(http: HttpClient, base_url: str | None, token: str) -> Iterator[ProbeFinding]:
    """Yield whether a mail program can unsubscribe a reader. `token` is valid, but no subscriber has its number."""
    if base_url is None:
        yield skip(ONE_CLICK, "base_url is not set, so readers unsubscribe by email")
        return
    try:
        response = http.send("POST", f"{base_url}/unsubscribe/{token}", form=_FORM)
    except SourceError as error:
        yield fail(ONE_CLICK, str(error), "see the finding about pages")
        return
    yield judge_one_click(response)


def judge_one_click(response: HttpResponse) -> ProbeFinding:
    """Return whether a response to one click is that of `digestmail web` with our database."""
    if response.status == HTTPStatus.OK and response.body == b"unsubscribed\n":
        return ok(ONE_CLICK, "one click unsubscribes")
    if response.status in _REDIRECTS:
        return fail(
            ONE_CLICK,
            f"the request is redirected ({response.status}), and mail programs do not follow (RFC 8058 section 3.1)",
            f"set base_url to the final address{_destination(response)}",
        )
    if response.status == HTTPStatus.NOT_FOUND:
        return fail(ONE_CLICK, f"the link is not known there: {_shown(response)}", _OTHER)
    if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return fail(ONE_CLICK, f"the request needs a login: {_shown(response)}", "let everyone POST to /unsubscribe/")
    return fail(ONE_CLICK, f"the request was answered {_shown(response)}", _REMEDY)


_REMEDY: Final = "have the reverse proxy pass all requests below base_url to `digestmail web`"
_OTHER: Final = "run `digestmail web` with this configuration and database, and check the paths of the reverse proxy"


def _destination(response: HttpResponse) -> str:
    location = response.headers.get("location", "")
    return f" ({location.partition('/unsubscribe/')[0][:100]})" if location.startswith("http") else ""


def _shown(response: HttpResponse) -> str:
    return f"{response.status} ({response.headers.get('content-type', 'no content type')[:60]})"
