"""Header fields: mailboxes read as operators write them; names and texts written as RFC 5322 and 2047 ask. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.header import Header
from typing import Final

_LINE: Final = 78
"""RFC 5322 section 2.1.1: lines should be no longer, their CRLF not counted."""
_LONGEST_WORD: Final = 60
_FOLD: Final = "\r\n "
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
"""RFC 5322 section 3.2.3: a name that needs no quotes. Nullmailer takes needless ones off, which breaks DKIM."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ADDRESS_LIKE = re.compile(r"[^\s,;:]@[^\s,;:]+\.")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def split_mailbox(text: str) -> tuple[str, str]:
    """Return (name, address) of one mailbox: `name@domain`, `Name <name@domain>` or `"Name" <name@domain>`.

    A name needs no quotes, not even with commas or letters beyond ASCII; quotes around all of it are taken off (RFC
    5322 section 3.2.4). The address itself is not checked. Raises ValueError, which says what to write instead, for
    control characters (line ends among them) and for what reads as more than one mailbox.
    """
    if _CONTROL.search(text):
        raise ValueError("it holds a line end or another control character")
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
            'it reads as more than one address; if all of it is the name, put quotes around it: "Name" <name@domain>'
        )
    return name, address[:-1].strip()


def named(header: str, name: str, target: str) -> str:
    """Return the value of the field `header`: `name` as a display name, then `<target>`; folded.

    `name` is one line of any text; without one only `<target>` is returned. Quotes are written only where RFC 5322
    section 3.2.5 needs them; what is not ASCII becomes encoded words (RFC 2047 section 5).
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
    # The older Header class, because folding by email.policy may decode what only looks like an encoded word and
    # loses the quotes of a display name when it folds it (CPython issue 121284).
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _wrapped(header: str, words: Iterable[str]) -> str:
    """Return the words as lines; a fold stands in for the space between two (RFC 5322 section 2.2.3)."""
    lines, room = [""], _LINE - len(header) - 2
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return _FOLD.join(lines)
