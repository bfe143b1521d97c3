"""Links from mails as mail programs, filters and people pass them on: the token in them is found. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

PERSONAL: Final = ("address", "confirm", "erase", "preferences", "undo", "unsubscribe")
"""What the paths of personal links begin with."""
_LINK = re.compile(rf"/+({'|'.join(PERSONAL)})/(.+)", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"\.?[A-Za-z0-9_-]{2,400}\.[A-Za-z0-9_-]{27}")
"""What itsdangerous signs with HMAC-SHA1: what it holds in base64, a dot, 20 octets in base64 without padding."""
_BEHIND = re.compile(r"[^A-Za-z0-9]*/+(address|data\.json|data|erase|pause)(?![A-Za-z0-9])")
"""What a page of ours appends to the preferences' link."""
_WRAPPED = re.compile(r"=?[\r\n]+|[\s=\u00ad\u200b-\u200f\u2060\ufeff]+")
"""What is inserted where a line is broken: soft breaks of quoted-printable, white space, signs of no width."""
_MOST_UNQUOTED: Final = 3
_LONGEST: Final = 4000


def mended(path: str) -> str:
    """Return the path of a personal link without what was put into it or behind it on the way.

    That is punctuation, brackets, slashes, parameters, line breaks, and percent-encoding done more than once. Anything
    that is not a personal link comes back as it is.
    """
    found = _LINK.fullmatch(path)
    if found is None or len(path) > _LONGEST:
        return path
    rest = found[2]
    for _ in range(_MOST_UNQUOTED):
        rest = unquote(rest)
    rest = _WRAPPED.sub("", rest)
    token = _TOKEN.search(rest)
    if token is None:
        return path
    behind = _BEHIND.match(rest, token.end())
    return f"/{found[1].lower()}/{token[0]}" + (f"/{behind[1]}" if behind else "")
