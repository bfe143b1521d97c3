"""Template filters for values from sources: safe links, short texts, paths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final
from urllib.parse import quote, urlsplit

from digestmail.mail.placeholders import single_line
from digestmail.text.paths import paper_path
from digestmail.text.truncate import at_sentence, at_word

_URL_LENGTH: Final = 2000


def web_link(link: str | None) -> str:
    """Return `link` if it is an http or https URL, else an empty string, so that `javascript:` is never linked."""
    if not link or len(link) > _URL_LENGTH or link != single_line(link):
        return ""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return link if parts.scheme in {"http", "https"} and parts.hostname else ""


def site(link: str | None) -> str:
    """Return the host of a link without `www.`."""
    return (urlsplit(web_link(link)).hostname or "").removeprefix("www.")


def query(text: str) -> str:
    """Return `text` percent-encoded for a query string."""
    return quote(text, safe="")


def slot_day(slot: str) -> date:
    """Return the local date of a slot's key."""
    return date.fromisoformat(slot[:10])


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "web_link": web_link,
    "site": site,
    "slot_day": slot_day,
    "query": query,
    "paper_path": paper_path,
    "one_line": single_line,
    "at_sentence": at_sentence,
    "at_word": at_word,
}
