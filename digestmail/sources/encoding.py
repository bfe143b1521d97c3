"""From the bytes of a document to its text: the encoding that was declared if it fits, else the one that does."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from w3lib.encoding import http_content_type_encoding, read_bom, resolve_encoding, to_unicode

from digestmail.errors import SourceUnreadableError

_EBCDIC_DECLARATION = b"\x4c\x6f\xa7\x94"
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._-]{1,40})["']""")
# Some servers say so of whatever they serve; then the document knows better.
_DEFAULT_OF_SERVERS = "cp1252"
# Codecs of Python that are no encodings of documents, or that cost more than time linear in the length.
_NO_CHARSETS = ("idna", "punycode", "unicode", "raw", "undefined", "hz", "utf-7")
_ONE_BYTE = re.compile(r"(?:iso8859|cp125|koi8|latin|mac)")
_LOOKED_AT = 200_000
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_WHOLE_FOR_EACH_BROKEN = 8


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of an XML or JSON document whose HTTP field Content-Type was `content_type`.

    A byte order mark comes before the charset of the answer, and that before the XML declaration (RFC 7303 section 3).
    Names mean what they mean on the web: `iso-8859-1` is windows-1252, `gb2312` is gb18030
    (https://encoding.spec.whatwg.org/#names-and-labels). An encoding that does not fit the bytes is passed over, and
    UTF-8 that was declared to be something else is UTF-8. What nobody declares is guessed by chardet.

    Raises SourceUnreadableError for EBCDIC. Anything else is decoded, if need be with replacement characters.
    """
    if body.startswith(_EBCDIC_DECLARATION):
        raise SourceUnreadableError("the document is encoded in EBCDIC; ask its publisher for UTF-8")
    marked, mark = read_bom(body)
    if marked and mark:
        return body.removeprefix(mark).decode(marked, "replace")
    wide = _wide(body[:4])
    if wide:
        return body.decode(wide, "replace")
    tried = dict.fromkeys(_declared(body, content_type))
    for encoding in ("utf-8", *tried) if _may_be_utf_8(tried) else (*tried, "utf-8"):
        try:
            return body.decode(encoding)
        except UnicodeError:
            continue
    for encoding in (*tried, "utf-8"):
        text = to_unicode(body, encoding)
        if _is_nearly_whole(text):
            return text
    return to_unicode(body, _guessed(body) or next(iter(tried), "utf-8"))


def _is_nearly_whole(text: str) -> bool:
    """Return whether few characters could not be decoded: some programs cut a text in the middle of a letter."""
    return text.count("\ufffd") * _WHOLE_FOR_EACH_BROKEN <= len(text) - len(_NOT_ASCII.sub("", text))


def _wide(start: bytes) -> str | None:
    """Tell UTF-16 and UTF-32 by the zero bytes around the first character, which is ASCII (XML 1.0 appendix F)."""
    pattern = "".join("0" if byte == 0 else "x" for byte in start)
    return {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(pattern)


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    """Yield what the answer and the document say about the encoding, as far as Python knows it."""
    declaration = _DECLARED_ENCODING.search(body[:1000])
    names = [
        http_content_type_encoding(content_type),
        resolve_encoding(declaration[1].decode()) if declaration else None,
    ]
    if names[0] == _DEFAULT_OF_SERVERS and names[1]:
        names.reverse()
    for name in names:
        # Wide encodings have a mark or zero bytes; where there are none, their name is a slip.
        if name and not name.replace("_", "-").startswith((*_NO_CHARSETS, "utf-16", "utf-32")) and _decodes(name):
            yield name


def _decodes(encoding: str) -> bool:
    """Return whether `encoding` is one of text: Python also has codecs such as rot13 and zip."""
    try:
        b"a".decode(encoding)
    except (LookupError, UnicodeError):
        return False
    return True


def _may_be_utf_8(declared: dict[str, None]) -> bool:
    """Return whether UTF-8 is to be tried before what is declared.

    Bytes of a single-byte encoding are hardly ever valid UTF-8 by chance; East Asian ones may be, if they are few.
    """
    return all(map(_ONE_BYTE.match, declared))


def _guessed(body: bytes) -> str | None:
    import chardet

    start = max(0, next((at for at in range(0, len(body), 4096) if not body[at : at + 4096].isascii()), 0))
    guess = chardet.detect(body[start : start + _LOOKED_AT])["encoding"]
    name = resolve_encoding(guess) if guess else None
    return name if name and codecs.lookup(name).name not in {"ascii", "utf-8"} else None
