"""Refusals that are pages for a browser: whoever reads of one can ask the site for an exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final

from digestmail.errors import SourceUnreadableError
from digestmail.sources.http.body import read_body

_STATUSES: Final = frozenset({401, 403, 429, 503})
_BLOCKED: Final = "a web page, as sites do that let only browsers in; "
_LONGEST_PAGE: Final = 1_000_000


def challenge_of(
    status: int, headers: Mapping[str, str], chunks: Callable[[], Iterable[bytes]], limit: int
) -> str | None:
    """Return what to say of an answer that is a challenge page, or a page that forbids; None if it is none.

    `headers` have names in lower case; `chunks` reads the body, and is called only for a page of HTML whose status may
    be that of a challenge. At most `limit` bytes are read.
    """
    if status not in _STATUSES or "text/html" not in headers.get("content-type", "").lower():
        return None
    # Few answers are pages, and what recognizes them takes long to import.
    from digestmail.sources.web_page import ADVICE, challenge_in, challenge_of_service

    # https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    if headers.get("cf-mitigated", "").lower() == "challenge":
        return challenge_of_service("Cloudflare")
    try:
        page = read_body(chunks(), coding=headers.get("content-encoding", ""), limit=min(limit, _LONGEST_PAGE))
    except SourceUnreadableError:
        return None
    blocked = _BLOCKED + ADVICE if status == HTTPStatus.FORBIDDEN else None
    return challenge_in(page.decode(errors="replace")) or blocked
