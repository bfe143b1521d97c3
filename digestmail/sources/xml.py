"""What is refused before any XML parser sees it."""

from __future__ import annotations

import codecs
import re

from digestmail.errors import SourceUnreadableError

_BYTE_ORDER_MARKS = (
    # The longer ones first: a UTF-32 mark begins like a UTF-16 mark.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_EBCDIC_DECLARATION = b"\x4c\x6f\xa7\x94"
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._-]{1,40})["']""")
# Encodings that spell "<!DOCTYPE" with other bytes than ASCII does, so that a search through the bytes misses it.
_DISGUISES = ("utf-7", "hz", "iso2022", "unicode-escape", "raw-unicode-escape", "punycode", "idna")


def refuse_doctype(body: bytes) -> None:
    """Raise SourceUnreadableError when a document type declaration stands before the first element of `body`.

    Entities can only be declared there (XML 1.0 section 2.8), so without it no entity bomb and no fetching of other
    files can hide in the rest. Looks at the prolog only: what the content quotes in CDATA is none of its business.
    Any other `<!` declaration before the first element, which no XML has, is refused with it. Linear in `body`.
    """
    if _declares(_as_ascii(body)):
        raise SourceUnreadableError("the document declares a DOCTYPE")


def _declares(document: bytes) -> bool:
    """Walk over text, comments and processing instructions up to the first element or declaration."""
    at = document.find(b"<")
    while at != -1:
        if document.startswith(b"<!--", at):
            end = document.find(b"-->", at + 4)
        elif document.startswith(b"<?", at):
            end = document.find(b"?>", at + 2)
        else:
            return document.startswith(b"<!", at)
        if end == -1:
            return False
        at = document.find(b"<", end)
    return False


def _as_ascii(body: bytes) -> bytes:
    """Return `body` in an encoding in which the markup is ASCII (XML 1.0 appendix F)."""
    if body.startswith(_EBCDIC_DECLARATION):
        raise SourceUnreadableError("the document is encoded in EBCDIC")
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _recoded(body.removeprefix(mark), encoding)
    encoding = _guessed(body[:4])
    if encoding != "utf-8":
        return _recoded(body, encoding)
    _refuse_disguise(body[:1000])
    return body


def _guessed(start: bytes) -> str:
    """Tell wide encodings by the zero bytes around the first character, which is ASCII in any XML."""
    pattern = "".join("0" if byte == 0 else "x" for byte in start)
    wide = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}
    return wide.get(pattern, "utf-8")


def _recoded(body: bytes, encoding: str) -> bytes:
    recoded = body if encoding == "utf-8" else body.decode(encoding, "replace").encode()
    _refuse_disguise(recoded[:1000])
    return recoded


def _refuse_disguise(start: bytes) -> None:
    declared = _DECLARED_ENCODING.search(start)
    if not declared:
        return
    try:
        name = codecs.lookup(declared[1].decode()).name
    except LookupError:
        return
    if name.replace("_", "-").startswith(_DISGUISES):
        raise SourceUnreadableError(f"the document is encoded in {name}")
