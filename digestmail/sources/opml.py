"""OPML 2.0 (http://opml.org/spec2.opml): lists of feeds, as feed readers export and import them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import unescape
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from digestmail.errors import SourceUnreadableError

_LARGEST = 10_000_000
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_REFERENCE = re.compile(rb"&(?!#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};)([A-Za-z][A-Za-z0-9]{0,31};)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A feed in a list of feeds."""

    title: str
    """Empty if the list has none."""
    url: str


def parse_opml(body: bytes) -> tuple[Outline, ...]:
    """Return the feeds of a list, however deeply its folders are nested.

    Bare ampersands and the entities of HTML, which XML does not have, are read as what they were meant to be.

    Raises SourceUnreadableError if this is no OPML, is larger than 10 MB, or declares entities.
    """
    if len(body) > _LARGEST:
        raise SourceUnreadableError(f"the list is larger than {_LARGEST} bytes")
    try:
        return _parsed(body)
    except expat.ExpatError:
        pass
    try:
        return _parsed(_REFERENCE.sub(_mended, body))
    except expat.ExpatError as error:
        raise SourceUnreadableError(f"not OPML: line {error.lineno}: {expat.ErrorString(error.code)}") from error


def render_opml(outlines: Iterable[Outline], *, title: str, now: datetime) -> str:
    """Return a list of feeds in OPML 2.0, with a line end at the end."""
    rows = "".join(
        f'    <outline type="rss" text={quoteattr(each.title)} title={quoteattr(each.title)} '
        f"xmlUrl={quoteattr(each.url)}/>\n"
        for each in outlines
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n  <head>\n'
        f"    <title>{_escaped(title)}</title>\n    <dateCreated>{format_datetime(now, usegmt=True)}</dateCreated>\n"
        f"  </head>\n  <body>\n{rows}  </body>\n</opml>\n"
    )


class _Outlines:
    """The handlers of a parser that keeps the outlines with an address, and refuses entities."""

    def __init__(self) -> None:
        self.found: list[Outline] = []
        self.root: str | None = None
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EntityDeclHandler = self._refuse
        self.parser = parser

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name.lower()
        if name.lower() != "outline":
            return
        given = {key.lower(): " ".join(value.split()) for key, value in attributes.items()}
        if url := given.get("xmlurl") or (given.get("url", "") if given.get("type", "").lower() == "rss" else ""):
            self.found.append(Outline(title=given.get("title") or given.get("text", ""), url=url))

    def _refuse(self, *_: Any) -> None:
        raise SourceUnreadableError("the list declares entities, and those are not read, because they can expand")


def _parsed(body: bytes) -> tuple[Outline, ...]:
    outlines = _Outlines()
    outlines.parser.Parse(body.lstrip(), True)  # noqa: FBT003 - expat's interface: this is all
    if outlines.root != "opml":
        raise SourceUnreadableError(f"not OPML: its first element is <{(outlines.root or '')[:40]}>")
    return tuple(outlines.found)


def _mended(reference: re.Match[bytes]) -> bytes:
    name = (reference[1] or b"").decode().removesuffix(";")
    if name in _XML_ENTITIES:
        return reference[0]
    meant = unescape(f"&{name};") if name else ""
    if meant and not meant.startswith("&"):
        return "".join(f"&#{ord(character)};" for character in meant).encode()
    return b"&amp;" + (reference[1] or b"")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
