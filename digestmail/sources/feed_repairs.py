"""What is changed in the XML of a feed before feedparser reads it, because feedparser would misread it."""

from __future__ import annotations

import re
from collections.abc import Callable

from digestmail.sources.authors import without_addresses

_MEDIA_PREFIX = re.compile(r"""xmlns:([A-Za-z_][\w.-]{0,30})\s*=\s*["']http://search\.yahoo\.com/mrss/?["']""")
_BARE_AMPERSAND = re.compile(r"&(?!#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)")
# feedparser keeps an element that it does not know under its name, and what it understood under names like these.
_TAKEN = re.compile(
    r"(</?(?:[A-Za-z_][\w.-]{0,30}:)?(?:authors|contributors|enclosures|links|tags|[a-z]{1,20}_(?:detail|parsed)))"
    r"(?=[\s/>])",
    re.IGNORECASE,
)
_AUTHOR = re.compile(
    r"(<(?:[A-Za-z_][\w.-]{0,30}:)?(?:authors?|contributor|creator|name)(?:\s[^<>]*+)?>)"
    r"(\s*+<!\[CDATA\[(?:[^\]<]|<(?!!))*+|[^<]*+)(?=(?:\]\]>)?\s*+</)",
    re.IGNORECASE,
)


def repaired(text: str) -> str:
    """Return the XML of a feed, changed so that feedparser finds in it what its publisher meant. Linear in `text`."""
    # feedparser cuts an address after four letters of its last label, and takes the rest for a name.
    text = _AUTHOR.sub(lambda found: found[1] + without_addresses(found[2]), text)
    return _outside_cdata(text, _renaming(text))


def _outside_cdata(text: str, change: Callable[[str], str]) -> str:
    """Return `text` with its markup changed, but not what CDATA quotes (XML 1.0 section 2.7)."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<![CDATA[", at)) >= 0:
        closing = text.find("]]>", start)
        end = len(text) if closing < 0 else closing + len("]]>")
        parts += (change(text[at:start]), text[start:end])
        at = end
    return "".join((*parts, change(text[at:])))


def _renaming(text: str) -> Callable[[str], str]:
    """Return the function that renames elements whose names feedparser uses for something else.

    Among them are the title and description of a picture or video (https://www.rssboard.org/media-rss): feedparser
    takes them for those of the entry, and which of the two comes first would decide. Bare ampersands become references.
    """
    prefixes = {"media", *_MEDIA_PREFIX.findall(text, 0, 10_000)}
    media = re.compile(
        rf"(</?(?:{'|'.join(map(re.escape, sorted(prefixes)))}):(?:title|description))(?:\s[^<>]*+)?(?=>)"
    )

    def change(markup: str) -> str:
        return _TAKEN.sub(r"\1text", media.sub(r"\1text", _BARE_AMPERSAND.sub("&amp;", markup)))

    return change
