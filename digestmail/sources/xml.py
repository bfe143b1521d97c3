"""From the bytes of an XML document to text that any XML parser takes: decoded, and without a DOCTYPE."""

from __future__ import annotations

import re

from digestmail.errors import SourceUnreadableError
from digestmail.sources.encoding import decode

_DECLARATION = re.compile(r"<\?xml\s[^<>]*\?>")
_START = re.compile(r"<(?:\?xml\s|rss[\s>]|feed[\s>]|[A-Za-z]{1,20}:RDF[\s>])")
_JUNK_AT_MOST = 20_000
# XML 1.0 section 2.2: what may not even be written as a reference.
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# XML 1.0 section 2.8, up to the internal subset or the end.
_DOCTYPE = re.compile(r"""<!DOCTYPE\s(?:[^<>\[\]"']|"[^"]*+"|'[^']*+')*+(?P<end>[\[>])""", re.IGNORECASE)
_SUBSET_END = re.compile(r"\]\s*+>")
_DECLARES_ENTITIES = re.compile(r"<!ENTITY|%", re.IGNORECASE)
_SHOWN = 40


def xml_text(body: bytes, content_type: str = "") -> str:
    """Return the text of an XML document, without XML declaration, DOCTYPE and characters that XML does not have.

    What stands before the document, such as a warning of PHP, is dropped if the document begins soon after it.

    Raises SourceUnreadableError when the document declares entities: those can expand without limit or read files.
    """
    text = _INVALID.sub("", decode(body, content_type)).lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        start = _START.search(text, 0, _JUNK_AT_MOST)
        text = text[start.start() :] if start else text
    declaration = _DECLARATION.match(text)
    return without_doctype(text[declaration.end() :].lstrip() if declaration else text)


def without_doctype(text: str) -> str:
    """Return `text` without the document type declaration before its first element.

    Only there can entities be declared (XML 1.0 section 2.8). A declaration without entities says nothing that reading
    a feed needs, so it is dropped, and none is left to any parser. What CDATA quotes is left alone. Linear in `text`.

    Raises SourceUnreadableError when it declares entities, or when anything else is declared before the first element.
    """
    at = _declaration(text, 0)
    if at is None:
        return text
    doctype = _DOCTYPE.match(text, at)
    if doctype is None:
        raise SourceUnreadableError(f"no XML: it declares {text[at : at + _SHOWN]!r} before the first element")
    end = doctype.end() if doctype["end"] == ">" else _end_of_subset(text, doctype.end())
    if _declaration(text, end) is not None:
        raise SourceUnreadableError("no XML: it has declarations behind its DOCTYPE")
    return text[:at] + text[end:]


def _end_of_subset(text: str, start: int) -> int:
    end = _SUBSET_END.search(text, start)
    if end is None:
        raise SourceUnreadableError("no XML: its DOCTYPE has no end")
    if _DECLARES_ENTITIES.search(text, start, end.start()):
        raise SourceUnreadableError(
            "the DOCTYPE declares entities, and those are not read, because they can expand without limit;"
            " ask the publisher for a feed without them"
        )
    return end.end()


def _declaration(document: str, at: int) -> int | None:
    """Return where a `<!` declaration begins, over text, comments and processing instructions, before any element."""
    at = document.find("<", at)
    while at != -1:
        if document.startswith("<!--", at):
            end = document.find("-->", at + 4)
        elif document.startswith("<?", at):
            end = document.find("?>", at + 2)
        else:
            return at if document.startswith("<!", at) else None
        if end == -1:
            return None
        at = document.find("<", end)
    return None
