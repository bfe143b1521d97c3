"""What of a request is written down: never a token, never an address of a person, never what was searched for."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 200
_PERSONAL = re.compile(
    r"(confirm|preferences|unsubscribe|subscribers|suppressions).+?(/(?:pause|erase|data|data\.json))?",
    re.IGNORECASE | re.DOTALL,
)
"""Whose link it is, or whose address, however a mail program mangled the link: all behind these words."""


def loggable(path: str) -> str:
    """Return a request's path as a log may hold it: on one line, without what stands for a person. Pure."""
    found = _PERSONAL.search(path)
    if found and (whole := _PERSONAL.fullmatch(path, found.start())):
        path = f"{path[: found.start()]}{whole[1]}/-{whole[2] or ''}"
    return quote(path[:_LONGEST], safe="/:@!$&'()*+,;=~")
