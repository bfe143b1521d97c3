"""Repairs links that mail programs, filters or people changed, by finding the token in them. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

PERSONAL: Final = ("address", "confirm", "erase", "feedback", "for-you", "preferences", "undo", "unsubscribe")
"""The first segments of personal links."""
_LINK = re.compile(rf"/+({'|'.join(PERSONAL)})/(.+)", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{2,400}\.[A-Za-z0-9_-]{27}")
"""A sealed text: base64 data, a dot, and a keyed hash of 20 octets in base64 without padding."""
_SUFFIX = re.compile(
    r"[^A-Za-z0-9]*/+(address|cadence|data\.json|data|erase|feed\.(?:atom|json)|feedback|interests(?:/(?:clear|file|list|remove))?|pause)"
    r"(?![A-Za-z0-9])"
)
"""Suffixes of the preferences link."""
_PAPER = re.compile(r"/+([0-9][0-9T:-]{0,30}(?:[.][a-z0-9T:-]{1,60})?)/+([0-9]{1,5})(?:/+(more|less))?(?![0-9A-Za-z])")
"""The suffix of a feedback link: a slot, a paper's position and an answer."""
_WRAPPED = re.compile(r"=?[\r\n]+|[\s=\u00ad\u200b-\u200f\u2060\ufeff]+")
"""Characters inserted at line breaks: quoted-printable soft breaks, white space, zero-width characters."""
_MOST_UNQUOTED: Final = 3
_LONGEST: Final = 4000


def repair_link(path: str) -> str:
    """Return the path of a personal link without characters that were added in or after it.

    These are punctuation, brackets, slashes, parameters, line breaks, and repeated percent-encoding. Other paths are
    returned unchanged.
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
    kind = found[1].lower()
    suffix = (_PAPER if kind == "feedback" else _SUFFIX).match(rest, token.end())
    return "/".join(["", kind, token[0], *(part for part in (suffix.groups() if suffix else ()) if part)])
