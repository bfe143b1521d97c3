"""Placeholders for the links of a recipient, and the cleaning of text that keeps placeholders out of it. Pure."""

from __future__ import annotations

import re
from typing import Final

UNSUBSCRIBE_PLACEHOLDER: Final = "https://place.invalid/unsubscribe-9d6b2f41"
"""Replaced with the recipient's unsubscribe link. To everything before that step it is an ordinary link."""
PREFERENCES_PLACEHOLDER: Final = "https://place.invalid/preferences-5c07ea93"
"""Replaced with the link to the recipient's preferences, which contains the unsubscribe token as well."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
"""Controls, bidirectional overrides (they would also affect the text after a title), surrogates and noncharacters."""


def single_line(text: str) -> str:
    """Return `text` as one line that is safe anywhere in an email.

    White space is collapsed. Unprintable characters and placeholders are removed, so that no title can contain one.
    """
    cleaned = _UNPRINTABLE.sub("", text)
    return " ".join(cleaned.replace(UNSUBSCRIBE_PLACEHOLDER, " ").replace(PREFERENCES_PLACEHOLDER, " ").split())
