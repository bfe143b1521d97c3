"""Header fields: parses mailboxes as people write them, and formats names and text (RFC 5322, RFC 2047). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.charset import SHORTEST, Charset
from email.header import Header
from typing import Final

_LINE: Final = 78
"""The recommended line length without CRLF (RFC 5322 section 2.1.1)."""
_LONGEST_WORD: Final = 60
_FOLD: Final = "\r\n "
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
"""A name that needs no quotes (RFC 5322 section 3.2.3). Nullmailer removes needless quotes, which breaks DKIM."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ADDRESS_LIKE = re.compile(r"[^\s,;:]@[^\s,;:]+\.")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_UTF8: Final = Charset("utf-8")
"""Base64 or quoted-printable, whichever is shorter. Other libraries change what "utf-8" means for the process:
Apprise 2.3 does when it loads its service for email."""
_UTF8.header_encoding = SHORTEST


def split_mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of one mailbox: `name@domain`, `Name <name@domain>` or `"Name" <name@domain>`.

    A name needs no quotes, even with commas or non-ASCII letters. Quotes around the entire name are removed (RFC 5322
    section 3.2.4). The address is not validated. Raises ValueError, with advice on how to write it, for control
    characters (such as line ends) and for anything that looks like more than one mailbox.
    """
    if _CONTROL.search(text):
        raise ValueError("it contains a line end or another control character")
    text = text.strip()
    before, bracket, address = text.rpartition("<")
    if not bracket:
        return "", text
    if not address.endswith(">"):
        raise ValueError("write it as Name <name@domain>, with nothing after the >")
    name = before.strip()
    if quoted := _QUOTED.fullmatch(name):
        return re.sub(r"\\(.)", r"\1", quoted[1]), address[:-1].strip()
    if name.count('"') % 2:
        raise ValueError('a quote in the name is not closed; write the whole name in quotes, and \\" for one inside')
    if "<" in name or ">" in name or _ADDRESS_LIKE.search(name):
        raise ValueError(
            'it looks like more than one address; if all of it is the name, put quotes around it: "Name" <name@domain>'
        )
    return name, address[:-1].strip()


def named(header: str, name: str, target: str) -> str:
    """Return the value of the field `header`, folded: `name` as a display name, then `<target>`.

    `name` is one line of any text, or empty. It is only quoted if RFC 5322 section 3.2.5 requires it. Non-ASCII text
    becomes encoded words (RFC 2047 section 5).
    """
    if not name:
        return f"<{target}>"
    if _needs_encoding(name):
        phrase = _encoded_words(header, name)
    else:
        escaped = name.replace("\\", r"\\").replace('"', r"\"")
        phrase = _wrapped(header, (name if _ATOMS.fullmatch(name) else f'"{escaped}"').split(" "))
    first = len(header) + 2 if _FOLD not in phrase else 1
    room = _LINE - len(phrase.rpartition(_FOLD)[2]) - first
    return f"{phrase}{' ' if len(target) + 3 <= room else _FOLD}<{target}>"


def unstructured(header: str, text: str) -> str:
    """Return `text`, one line, as the value of an unstructured field, folded (RFC 5322 section 2.2.3)."""
    if _needs_encoding(text):
        return _encoded_words(header, text)
    return Header(text, "us-ascii", header_name=header).encode(linesep="\r\n")


def _needs_encoding(text: str) -> bool:
    return not text.isascii() or "=?" in text or any(len(word) > _LONGEST_WORD for word in text.split())


def _encoded_words(header: str, text: str) -> str:
    # The legacy Header class, because folding by email.policy may decode text that only looks like an encoded word and
    # may lose the quotes of a display name (CPython issue 121284).
    return Header(text, _UTF8, header_name=header).encode(linesep="\r\n")


def _wrapped(header: str, words: Iterable[str]) -> str:
    """Return the words as lines. A fold replaces the space between two words (RFC 5322 section 2.2.3)."""
    lines, room = [""], _LINE - len(header) - 2
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return _FOLD.join(lines)
