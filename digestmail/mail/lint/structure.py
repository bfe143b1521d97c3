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
VAGUE_TEXTS: Final = frozenset({"", "here", "click here", "link", "this link", "more", "read more"})
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufdd0-\ufdef]")
_ALTERNATIVE: Final = ["multipart/alternative", "text/plain", "text/html"]


def alternative(parsed: ParsedMessage) -> Iterator[str]:
    """RFC 2046 section 5.1.4: text first, HTML last."""
    kinds = [part.get_content_type() for part in parsed.message.walk()]
    if kinds != _ALTERNATIVE:
        yield f"the parts are {', '.join(kinds)}"


def text_is_readable(parsed: ParsedMessage) -> Iterator[str]:
    """Report a message without readable text, which would be empty for readers without HTML."""
    if not parsed.text.strip():
        yield "the text part is empty"


def byte_budget(parsed: ParsedMessage) -> Iterator[str]:
    """Below the size at which Gmail clips messages, both parts and all headers included."""
    if len(parsed.raw) >= LARGEST_MESSAGE:
        yield f"the message has {len(parsed.raw):,} octets; it must stay under {LARGEST_MESSAGE:,}"


def links(parsed: ParsedMessage) -> Iterator[str]:
    """Only http, https and mailto, or an anchor in the email."""
    for link in parsed.page.links:
        if not link.href.startswith("#") and _scheme(link.href) not in {"http", "https", "mailto"}:
            yield f"a link to {link.href!r}"


def no_active_content(parsed: ParsedMessage) -> Iterator[str]:
    """No scripts, forms or embedded content."""
    if found := sorted(parsed.page.tags & _FORBIDDEN_TAGS):
        yield f"forbidden tags: {', '.join(found)}"
    if parsed.page.handlers:
        yield f"script in attributes: {', '.join(sorted(set(parsed.page.handlers)))}"


def printable(parsed: ParsedMessage) -> Iterator[str]:
    """No control characters in visible text."""
    for kind, text in (("plain", parsed.text), ("html", parsed.html)):
        if _UNPRINTABLE.search(text):
            yield f"an unprintable character in text/{kind}"


def nothing_hidden(parsed: ParsedMessage) -> Iterator[str]:
    """No text hidden by display, visibility, opacity or font size: spam filters count it."""
    if parsed.page.unseen:
        yield f"hidden texts: {', '.join(repr(text[:40]) for text in parsed.page.unseen[:3])}"


def compiled(parsed: ParsedMessage) -> Iterator[str]:
    """No MJML tags are left."""
    if "<mj-" in parsed.html or "</mj-" in parsed.html:
        yield "an MJML tag is left"


def no_remote_styles(parsed: ParsedMessage) -> Iterator[str]:
    """No fonts or style sheets from the network."""
    if any(re.search(r"url\(|@import|@font-face", style) for style in parsed.page.styles):
        yield "a style loads something from the network"


def images(parsed: ParsedMessage) -> Iterator[str]:
    """Only https, with size and alternative text, and no tracking pixels."""
    for image in parsed.page.images:
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


def language(parsed: ParsedMessage) -> Iterator[str]:
    """`lang` and `dir` on html, and again inside body for programs that drop the outer tags."""
    root = parsed.page.attributes.get("html", {})
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", root.get("lang", "")) or root.get("dir") not in {"ltr", "rtl"}:
        yield "no language or direction on html"
    if not parsed.page.wrapped:
        yield "no language and direction inside body"


def outline(parsed: ParsedMessage) -> Iterator[str]:
    """One h1 first, and no skipped levels."""
    headings = parsed.page.headings
    if headings[:1] != ["h1"] or headings.count("h1") != 1:
        yield f"the first headings are {', '.join(headings[:3]) or 'missing'}; one h1 must come first"
    if any(int(after[1]) > int(before[1]) + 1 for before, after in pairwise(headings)):
        yield "headings skip a level"


def layout_tables(parsed: ParsedMessage) -> Iterator[str]:
    """Layout tables have role="presentation"; otherwise screen readers read them as data tables."""
    if parsed.page.bare_tables:
        yield f'{parsed.page.bare_tables} layout tables without role="presentation"'


def link_texts(parsed: ParsedMessage) -> Iterator[str]:
    """Find links whose text does not describe their target, except links to a section, which have its name."""
    for link in parsed.page.links:
        text = " ".join(link.text.split())
        if text.lower() in VAGUE_TEXTS and not link.href.startswith("#"):
            yield f"a link to {link.href[:60]!r} has the vague text {text!r}"


def color_schemes(parsed: ParsedMessage) -> Iterator[str]:
    """Light and dark colors are declared and defined."""
    if "dark" not in parsed.page.metas.get("color-scheme", ""):
        yield "no meta color-scheme that includes dark"
    if not any("prefers-color-scheme" in style for style in parsed.page.styles):
        yield "no style for prefers-color-scheme"


def one_column(parsed: ParsedMessage) -> Iterator[str]:
    """Nothing is wider than the column."""
    if widest := max((width for width in parsed.page.widths if width > WIDEST), default=0):
        yield f"a table is {widest} px wide; the column is {WIDEST} px"


def plain_layout(parsed: ParsedMessage) -> Iterator[str]:
    """No SVG, flexbox, grid or positioning, which mail programs drop or break."""
    if "svg" in parsed.page.tags:
        yield "an SVG"
    for style in parsed.page.styles:
        if found := re.search(r"display:\s*(?:inline-)?(?:flex|grid)|position:\s*(?!static)[a-z]+", style):
            yield f"a style with {found[0]}"


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return ""
