"""Structure, size, and HTML that mail programs and screen readers support."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.lint.parsed_message import ParsedMessage

WIDEST: Final = 600
"""The width of the column in pixels."""

_FORBIDDEN_TAGS: Final = frozenset(
    {"script", "form", "input", "button", "iframe", "object", "embed", "link", "base", "video", "audio"}
)
_VAGUE: Final = frozenset({"", "here", "click here", "link", "this link", "more", "read more"})
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufdd0-\ufdef]")
_ALTERNATIVE: Final = ["multipart/alternative", "text/plain", "text/html"]


def alternative(letter: ParsedMessage) -> Iterator[str]:
    """RFC 2046 section 5.1.4: text first, HTML last."""
    kinds = [part.get_content_type() for part in letter.message.walk()]
    if kinds != _ALTERNATIVE:
        yield f"the parts are {', '.join(kinds)}"


def text_stands_alone(letter: ParsedMessage) -> Iterator[str]:
    """Report a message without readable text, which would be empty for readers without HTML."""
    if not letter.text.strip():
        yield "the text part is empty"


def byte_budget(letter: ParsedMessage) -> Iterator[str]:
    """Below the size at which Gmail clips messages, both parts and all headers included."""
    if len(letter.raw) >= LARGEST_MESSAGE:
        yield f"the message has {len(letter.raw):,} octets; it must stay under {LARGEST_MESSAGE:,}"


def links(letter: ParsedMessage) -> Iterator[str]:
    """Only http, https and mailto, or an anchor in the email."""
    for link in letter.page.links:
        if not link.href.startswith("#") and _scheme(link.href) not in {"http", "https", "mailto"}:
            yield f"a link to {link.href!r}"


def no_active_content(letter: ParsedMessage) -> Iterator[str]:
    """No scripts, forms or embedded content."""
    if found := sorted(letter.page.tags & _FORBIDDEN_TAGS):
        yield f"forbidden tags: {', '.join(found)}"
    if letter.page.handlers:
        yield f"script in attributes: {', '.join(sorted(set(letter.page.handlers)))}"


def printable(letter: ParsedMessage) -> Iterator[str]:
    """No control characters in visible text."""
    for kind, text in (("plain", letter.text), ("html", letter.html)):
        if _UNPRINTABLE.search(text):
            yield f"an unprintable character in text/{kind}"


def nothing_hidden(letter: ParsedMessage) -> Iterator[str]:
    """No text hidden by display, visibility, opacity or font size: spam filters count it."""
    if letter.page.unseen:
        yield f"hidden texts: {', '.join(repr(text[:40]) for text in letter.page.unseen[:3])}"


def compiled(letter: ParsedMessage) -> Iterator[str]:
    """No MJML tags are left."""
    if "<mj-" in letter.html or "</mj-" in letter.html:
        yield "a tag of MJML is left"


def no_remote_styles(letter: ParsedMessage) -> Iterator[str]:
    """No fonts or style sheets from the network."""
    if any(re.search(r"url\(|@import|@font-face", style) for style in letter.page.styles):
        yield "a style loads something from the network"


def images(letter: ParsedMessage) -> Iterator[str]:
    """Only https, with size and alternative text, and no tracking pixels."""
    for image in letter.page.images:
        shown = image.source[:60]
        if image.tag != "img":
            yield f"{image.tag} loads {shown!r}"
            continue
        if _scheme(image.source) != "https":
            yield f"an image not from https: {shown!r}"
        if missing := [name for name in ("alt", "width", "height") if not image.attributes.get(name)]:
            yield f"an image without {' and '.join(missing)}: {shown!r}"
        if {image.attributes.get("width"), image.attributes.get("height")} & {"0", "1"}:
            yield f"a tracking pixel: {shown!r}"


def language(letter: ParsedMessage) -> Iterator[str]:
    """`lang` and `dir` on html, and again inside body for programs that drop the outer tags."""
    root = letter.page.attributes.get("html", {})
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", root.get("lang", "")) or root.get("dir") not in {"ltr", "rtl"}:
        yield "no language or direction on html"
    if not letter.page.wrapped:
        yield "no language and direction inside body"


def outline(letter: ParsedMessage) -> Iterator[str]:
    """One h1 first, and no skipped levels."""
    headings = letter.page.headings
    if headings[:1] != ["h1"] or headings.count("h1") != 1:
        yield f"headings begin {', '.join(headings[:3]) or 'nowhere'}; one h1 comes first"
    if any(int(after[1]) > int(before[1]) + 1 for before, after in pairwise(headings)):
        yield "headings skip a level"


def layout_tables(letter: ParsedMessage) -> Iterator[str]:
    """Layout tables have role="presentation"; otherwise screen readers read them as data tables."""
    if letter.page.bare_tables:
        yield f'{letter.page.bare_tables} layout tables without role="presentation"'


def link_texts(letter: ParsedMessage) -> Iterator[str]:
    """Find links whose text does not describe their target, except links to a section, which have its name."""
    for link in letter.page.links:
        text = " ".join(link.text.split())
        if text.lower() in _VAGUE and not link.href.startswith("#"):
            yield f"a link to {link.href[:60]!r} says {text!r}"


def colour_schemes(letter: ParsedMessage) -> Iterator[str]:
    """Light and dark colors are declared and defined."""
    if "dark" not in letter.page.metas.get("color-scheme", ""):
        yield "no meta color-scheme that names dark"
    if not any("prefers-color-scheme" in style for style in letter.page.styles):
        yield "no style for prefers-color-scheme"


def one_column(letter: ParsedMessage) -> Iterator[str]:
    """Nothing is wider than the column."""
    if widest := max((width for width in letter.page.widths if width > WIDEST), default=0):
        yield f"a table of {widest} px; {WIDEST} are the column"


def plain_layout(letter: ParsedMessage) -> Iterator[str]:
    """No SVG, flexbox, grid or positioning, which mail programs drop or break."""
    if "svg" in letter.page.tags:
        yield "an SVG"
    for style in letter.page.styles:
        if found := re.search(r"display:\s*(?:inline-)?(?:flex|grid)|position:\s*(?!static)[a-z]+", style):
            yield f"a style with {found[0]}"


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return ""
